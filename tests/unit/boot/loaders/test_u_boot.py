"""The slot that U-Boot starts: a script, variables for each system, and where things go."""

import struct
from dataclasses import replace

import pytest
from tests.arm64_kernels import kernel
from tests.arm_kernels import zimage
from tests.u_boot_disks import BASE, HASH, LOADER, SYSTEMS, spec, tree

from reconix.base.digests import Digest
from reconix.boot import fat
from reconix.boot.bootspec import BootSpec
from reconix.boot.fat import SlotTooSmall
from reconix.boot.loaders.arm_kernels import StartCommand, UnfitKernel
from reconix.boot.loaders.loader import BootSystem, NoSuchDefault
from reconix.boot.loaders.u_boot import SCRIPT, print_script
from reconix.boot.tree import BootTree

MIB = 1 << 20


def files(found: BootTree) -> dict[str, bytes]:
    return {file.path: b"".join(file.chunks()) for file in found.files}


def entry(content: bytes, made: BootSpec | None = None) -> str:
    """The variables of a system with this kernel."""
    system = BootSystem("default", made or spec("default", "linux"), (Digest(bytes(32)),))
    found = LOADER.boot_tree([system], default="default", content=lambda _: content)
    return files(found)["reconix/default.env"].decode()


def sized(size: int) -> bytes:
    """A kernel whose header says that it takes so much memory."""
    made = bytearray(kernel("x"))
    struct.pack_into("<Q", made, 16, size)
    return bytes(made)


def test_a_slot_has_the_script_variables_for_each_system_and_each_kernel_once() -> None:
    found = files(tree(2))
    names = [f"reconix/{HASH}-slot-2-{name}-vmlinuz" for name in SYSTEMS]
    entries = [f"reconix/{name}.env" for name in SYSTEMS]
    assert {*found} == {SCRIPT, f"reconix/{HASH}-initrd-initrd", *names, *entries}
    assert found["reconix/mqtt.env"].decode() == (
        f"reconix_kernel=reconix/{HASH}-slot-2-mqtt-vmlinuz\n"
        "reconix_kernel_at=41200000\n"
        f"reconix_initrd=reconix/{HASH}-initrd-initrd\n"
        "reconix_initrd_at=41400000\n"
        f"reconix_arguments=init=/nix/store/{HASH}-system-mqtt/init "
        f"reconix.images={'0' * 64} gpt\n"
    )


@pytest.mark.parametrize(
    ("size", "after"), [(1, 2 * MIB), (2 * MIB, 2 * MIB), (2 * MIB + 1, 4 * MIB)]
)
def test_an_initrd_lies_behind_all_that_its_kernel_takes(size: int, after: int) -> None:
    assert f"reconix_initrd_at={BASE + 2 * MIB + after:x}\n" in entry(sized(size))


def test_a_system_without_an_initrd_names_none() -> None:
    assert "initrd" not in entry(kernel("x"), replace(spec("default", "linux"), initrd=None))


@pytest.mark.parametrize(
    "content",
    [b"MZ" + bytes(510), sized(0)],
    ids=["of another architecture", "of no size"],
)
def test_a_kernel_that_cannot_be_started_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitKernel, match="vmlinuz"):
        entry(content)


WITH_TREE = replace(spec("default", "linux"), device_tree=f"/nix/store/{HASH}-device-tree/a.dtb")


def test_a_device_tree_is_in_the_slot_and_named_beside_the_kernel() -> None:
    contents = {WITH_TREE.device_tree: b"tree", WITH_TREE.kernel: kernel("x")}
    system = BootSystem("default", WITH_TREE, (Digest(bytes(32)),))
    found = files(
        LOADER.boot_tree([system], default="default", content=lambda path: contents.get(path, b""))
    )
    place = f"reconix/{HASH}-device-tree-a.dtb"
    assert found[place] == b"tree"
    assert f"reconix_device_tree={place}\n" in found["reconix/default.env"].decode()


def test_a_device_tree_that_would_reach_the_kernel_is_refused() -> None:
    with pytest.raises(UnfitKernel, match=r"a\.dtb has"):
        entry(sized(1).ljust(1 << 20, b"\0"), WITH_TREE)


def test_a_kernel_for_32_bit_arm_is_started_by_its_own_command() -> None:
    loader = replace(LOADER, command=StartCommand.BOOTZ, base=0x12000000)
    system = BootSystem("default", spec("default", "linux"), (Digest(bytes(32)),))
    content = zimage(unpacked=20 * MIB).ljust(5 * MIB, b"\0")
    found = files(loader.boot_tree([system], default="default", content=lambda _: content))
    assert b"bootz" in found[SCRIPT] and b"booti" not in found[SCRIPT]
    assert found[SCRIPT][29] == 2, "32-bit Arm, as mkimage says it"
    assert "reconix_initrd_at=12800000\n" in found["reconix/default.env"].decode()


@pytest.mark.parametrize("word", ['a="b"', "a\\b", "${bootcmd}", "a;reset", "a'b", "ü", "a&b"])
def test_arguments_that_u_boot_would_take_for_its_own_are_refused(word: str) -> None:
    with pytest.raises(UnfitKernel, match="command line"):
        entry(kernel("x"), spec("default", "linux", ("gpt", word)))


def test_arguments_have_room_for_what_the_script_adds() -> None:
    with pytest.raises(UnfitKernel, match=r"20[0-9][0-9] bytes, and takes 2047"):
        entry(kernel("x"), spec("default", "linux", ("x" * 1850,)))


def test_a_default_that_is_no_system_is_refused() -> None:
    with pytest.raises(NoSuchDefault):
        LOADER.boot_tree([], default="default", content=str.encode)


def test_a_slot_that_is_too_small_for_a_kernel_is_told() -> None:
    system = BootSystem("default", spec("default", "linux"), (Digest(bytes(32)),))
    content = kernel("x").ljust(20 * MIB, b"\0")
    found = LOADER.boot_tree([system], default="default", content=lambda _: content)
    with pytest.raises(SlotTooSmall):
        fat.image(found, 36 * MIB)


def test_the_script_names_its_default_system_and_no_place_is_left_open() -> None:
    script = files(tree(1))[SCRIPT]
    assert b"reconix/default.env" in script and b"@" not in script[72:]
    assert print_script(script[72:]) == script
    assert script[8:12] == bytes(4), "time 0"
