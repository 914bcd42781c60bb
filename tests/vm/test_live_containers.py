"""Updates that interrupt only what they change: a device that is never restarted, until the end.

Two containers of Debian packages. One is changed, then changed for the worse, then another system
is changed; all the while the other one goes on, and so does the device. Then a generation is live.
What a restart brings up is what was committed before.
"""

import http.client
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device
from tests.vm.having_secrets import ssh_words
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, Project

from reconix.base.process import CommandFailed
from reconix.vm.timeouts import scaled

pytestmark = [pytest.mark.vm, pytest.mark.archive]
ONE, TWO = 9001, 9002
ANSWER_SECONDS = 60
CONTAINERS = """\
[containers.one]
packages = ["python3"]
command = [{command}]
files = {{ "/srv/pages/index.html" = {{ text = "{page}" }} }}
network = "host"
ports = ["9001:9001"]
init = true
[containers.two]
packages = ["python3"]
command = ["python3", "-m", "http.server", "--directory", "/srv/pages", "9002"]
files = {{ "/srv/pages/index.html" = {{ text = "two" }} }}
network = "host"
ports = ["9002:9002"]
"""
SERVES = '"python3", "-m", "http.server", "--directory", "/srv/pages", "9001"'
PID = "cat /run/reconix/containers/{}/pid"
POLLER = """\
import socket, sys, threading, time
def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return connection.recv(1)
    except OSError:
        return b""
def poll(port):
    with open(f"/run/answers-{port}", "w") as heard:
        while True:
            if answers(port):
                print(time.monotonic(), file=heard, flush=True)
            time.sleep(0.1)
for port in sys.argv[1:]:
    threading.Thread(target=poll, args=(int(port),)).start()
"""
GAP = """\
import sys, time
times = [*map(float, open(f"/run/answers-{sys.argv[1]}")), time.monotonic()]
print(max(after - before for before, after in zip(times, times[1:])))
"""
"""The longest time without an answer, up to now."""
MORE_SECONDS = 12.0
"""Far below a restart of the device; what it takes is measured by ``bench.container_change``."""


def system(page: str, command: str = SERVES) -> str:
    return CONTAINERS.format(page=page, command=command)


@pytest.fixture
def project(tmp_path: Path, need: Need) -> Project:
    need(*PROGRAMS)
    machine = MACHINE.replace('"768M"', '"1G"') + KEEPS_HOST_KEY
    return Project.make(tmp_path / "project", machine, {"default": system("old"), "other": ""})


def page(device: Device, port: int) -> str:
    """What the device answers from outside."""
    browser = http.client.HTTPConnection("127.0.0.1", device.machine.port(port), ANSWER_SECONDS)
    try:
        browser.request("GET", "/")
        return browser.getresponse().read().decode()
    finally:
        browser.close()


def wait_for_page(device: Device, port: int, text: str) -> None:
    fetch = f"from urllib.request import *; print(urlopen('http://127.0.0.1:{port}').read())"
    device.wait_until(f'python3 -c "{fetch}" | grep -q {text}', f"{port} does not say {text}")
    assert page(device, port) == text


def test_an_update_interrupts_what_it_changes(project: Project, tmp_path: Path) -> None:
    project.reconix("lock")
    with booted(project.image(), tmp_path / "device", [22, ONE, TWO]) as machine:
        device = Device(machine, project.login)
        device.wait_for("default", soft_reboots=0)
        wait_for_page(device, ONE, "old")
        wait_for_page(device, TWO, "two")
        before = running(device)
        changes_one_without_delay(device, project)
        goes_back_and_on(device)
        leaves_what_does_not_work(device, project)
        assert page(device, ONE) == "new"
        changes_another_system(device, project)
        assert running(device) == before
        status = device.status()
        goes_live(device, project)
        assert device.ask(f"cat {BOOT_ID}") == before[0]
        device.tell("systemctl reboot")
        device.wait_until(f"! grep -q {before[0]} {BOOT_ID}", "it does not restart")
        device.wait_for("default", soft_reboots=0)
        wait_for_page(device, ONE, "new")
        assert device.ask("cat /usr/share/note/text || echo gone") == "gone"
        assert device.status().object("committed").values == status.object("committed").values
        assert device.ask("systemctl --failed --plain --no-legend") == ""


