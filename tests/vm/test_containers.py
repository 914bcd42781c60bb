"""A device with three containers, started by systemd and crun, and used by real clients.

A broker from an image in Docker's format, with a volume and a check of its own; a program in Python
that runs as user 1000, from an OCI layout; and one from Debian packages. Then another system takes
over, which has none, and nothing of them is left; and they come back. At last, updates change one
of them while the others go on (``live_updates.py``).
"""

import http.client
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.container_images import ACCEPTED, BROKER, CONNECT, make_images
from tests.projects import PROGRAMS, booted
from tests.vm import live_updates
from tests.vm.device import Device
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, Project

pytestmark = [pytest.mark.vm, pytest.mark.archive]
SERIAL = "BOX-0001"
SECRET = "correct-horse-c30b9e"
ANSWER_SECONDS = 60
RESTARTS = "[ $(systemctl show --value -p NRestarts container-web.service) = {} ]"
UP = "systemctl is-active -q container-{0}.service"
FETCH = "python3 -c \"from urllib.request import *; urlopen('http://127.0.0.1:8080').read()\""
HEALTHY = "test -e /run/reconix/containers/broker/healthy"
PLACE = "/run/reconix/data/systems/default/containers"
LEFT = (
    "grep -c reconix/containers /proc/self/mounts; ls -A /run/reconix | grep -c -e containers "
    "-e crun; ip -o link | grep -c reconix-; ls -A /run/netns 2>/dev/null | wc -l; "
    "pgrep -c -f '[m]osquitto|[f]lask|[h]ttp.server'; cat /proc/sys/net/ipv4/ip_forward; "
    "nft list tables | grep -c containers; "
    "systemctl list-units --all --plain --no-legend 'container*' | wc -l"
)
"""Mounts, folders, interfaces, namespaces, programs, routing, rules and units of containers."""


@pytest.fixture
def project(tmp_path: Path, need: Need) -> Project:
    need(*PROGRAMS, "buildah")
    machine = MACHINE.replace('"python3"]', '"python3", "nftables", "procps"]')
    machine = machine.replace('"16M"', '"64M"').replace('"768M"', '"1G"') + KEEPS_HOST_KEY
    systems = {"default": live_updates.system(live_updates.FIRST), "plain": ""}
    made = Project.make(tmp_path / "project", f"{machine}[devices.{SERIAL}]\n", systems)
    (made.folder / "hosts/box/mosquitto.conf").write_text(BROKER)
    make_images(made.folder / "images", tmp_path / "work")
    secret = made.folder / "secrets/token"
    secret.parent.mkdir()
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    return made


def page(device: Device, port: int, path: str = "/") -> str:
    """What the device answers from outside."""
    browser = http.client.HTTPConnection("127.0.0.1", device.machine.port(port), ANSWER_SECONDS)
    try:
        browser.request("GET", path)
        return browser.getresponse().read().decode()
    finally:
        browser.close()


def shows(device: Device, unit: str) -> Mapping[str, str]:
    said = device.ask(f"systemctl show container-{unit}.service")
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def test_containers_of_a_device(project: Project, tmp_path: Path) -> None:
    project.reconix("lock")
    image = project.image("--device", SERIAL)
    with booted(
        image, tmp_path / "device", [22, 1883, live_updates.OTHER, live_updates.ONE]
    ) as machine:
        device = Device(machine, project.login)
        device.wait_for("default", soft_reboots=0)
        answers(device)
        can_be_entered_from_a_terminal(device)
        belongs_to_nobody_else(device)
        keeps_its_limits_and_starts_again(device)
        ends_when_it_is_asked_to(device)
        leaves_nothing_to_another_system(device)
        answers(device)
        live_updates.updates_interrupt_what_they_change(device, project)
        assert device.ask("systemctl --failed --plain --no-legend") == ""


def answers(device: Device) -> None:
    """From outside, and from the device itself."""
    for name in ("broker", "web", "native"):
        device.wait_until(UP.format(name), f"{name} does not run")
    device.wait_until(HEALTHY, "the broker is not well")
    with socket.create_connection(
        ("127.0.0.1", device.machine.port(1883)), ANSWER_SECONDS
    ) as client:
        client.sendall(CONNECT)
        assert client.recv(4) == ACCEPTED
    device.wait_until(FETCH, "nothing answers at 127.0.0.1")
    assert page(device, 8080).split()[:3] == ["1000", SECRET, "True"]
    assert page(device, live_updates.ONE) == live_updates.FIRST
    assert "refused" in page(device, 8080, "/knock"), "a container gets to no port of the device"
    assert "somebody asks" in device.ask("journalctl -q -u container-web --no-pager")


def can_be_entered_from_a_terminal(device: Device) -> None:
    """`script` gives the agent one, as somebody has who logs in, and may show the end of input."""
    look = 'reconix-device exec web sh -c "test -t 0 && test -t 1 && tty && id -u && exit 7"'
    said = device.ask(f"script --quiet --return --command '{look}' /dev/null < /dev/null; echo $?")
    terminal, *more = said.split()
    assert "/dev/pts/" in terminal and more == ["1000", "7"], said


def belongs_to_nobody_else(device: Device) -> None:
    ids = "stat -c '%u %g' /proc/$(cat /run/reconix/containers/web/pid)"
    user, group = map(int, device.ask(ids).split())
    assert user == group > 0x10000000 and (user & 0xFFFF) == 1000
    kept = device.ask(f"stat -c %u:%g {PLACE}/web/state {PLACE}/web/state/runs").split()
    assert kept == ["1000:1000", "1000:1000"], "on the disk they have the numbers of the container"
    inside = "crun --root=/run/reconix/crun --cgroup-manager=disabled exec web"
    assert device.ask(f"{inside} stat -c %u:%g /srv/state/runs /etc/passwd").split() == [
        *("1000:1000", "0:0"),
    ]
    assert device.ask("grep -c containers/web /proc/self/mounts || true") == "0"
    said = device.ask("ls /proc/self/ns > /dev/null; cat /run/reconix/faults 2>/dev/null || true")
    assert said == ""


def keeps_its_limits_and_starts_again(device: Device) -> None:
    before = shows(device, "web")
    assert (before["MemoryMax"], before["TasksMax"]) == (str(160 << 20), "32")
    for number, path in enumerate(("/eat", "/end"), 1):
        with pytest.raises((OSError, http.client.HTTPException)):
            page(device, 8080, path)
        starts_again(device, number)
    device.ask("kill -9 $(cat /run/reconix/containers/web/pid)")
    starts_again(device, 3)
    others = [shows(device, name)["NRestarts"] for name in ("broker", "native")]
    assert others == ["0", "0"]


def starts_again(device: Device, number: int) -> None:
    device.wait_until(RESTARTS.format(number), "it does not start again")
    device.wait_until(UP.format("web"), "web does not run again")
    device.wait_until(FETCH, "web does not answer again")


def ends_when_it_is_asked_to(device: Device) -> None:
    """Python is not process 1 of its container, so it obeys."""
    device.ask("systemctl stop container-native.service")
    assert shows(device, "native")["Result"] == "success"
    device.ask("systemctl start container-native.service")


def leaves_nothing_to_another_system(device: Device) -> None:
    device.switch("plain")
    device.wait_for("plain", soft_reboots=1)
    assert device.ask(f"{LEFT}; true").split() == ["0"] * 8
    device.switch("default")
    device.wait_for("default", soft_reboots=2)
