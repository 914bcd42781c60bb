"""Updates that interrupt only what they change: a device that is not restarted, until the end.

One container is changed, then changed for the worse, then another system is changed; all the while
another container goes on, and so does the device. Then a generation is live. What a restart brings
up is what was committed before.

For the device of ``test_containers.py``, whose containers are here.
"""

import shlex
from collections.abc import Callable, Mapping

import pytest
from tests.container_images import CONTAINERS
from tests.vm.device import Device, ssh_words
from tests.vm.project import Project

from reconix.base.process import CommandFailed
from reconix.vm.timeouts import scaled

ONE, OTHER = 9000, 8080
"""The ports of the container that changes, and of one that does not."""
NATIVE = """\
[containers.native]
packages = ["python3"]
command = [{command}]
files = {{ "/srv/pages/index.html" = {{ text = "{page}" }} }}
network = "host"
ports = ["9000:9000"]
init = true
[health]
timeout = "3min"
checks = [{{ failed_units = 0 }}]
"""
SERVES = '"python3", "-m", "http.server", "--directory", "/srv/pages", "9000"'
FIRST, NEXT = "of packages", "new"
PID = "cat /run/reconix/containers/{}/pid"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
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
MORE_SECONDS = 30.0
"""Far below a restart of the device; what it takes is measured by ``bench.container_change``."""


def system(page: str, command: str = SERVES) -> str:
    return CONTAINERS + NATIVE.format(page=page, command=command)


def wait_for_page(device: Device, text: str) -> None:
    fetch = f"from urllib.request import *; print(urlopen('http://127.0.0.1:{ONE}').read())"
    device.wait_until(f"python3 -c \"{fetch}\" | grep -q '{text}'", f"it does not say {text}")


def updates_interrupt_what_they_change(device: Device, project: Project) -> None:
    """The device has restarted when this ends."""
    before = running(device)
    changes_one_without_delay(device, project)
    goes_back_and_on(device)
    leaves_what_does_not_work(device, project)
    changes_another_system(device, project)
    assert running(device) == before
    status = device.status()
    goes_live(device, project)
    assert device.ask(f"cat {BOOT_ID}") == before[0]
    device.tell("systemctl reboot")
    device.wait_until(f"! grep -q {before[0]} {BOOT_ID}", "it does not restart")
    device.wait_for("default", soft_reboots=0)
    wait_for_page(device, NEXT)
    assert device.ask("cat /usr/share/note/text || echo gone") == "gone"
    assert device.status().object("committed").values == status.object("committed").values


def running(device: Device) -> tuple[str, str]:
    """The boot, and the container that nobody changes."""
    return device.ask(f"cat {BOOT_ID}"), device.ask(PID.format("web"))


def deploy(device: Device, project: Project, *options: str) -> str:
    """Build what is configured, and deploy it."""
    project.reconix("build")
    words = ssh_words(device, project.folder / "key")
    return project.reconix("deploy", *options, *words).text("outcome")


def configure(project: Project, name: str, text: str) -> None:
    (project.folder / f"hosts/box/systems/{name}.toml").write_text(text)


def changes_one(device: Device, project: Project, text: str) -> None:
    before = device.ask(PID.format("native"))
    configure(project, "default", system(text))
    assert deploy(device, project) == "it is kept"
    wait_for_page(device, text)
    assert device.ask(PID.format("native")) != before
    listed = device.ask("reconix-device containers")
    assert "native" in listed and "web" in listed, listed


def changes_one_without_delay(device: Device, project: Project) -> None:
    """It is away about as long as systemd restarts it; the other one, as long as it is then."""
    plain = gaps(device, lambda: restarts_one(device))
    update = gaps(device, lambda: changes_one(device, project, NEXT))
    for what, found in ("a restart by systemd", plain), ("an update", update):
        print(f"longest silence in {what}: {found[ONE]:.2f} s, the other one {found[OTHER]:.2f} s")
    assert update[ONE] <= plain[ONE] + scaled(MORE_SECONDS)
    assert update[OTHER] <= plain[OTHER] + scaled(MORE_SECONDS)


def gaps(device: Device, work: Callable[[], None]) -> Mapping[int, float]:
    """The longest silence of each container while something is done, asked ten times a second."""
    words = shlex.join(["systemd-run", "-q", "--unit=poller", "python3", "-c", POLLER])
    device.ask(f"rm -f /run/answers-*; {words} {ONE} {OTHER}")
    for port in (ONE, OTHER):
        device.wait_until(f"test -s /run/answers-{port}", "nobody answers")
    work()
    found = {
        port: float(device.ask(f"{shlex.join(['python3', '-c', GAP])} {port}"))
        for port in (ONE, OTHER)
    }
    device.ask("systemctl stop poller")
    return found


def restarts_one(device: Device) -> None:
    device.ask("systemctl restart container-native")
    wait_for_page(device, FIRST)


def goes_back_and_on(device: Device) -> None:
    for text in (FIRST, NEXT):
        assert "without a restart" in device.ask("reconix-device rollback")
        wait_for_page(device, text)


def leaves_what_does_not_work(device: Device, project: Project) -> None:
    before = device.status().object("committed").values
    configure(project, "default", system("worse", '"false"'))
    with pytest.raises(CommandFailed):
        deploy(device, project)
    status = device.status()
    assert status.object("committed").values == before
    assert status.object("last").text("result") == "fell-back"
    verdict = status.object("last").object("verdict")
    assert verdict.text("what").startswith("container native"), verdict.text("what")
    wait_for_page(device, NEXT)


def changes_another_system(device: Device, project: Project) -> None:
    configure(project, "default", system(NEXT))
    configure(project, "plain", '[files]\n"motd" = { text = "changed" }\n')
    assert deploy(device, project) == "it is kept; not yet tried: plain"
    assert device.status().texts("untried") == ["plain"]


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
    wait_for_page(device, "live")
    status = device.status()
    assert status.object("booted").text("why") == "live" and not status.flag("unproven")
    assert status.object("committed").values == committed
