"""What a device does with secrets, on one that a test has anyway: ``test_schedule.py``.

The values are words that occur nowhere else, so they can be looked for in everything that a device
and its project consist of.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vm.device import Device, ssh_words
from tests.vm.project import Project

from reconix.base.digests import Digest
from reconix.base.process import CommandFailed, run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.vm.machine import Machine

PASSWORD, NEXT = b"correct-horse-battery-7d1f", b"staple-\0\xff-c30b9e"
MACHINE = """\
[services]
enable = ["air.service"]
[units."air.service"]
source = "air.service"
[secrets.mqtt-password]
units = ["air.service"]
[secrets.banner]
units = ["air.service"]
required = false
"""
UNIT = """\
[Service]
DynamicUser=yes
RuntimeDirectory=air
ExecStart=/bin/sh -c 'cd $CREDENTIALS_DIRECTORY && stat -c "%%n %%a" * > /run/air/seen \
&& sha256sum mqtt-password >> /run/air/seen && exec sleep infinity'
[Install]
WantedBy=multi-user.target
"""
LACKING = '[secrets.token]\nunits = ["air.service"]\n'
_SEEN = "cat /run/air/seen"


def prepare(project: Project, serial: str) -> None:
    """Let a program of the project read a secret, which one device has a value for."""
    (project.folder / "hosts/box/air.service").write_text(UNIT)
    _write(project, serial, PASSWORD)


def _write(project: Project, serial: str, value: bytes) -> None:
    file = project.folder / "secrets" / serial / "mqtt-password"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(value)
    file.chmod(0o600)


def has_its_secret(device: Device, project: Project, serial: str) -> None:
    """The image has brought a value, which only the unit gets, and the key of the device."""
    device.wait_until(f"test -s {_SEEN.split()[1]}", "the unit has not got its secret")
    seen = device.ask(_SEEN)
    assert seen == _as_seen(PASSWORD), seen
    for user, status in ((0, "0"), (65534, "1")):
        as_user = f"setpriv --reuid={user} --regid={user} --clear-groups"
        line = f"{as_user} cat /run/credentials/air.service/mqtt-password > /dev/null 2>&1; echo $?"
        assert device.ask(line) == status, user
    kept = device.ask("cd /run/reconix/data && stat -c '%n %a %u' secrets secrets/* device-key")
    expected = ["secrets 700 0", "secrets/mqtt-password 600 0", "device-key 600 0"]
    assert kept.splitlines() == expected, kept
    key = (project.folder / "keys/devices/box" / serial).read_bytes()
    assert device.ask("sha256sum /run/reconix/data/device-key").split()[0] == Digest.of(key).hex()
    (missing,) = device.status().objects("missing_secrets")
    assert (missing.text("name"), missing.flag("required")) == ("banner", False)


def gets_another_value(device: Device, project: Project, serial: str) -> None:
    """Rotation: no update, and only the unit that reads it is started again."""
    _write(project, serial, NEXT)
    project.reconix("secrets", "push", "--device", serial, *_to(device, project))
    same = f"test \"$({_SEEN})\" = '{_as_seen(NEXT)}'"
    device.wait_until(same, "the unit has the old value")
    listed = project.reconix("secrets", "list", "--device", serial, *_to(device, project))
    assert {each.text("name"): each.flag("on_device") for each in listed.objects("secrets")} == {
        "mqtt-password": True,
        "banner": False,
    }


def _as_seen(value: bytes) -> str:
    """What the unit writes down: systemd lets its user in by an access list, hence the group's."""
    return f"mqtt-password 440\n{Digest.of(value).hex()}  mqtt-password"


def leaves_what_lacks_a_secret(device: Device, project: Project) -> None:
    """A trial without a secret that it needs ends at once, and says which one."""
    machine = project.folder / "hosts/box/machine.toml"
    machine.write_text(machine.read_text() + LACKING)
    project.reconix("build")
    with pytest.raises(CommandFailed) as failure:
        project.reconix("deploy", *_to(device, project))
    assert b"has no secret token, which air.service of" in failure.value.output
    device.wait_until("reconix-device status | grep -q '^last .*fell-back'", "it has not come back")
    verdict = device.status().object("last").object("verdict")
    told = (verdict.text("what"), verdict.text("said"))
    assert told == ("secret token is there", "air.service needs secret token"), told


def _to(device: Device, project: Project) -> tuple[str, ...]:
    """As the key that the update has brought."""
    return ssh_words(device, project.folder / "new")


def says_no_value(device: Device, project: Project, *places: Path) -> None:
    """Neither value is in a log, in what commands show, in an object or in a place."""
    for line in ("journalctl --no-pager", "reconix-device status --json", "cat /proc/cmdline"):
        said = device.ask(f"{line} | grep -c -e battery-7d1f -e c30b9e || true")
        assert said == "0", line
    shown = project.reconix("show", "box:default").values
    assert not _has_value(str(shown).encode())
    for place in (*built(project), *places):
        for path in (place, *place.rglob("*")):
            if path.is_file() and not path.is_symlink():
                assert not _has_value(path.read_bytes()), path


def built(project: Project) -> list[Path]:
    """All objects of the generation that its files describe."""
    generation = StorePath.parse(project.reconix("build").text("generation"))
    with ChrootStore(project.store) as store:
        return sorted(map(store.path, store.closure(generation)))


def is_on_data_alone(machine: Machine, disk: Path, raw: Path) -> None:
    """The whole disk of the device is read: the values are on its data partition, if anywhere."""
    machine.cut_power()
    run("qemu-img", "convert", "-O", "raw", disk, raw)
    with DiskFile(raw) as opened:
        data = read_selection(opened).tables.named("data")
    begin, end = data.first * SECTOR, (data.last + 1) * SECTOR
    with raw.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [at for value in (PASSWORD, NEXT) for at in _places(content, value)]
        assert found, "the disk does not have what the unit got"
        assert all(begin <= at < end for at in found), (found, begin, end)


def _places(content: mmap.mmap, value: bytes) -> Iterator[int]:
    at = content.find(value)
    while at >= 0:
        yield at
        at = content.find(value, at + 1)


def _has_value(content: bytes) -> bool:
    return PASSWORD in content or NEXT in content