BOOT_ID = "/proc/sys/kernel/random/boot_id"


def running(device: Device) -> tuple[str, str]:
    """The boot, and the container that nobody changes."""
    return device.ask(f"cat {BOOT_ID}"), device.ask(PID.format("two"))


def deploy(device: Device, project: Project, *options: str) -> str:
    """Build what is configured, and deploy it."""
    project.reconix("build")
    words = ssh_words(device, project.folder / "key")
    return project.reconix("deploy", *options, *words).text("outcome")


def configure(project: Project, name: str, text: str) -> None:
    (project.folder / f"hosts/box/systems/{name}.toml").write_text(text)


def changes_one(device: Device, project: Project, text: str) -> None:
    before = device.ask(PID.format("one"))
    configure(project, "default", system(text))
    assert deploy(device, project) == "it is kept"
    wait_for_page(device, ONE, text)
    assert device.ask(PID.format("one")) != before
    listed = device.ask("reconix-device containers")
    assert "one" in listed and "two" in listed, listed


def changes_one_without_delay(device: Device, project: Project) -> None:
    """It is away about as long as systemd restarts it; the other one, as long as it is then."""
    plain = gaps(device, lambda: restarts_one(device))
    update = gaps(device, lambda: changes_one(device, project, "new"))
    for what, found in ("a restart by systemd", plain), ("an update", update):
        print(f"longest silence in {what}: {found[ONE]:.2f} s, the other one {found[TWO]:.2f} s")
    assert update[ONE] <= plain[ONE] + scaled(MORE_SECONDS)
    assert update[TWO] <= plain[TWO] + scaled(MORE_SECONDS)


def gaps(device: Device, work: Callable[[], None]) -> Mapping[int, float]:
    """The longest silence of each container while something is done, asked ten times a second."""
    words = shlex.join(["systemd-run", "-q", "--unit=poller", "python3", "-c", POLLER])
    device.ask(f"rm -f /run/answers-*; {words} {ONE} {TWO}")
    for port in (ONE, TWO):
        device.wait_until(f"test -s /run/answers-{port}", "nobody answers")
    work()
    found = {
        port: float(device.ask(f"{shlex.join(['python3', '-c', GAP])} {port}"))
        for port in (ONE, TWO)
    }
    device.ask("systemctl stop poller")
    return found


def restarts_one(device: Device) -> None:
    device.ask("systemctl restart container-one")
    wait_for_page(device, ONE, "old")


def goes_back_and_on(device: Device) -> None:
    for text in ("old", "new"):
        assert "without a restart" in device.ask("reconix-device rollback")
        wait_for_page(device, ONE, text)


def leaves_what_does_not_work(device: Device, project: Project) -> None:
    before = device.status().object("committed").values
    configure(project, "default", system("worse", '"false"'))
    with pytest.raises(CommandFailed):
        deploy(device, project)
    status = device.status()
    assert status.object("committed").values == before
    assert status.object("last").text("result") == "fell-back"
    verdict = status.object("last").object("verdict")
    assert verdict.text("what").startswith("container one"), verdict.text("what")
    wait_for_page(device, ONE, "new")


def changes_another_system(device: Device, project: Project) -> None:
    configure(project, "default", system("new"))
    configure(project, "other", '[files]\n"motd" = { text = "changed" }\n')
    assert deploy(device, project) == "it is kept; not yet tried: other"
    assert device.status().texts("untried") == ["other"]


def goes_live(device: Device, project: Project) -> None:
    """Files of /etc and /usr are others, and all services are those of the new generation."""
    committed = device.status().object("committed").values
    note = project.folder / "note/text"
    note.parent.mkdir()
    note.write_text("here")
    files = (
        '[files]\n"motd" = { text = "live" }\n[trees."/usr/share/note"]\nsource = "../../../note"\n'
    )
    configure(project, "default", system("live") + files)
    assert deploy(device, project, "--live") == "it is live until the next boot, and not kept"
    assert device.ask("cat /etc/motd /usr/share/note/text") == "livehere"
    wait_for_page(device, ONE, "live")
    status = device.status()
    assert status.object("booted").text("why") == "live" and not status.flag("unproven")
    assert status.object("committed").values == committed
