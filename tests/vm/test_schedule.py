"""A device of its own name follows the clock: it changes its system, and updates in its window.

It has a secret, too (``having_secrets.py``).

One device, switched on once. Its clock is set so that something is about to happen; the calendar
has hours that are far from now, so that nothing happens before. What is told by text and unit
files is tested without a device; here the timers are systemd's, and the clock is the kernel's.
"""

import functools
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm import having_secrets
from tests.vm.device import Device
from tests.vm.project import MACHINE, Project

from reconix.base.process import CommandFailed, run
from reconix.vm.login import Login
from reconix.vm.machine import Machine

_HOUR = 3600
_DAY = 24 * _HOUR
HOST = "10.0.2.2"
"""The computer that QEMU runs on, as a device sees it."""
PUBLISHED = "published"
KEEPS = """\
[persist]
shared = ["/var/lib/dropbear", "/root"]
"""
"""Host keys, and a home: who may log in there is said by the configuration all the same."""
SERIAL = "BOX-0007"
MORE = """\
[network.machine]
vlan = 20
on = "lan"
address = ["192.0.2.1/24"]
[schedule]
hours = ["night {night}"]
confirm_within = "90s"
[update]
every = "20s"
window = "{window}"
[devices.{serial}]
hostname = "box-seven"
address = {{ machine = "192.0.2.7/24" }}
authorized_keys = ["{key}"]
"""

_PHASE = "reconix-device status --json | grep -q 'phase.: .{}'"
IS_ARMED, IS_IDLE = (_PHASE.format(phase) for phase in ("armed", "idle"))


class Clock:
    """The hours of a test, far enough from the time of day at which it runs."""

    def __init__(self) -> None:
        now = time.time()
        self.night, self.morning, self.window = (
            int(now // 60 * 60 + hours * _HOUR) for hours in (6, 10, 15)
        )

    @staticmethod
    def span(begin: int, end: int) -> str:
        """As the configuration has it."""
        return "-".join(time.strftime("%H:%M", time.gmtime(each)) for each in (begin, end))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """Where the device looks for updates; there is nothing yet."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / PUBLISHED))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path, clock: Clock, server: ThreadingHTTPServer) -> Project:
    site = tmp_path / "site"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", site)
    more = MORE.format(
        night=clock.span(clock.night, clock.morning),
        window=clock.span(clock.window, clock.window + _HOUR),
        serial=SERIAL,
        key=site.with_suffix(".pub").read_text().strip(),
    )
    systems = {"default": "", "night": ""}
    url = f'update.url = "http://{HOST}:{server.server_port}"\n'
    machine = MACHINE + KEEPS + more + having_secrets.MACHINE
    made = Project.make(tmp_path / "project", machine, systems, settings=url)
    having_secrets.prepare(made, SERIAL)
    return made


@pytest.mark.vm
@pytest.mark.archive
def test_a_device_follows_the_clock(
    project: Project, clock: Clock, tmp_path: Path, need: Need
) -> None:
    need(*PROGRAMS)
    project.reconix("lock")
    image = project.image("--device", SERIAL)
    target = publish_an_update(project, tmp_path / PUBLISHED)
    with booted(image, tmp_path / "device", [22]) as machine:
        device = Device(machine, Login(tmp_path / "site"))
        device.wait_for("default", soft_reboots=0)
        has_its_identity(device)
        having_secrets.has_its_secret(device, project, SERIAL)
        updates_in_its_window(device, clock, target)
        has_the_keys_of_the_update(machine, project)
        having_secrets.gets_another_value(device, project, SERIAL)
        set_clock(device, clock.window + 60)
        having_secrets.leaves_what_lacks_a_secret(device, project)
        follows_the_schedule(device, clock)
        having_secrets.says_no_value(device, project, tmp_path / PUBLISHED)
        device_disk, raw = tmp_path / "device/disk.qcow2", tmp_path / "raw"
        having_secrets.is_on_data_alone(machine, device_disk, raw)


def publish_an_update(project: Project, folder: Path) -> str:
    """It revokes the key with which root logged in, and has another one."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", project.folder / "new")
    machine = project.folder / "hosts/box/machine.toml"
    text = machine.read_text().replace("../../key.pub", "../../new.pub")
    machine.write_text(f'{text}[files.note]\ntext = "the second generation"\n')
    target = project.reconix("build").text("generation")
    project.reconix("publish", str(folder), "--no-full")
    return target


def has_the_keys_of_the_update(machine: Machine, project: Project) -> None:
    assert machine.ssh(Login(project.folder / "new"), "readlink", "/root/.ssh/authorized_keys")
    with pytest.raises(CommandFailed, match="Permission denied"):
        machine.ssh(Login(project.folder / "key"), "true")


def has_its_identity(device: Device) -> None:
    """Somebody with the key of this device has logged in already."""
    assert device.ask("cat /proc/sys/kernel/hostname /etc/hostname").split() == ["box-seven"] * 2
    addresses = device.ask("ip -oneline address show machine")
    assert "192.0.2.7/24" in addresses
    assert "192.0.2.1/24" not in addresses


def updates_in_its_window(device: Device, clock: Clock, target: str) -> None:
    before = device.status().object("booted").text("boot_id")
    device.wait_until(IS_ARMED, "it has not looked for an update, or not taken it")
    assert "waits for its window" in device.ask("journalctl --unit=reconix-update --no-pager")
    assert device.status().object("booted").text("boot_id") == before, "it restarts by day"
    set_clock(device, clock.window - 5)
    device.wait_until(f"grep -qx GENERATION={target} /run/reconix/booted", "there is no trial")
    device.wait_until(IS_IDLE, "the trial is not confirmed")
    assert device.ask("cat /etc/note") == "the second generation"
    assert device.status().object("committed").text("generation") == target


def follows_the_schedule(device: Device, clock: Clock) -> None:
    begins = device.status().object("schedule").object("next")
    assert (begins.text("system"), begins.number("at")) == ("night", clock.night)
    set_clock(device, clock.night - 5)
    device.wait_for("night", soft_reboots=1)  # the calendar has begun it
    wants = device.status().object("schedule")
    assert wants.text("wanted") == "night"
    assert 0 <= wants.number("seconds_to_confirm") <= 90
    device.wait_for("default", soft_reboots=2)  # nobody has confirmed it
    wants = device.status().object("schedule")
    assert (wants.text("wanted"), wants.flag("rests")) == ("night", True)
    set_clock(device, clock.morning + _HOUR)
    device.wait_until("! test -e /run/reconix/system/reconix/resting", "the day is not seen")
    assert device.status().object("schedule").text("wanted") == "default"
    set_clock(device, clock.night + _DAY + _HOUR)
    device.wait_for("night", soft_reboots=3)  # the clock has jumped there
    device.ask("reconix-device confirm")
    assert not device.status().object("schedule").has("seconds_to_confirm")


def set_clock(device: Device, moment: int) -> None:
    device.tell(f"date --utc --set=@{moment}")
