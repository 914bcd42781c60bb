"""A device whose first contents are compressed starts, takes over, is updated and goes back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, UNSIGNED, Project
from tests.vm.test_hangs import Box

from reconix.store.paths import StorePath

PACKED = (MACHINE + KEEPS_HOST_KEY).replace("[disk]", "[disk]\ncompress = true")
NOTE = "a note of an update, and more than stands in an image\n" * 9
IN_POOL = "find /run/reconix/system/pool -type f | wc -l"
LOOPS = "cat /sys/block/loop*/loop/backing_file | grep -c /packs/"


def with_note(project: Project) -> StorePath:
    """A generation that has a file more."""
    machine = project.folder / "hosts/box/machine.toml"
    machine.write_text(f"{PACKED}[files.note]\ntext = {json.dumps(NOTE)}\n")
    return StorePath.parse(project.reconix("build").text("generation"))


@pytest.mark.vm
@pytest.mark.archive
def test_a_device_with_a_pack_starts_and_is_updated_and_goes_back(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    need(*PROGRAMS, "mkfs.erofs")
    project = Project.make(tmp_path / "project", PACKED, {"default": "", "other": ""}, UNSIGNED)
    project.reconix("lock")
    made = project.reconix("image")
    first = StorePath.parse(made.text("generation"))
    with booted(Path(made.text("image")), tmp_path / "device", [22]) as machine:
        device = Device(machine, project.login)
        device.wait_for("default", soft_reboots=0)
        assert device.ask(f"{IN_POOL}; {LOOPS}; ls -d /run/reconix/packs/*/ | wc -l").split() == [
            *("0", "1", "1")
        ]
        assert device.status().items("faults") == []
        device.ask("reconix-device verify")
        device.ask("! runuser -u nobody -- ls /run/reconix/packs/*/")
        device.switch("other")
        device.wait_for("other", soft_reboots=1)
        assert device.ask(f"{LOOPS}; ls /run/reconix/packs/*/ | wc -l; {IN_POOL}").split() == [
            *("1", device.ask("ls /run/reconix/packs/*/ | wc -l"), "0")
        ]
        device.switch("default")
        device.wait_for("default", soft_reboots=2)
        box = Box(project, first, machine, project.login)
        box.keep(with_note(project))
        device.wait_for("default", soft_reboots=0)
        assert device.ask("cat /etc/note") == NOTE.strip()
        assert 0 < int(device.ask(IN_POOL)) < 20
        device.ask("reconix-device verify && reconix-device collect")
        assert device.ask("ls /run/reconix/system/packs | wc -l") == "1"
        device.tell("reconix-device rollback")
        device.wait_until("! test -e /etc/note", "it does not go back", seconds=300)
        device.wait_for("default", soft_reboots=0)
        device.ask("reconix-device verify")
