from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.architecture import Architecture
from reconix.base.documents import print_json
from reconix.base.files import remove_tree
from reconix.config.load import load
from reconix.nix import roots
from reconix.nix.chroot import ChrootStore
from reconix.nix.collect import collect
from reconix.project.virtual_device import (
    AlreadyRunning,
    ImageChanged,
    NotInQemu,
    NotRunning,
    can_run,
    disk_over,
    hardware_of,
    image_of,
    keep_generation,
    occupied,
    ports,
)
from reconix.project.workplace import NotBuilt, Workplace
from reconix.store.tree import File
from reconix.vm.hardware import PC, VIRT_ARM64
from reconix.vm.qemu import DiskFormat


@pytest.fixture
def workplace(tmp_path: Path, need: Callable[..., None]) -> Workplace:
    """A workplace with an image."""
    need("qemu-img")
    found = Workplace(tmp_path, "gateway")
    found.vm.mkdir(parents=True)
    found.image.write_bytes(b"\0" * 4096)
    return found


def test_a_device_goes_on_with_the_disk_that_it_had(workplace: Workplace) -> None:
    first = disk_over(workplace.image, workplace)
    assert first.format is DiskFormat.QCOW2
    content = first.path.read_bytes()
    assert disk_over(workplace.image, workplace) == first
    assert first.path.read_bytes() == content


def test_a_disk_over_another_image_is_not_used(workplace: Workplace) -> None:
    disk_over(workplace.image, workplace)
    workplace.image.write_bytes(b"\1" * 8192)
    with pytest.raises(ImageChanged) as caught:
        disk_over(workplace.image, workplace)
    assert "--fresh" in caught.value.hint


def test_a_disk_that_was_left_half_made_is_not_used(workplace: Workplace) -> None:
    disk_over(workplace.image, workplace)
    (workplace.vm / "image").unlink()
    with pytest.raises(ImageChanged):
        disk_over(workplace.image, workplace)


def test_which_computer_a_device_is_follows_from_its_board_or_its_architecture(
    tmp_path: Path,
) -> None:
    systems = tmp_path / "hosts/box/systems"
    systems.mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (tmp_path / "hosts/box/machine.toml").write_text('board = "qemu-arm64-uefi"\n')
    (systems / "default.toml").touch()
    host = load(tmp_path).hosts["box"]
    assert host.board is not None and hardware_of(host) is VIRT_ARM64
    assert hardware_of(replace(host, board=None)) is VIRT_ARM64
    assert hardware_of(replace(host, board=None, architecture=Architecture.AMD64)) is PC
    with pytest.raises(NotInQemu, match="no board for armhf"):
        hardware_of(
            replace(
                host,
                board=None,
                architecture=Architecture.ARMHF,
                machine=replace(host.machine, board=None),
            )
        )
    elsewhere = replace(host, board=replace(host.board, qemu=None))
    assert can_run(host) and not can_run(elsewhere)
    with pytest.raises(NotInQemu, match="`reconix run` has no qemu-arm64-uefi"):
        hardware_of(elsewhere)


def test_without_an_image_the_next_step_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt) as caught:
        image_of(Workplace(tmp_path, "gateway"))
    assert caught.value.hint == "reconix image gateway"


def test_the_generation_of_a_device_stays_when_a_newer_image_is_made(
    workplace: Workplace, tmp_path: Path
) -> None:
    with ChrootStore(tmp_path / "s") as store:
        first, second = (store.add_files(File(text), "generation") for text in (b"1", b"2"))
        roots.link(store.state_dir, workplace.generation, first)
        workplace.vm.mkdir(exist_ok=True)
        keep_generation(workplace, tmp_path / "s")
        roots.link(store.state_dir, workplace.generation, second)
    with ChrootStore(tmp_path / "s") as store:
        assert collect(store).paths == ()
        remove_tree(workplace.vm)
        assert collect(store).paths == (first,)


def test_a_device_is_found_only_as_long_as_it_runs(workplace: Workplace) -> None:
    with pytest.raises(NotRunning):
        ports(workplace)
    with occupied(workplace) as announcement:
        assert ports(workplace) == {}, "it is starting"
        announcement.tell({22: 40123, 1883: 40124})
        assert ports(workplace) == {22: 40123, 1883: 40124}
    with pytest.raises(NotRunning):
        ports(workplace)


def test_a_device_whose_command_was_killed_does_not_run(workplace: Workplace) -> None:
    """What it wrote is still there, but its lock is gone."""
    workplace.running.write_bytes(print_json({"ports": {"22": 40123}}))
    with pytest.raises(NotRunning) as caught:
        ports(workplace)
    assert "reconix run gateway" in caught.value.hint


def test_a_device_runs_once(workplace: Workplace) -> None:
    with occupied(workplace), pytest.raises(AlreadyRunning), occupied(workplace):
        pass
    with occupied(workplace):
        pass
