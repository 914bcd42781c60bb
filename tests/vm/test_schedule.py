"""A device of its own name follows the clock: it changes its system at the hours of its schedule.

One device, switched on once. Its clock is set so that something is about to happen; the calendar
has hours that are far from now, so that nothing happens before. What is told by text and unit
files is tested without a device; here the timers are systemd's, and the clock is the kernel's.
"""

import time
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device
from tests.vm.project import Project

from reconix.base.process import run
from reconix.vm.login import Login

_HOUR = 3600
_DAY = 24 * _HOUR
SERIAL = "BOX-0007"
MACHINE = """\
packages = ["systemd", "systemd-sysv", "udev", "kmod", "iproute2", "dropbear", "python3"]
[boot]
slot_size = "48M"
[disk]
system_size = "768M"
data_size = "16M"
[kernel]
package = "linux-image-cloud-amd64"
parameters = ["console=ttyS0"]
initrd_modules = ["virtio_pci", "virtio_blk"]
[network.lan]
match = "en*"
dhcp = true
[network.machine]
vlan = 20
on = "lan"
address = ["192.0.2.1/24"]
[ssh]
enable = true
[persist]
shared = ["/var/lib/dropbear"]
[users.root]
authorized_keys_files = ["../../key.pub"]
[schedule]
hours = ["night {night}"]
confirm_within = "90s"
[devices.{serial}]
hostname = "box-seven"
address = {{ machine = "192.0.2.7/24" }}
authorized_keys = ["{key}"]
"""


class Clock:
    """The hours of a test, far enough from the time of day at which it runs."""

    def __init__(self) -> None:
        now = time.time()
        self.night, self.morning = (int(now // 60 * 60 + hours * _HOUR) for hours in (6, 10))

    @staticmethod
    def span(begin: int, end: int) -> str:
        """As the configuration has it."""
        return "-".join(time.strftime("%H:%M", time.gmtime(each)) for each in (begin, end))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def project(tmp_path: Path, clock: Clock) -> Project:
    site = tmp_path / "site"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", site)
    machine = MACHINE.format(
        night=clock.span(clock.night, clock.morning),
        serial=SERIAL,
        key=site.with_suffix(".pub").read_text().strip(),
    )
    systems = {"default": "", "night": ""}
    return Project.make(tmp_path / "project", machine, systems, settings="")


@pytest.mark.vm
@pytest.mark.archive
def test_a_device_follows_the_clock(
    project: Project, clock: Clock, tmp_path: Path, need: Need
) -> None:
    need(*PROGRAMS)
    project.reconix("lock")
    image = project.image("--device", SERIAL)
    with booted(image, tmp_path / "device", [22]) as machine:
        device = Device(machine, Login(tmp_path / "site"))
        device.wait_for("default", soft_reboots=0)
        has_its_identity(device)
        follows_the_schedule(device, clock)


def has_its_identity(device: Device) -> None:
    """Somebody with the key of this device has logged in already."""
    assert device.ask("cat /proc/sys/kernel/hostname /etc/hostname").split() == ["box-seven"] * 2
    addresses = device.ask("ip -oneline address show machine")
    assert "192.0.2.7/24" in addresses
    assert "192.0.2.1/24" not in addresses


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
