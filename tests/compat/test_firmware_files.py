"""Files that a board starts from, out of packages and projects, each what it was pinned to be."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.arm64_kernels import kernel
from tests.conftest import Need
from tests.u_boot_disks import HASH, LOADER, spec

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot.loaders.loader import BootSystem
from reconix.boot.tree import BadBootTree
from reconix.build.boot.firmware_files import (
    BadFirmwareFile,
    PlacedFile,
    WithSlotFiles,
    in_slots,
    on_disk,
)
from reconix.config.schema.firmware import (
    DiskFileOfPackage,
    DiskFileOfProject,
    SlotFileOfPackage,
    SlotFileOfProject,
    SlotText,
)
from reconix.config.schema.machine import Boot

MEMBER = "usr/lib/u-boot/board/u-boot.bin"
LOADED = b"the loader"
SHA256 = hashlib.sha256(LOADED).hexdigest()
OTHER = "0" * 64


@pytest.fixture
def packages(tmp_path: Path, need: Need) -> dict[str, Path]:
    need("dpkg-deb")
    root = tmp_path / "root"
    (root / MEMBER).parent.mkdir(parents=True)
    (root / MEMBER).write_bytes(LOADED)
    (root / "DEBIAN").mkdir()
    said = "Package: u\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.org>\nDescription: u\n"
    (root / "DEBIAN/control").write_text(said)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, tmp_path / "u.deb")
    return {"u": tmp_path / "u.deb"}


def of_package(member: str = MEMBER, sha256: str | None = None) -> DiskFileOfPackage:
    return DiskFileOfPackage(package="u", member=member, offset=1024, sha256=sha256)


def test_loaders_come_from_packages_and_the_project_sorted_by_place(
    tmp_path: Path, packages: dict[str, Path]
) -> None:
    file = tmp_path / "flash.bin"
    file.write_bytes(LOADED)
    own = DiskFileOfProject(file=file, sha256=SHA256, offset=512)
    assert on_disk([of_package(sha256=SHA256), own], packages) == (
        PlacedFile("flash.bin", 512, LOADED),
        PlacedFile(MEMBER, 1024, LOADED),
    )
    boot = Boot(firmware_files=(of_package(), own), slot_files=(SlotText(text="", path="a"),))
    assert boot.firmware_packages == ("u",)


@pytest.mark.parametrize("is_own", [False, True], ids=["of a package", "of the project"])
def test_another_content_than_was_pinned_is_refused_with_both_hashes(
    tmp_path: Path, packages: dict[str, Path], is_own: bool
) -> None:
    file = tmp_path / "u-boot.bin"
    file.write_bytes(LOADED)
    own = DiskFileOfProject(file=file, sha256=OTHER, offset=512)
    with pytest.raises(BadFirmwareFile, match=f"{OTHER}, found sha256:{SHA256}"):
        on_disk([own if is_own else of_package(sha256=OTHER)], packages)


def test_a_file_that_the_package_does_not_have_is_told(packages: dict[str, Path]) -> None:
    with pytest.raises(BadFirmwareFile, match=r"u\.deb has no file usr/lib/x"):
        on_disk([of_package("usr/lib/x")], packages)


def test_files_of_slots_stand_beside_those_of_the_loader(
    tmp_path: Path, packages: dict[str, Path]
) -> None:
    file = tmp_path / "fixup.dat"
    file.write_bytes(LOADED)
    wanted = (
        SlotText(text="arm_64bit=1\n", path="config.txt"),
        SlotFileOfPackage(package="u", member=MEMBER, path="u-boot.bin"),
        SlotFileOfProject(file=file, sha256=SHA256, path="firmware/fixup.dat"),
    )
    tree = with_files(in_slots(wanted, packages))
    assert {"boot.scr", "config.txt", "u-boot.bin", "firmware/fixup.dat"} < {*tree}
    assert tree["u-boot.bin"] == LOADED and tree["config.txt"] == b"arm_64bit=1\n"


def test_a_file_of_a_slot_takes_no_place_of_the_loader() -> None:
    with pytest.raises(BadBootTree, match=r"BOOT\.SCR"):
        with_files({"BOOT.SCR": b""})


def test_the_device_tree_of_the_default_system_can_stand_where_firmware_looks() -> None:
    files = with_files({}, device_trees=("board.dtb",))
    assert files["board.dtb"] == b"of the board"


def with_files(files: dict[str, bytes], device_trees: tuple[str, ...] = ()) -> dict[str, bytes]:
    """A slot with files of the board."""
    tree_path = f"/nix/store/{HASH}-device-tree/a.dtb"
    made = replace(spec("default", "linux"), device_tree=tree_path)
    system = BootSystem("default", made, (Digest(bytes(32)),))
    contents = {f"/nix/store/{HASH}-linux/vmlinuz": kernel("x"), tree_path: b"of the board"}
    tree = WithSlotFiles(LOADER, files, device_trees).boot_tree(
        [system], default="default", content=lambda path: contents.get(path, b"")
    )
    return {file.path: b"".join(file.chunks()) for file in tree.files}
