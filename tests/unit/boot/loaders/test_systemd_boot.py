from dataclasses import replace

import pytest

from reconix.base.digests import Digest
from reconix.boot.bootspec import BadBootSpec, BootSpec
from reconix.boot.loaders.loader import (
    MAX_COMMAND_LINE_BYTES,
    BootSystem,
    NoSuchDefault,
    slot_path,
)
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot, entry_name, system_of_entry
from reconix.store.generation import Integrity

HASH = "0123456789abcdfghijklmnpqrsvwxyz"
STORE = f"/nix/store/{HASH}"
SPEC = BootSpec(
    name="default",
    system="x86_64-linux",
    label="default (Linux 6.12.1)",
    kernel=f"{STORE}-linux-6.12.1/vmlinuz",
    kernel_parameters=("gpt", "panic=10"),
    initrd=f"{STORE}-initrd/initrd",
    toplevel=f"{STORE}-system-default",
    init=f"{STORE}-system-default/init",
)
MQTT = replace(SPEC, label="mqtt", init=f"{STORE}-system-mqtt/init", initrd=None)
IMAGES = (Digest(bytes(32)), Digest(b"\xff" * 32))
WORD = f"reconix.images={'0' * 64},{'f' * 64}"
LOADER = SystemdBoot(Program.AMD64, b"MZ")


def files(*systems: BootSystem, default: str = "default") -> dict[str, bytes]:
    tree = LOADER.boot_tree(systems, default=default, content=str.encode)
    return {file.path: b"".join(file.chunks()) for file in tree.files}


def test_a_slot_has_a_loader_an_entry_for_each_system_and_each_kernel_once() -> None:
    found = files(BootSystem("default", SPEC, IMAGES), BootSystem("mqtt", MQTT, IMAGES))
    assert found == {
        "EFI/BOOT/BOOTX64.EFI": b"MZ",
        "loader/loader.conf": b"default default.conf\ntimeout 0\neditor no\nconsole-mode keep\n"
        b"auto-entries no\nauto-firmware no\n",
        "loader/entries/default.conf": (
            "title default (Linux 6.12.1)\n"
            f"linux /reconix/{HASH}-linux-6.12.1-vmlinuz\n"
            f"initrd /reconix/{HASH}-initrd-initrd\n"
            f"options init={STORE}-system-default/init {WORD} gpt panic=10\n"
        ).encode(),
        "loader/entries/mqtt.conf": (
            "title mqtt\n"
            f"linux /reconix/{HASH}-linux-6.12.1-vmlinuz\n"
            f"options init={STORE}-system-mqtt/init {WORD} gpt panic=10\n"
        ).encode(),
        f"reconix/{HASH}-linux-6.12.1-vmlinuz": SPEC.kernel.encode(),
        f"reconix/{HASH}-initrd-initrd": f"{STORE}-initrd/initrd".encode(),
    }


def test_a_device_tree_is_in_the_slot_and_named_by_the_entry() -> None:
    with_tree = replace(SPEC, device_tree=f"{STORE}-device-tree/device-tree.dtb")
    found = files(BootSystem("default", with_tree, IMAGES))
    place = f"reconix/{HASH}-device-tree-device-tree.dtb"
    assert f"\ndevicetree /{place}\n".encode() in found["loader/entries/default.conf"]
    assert place in found


def test_a_kernel_that_shall_compare_is_told_behind_the_images() -> None:
    told = BootSystem("default", SPEC, IMAGES, Integrity.VERITY).command_line
    assert told == f"init={STORE}-system-default/init {WORD} reconix.verity gpt panic=10"


def test_another_default_changes_one_line() -> None:
    systems = (BootSystem("default", SPEC, IMAGES), BootSystem("mqtt", MQTT, IMAGES))
    assert files(*systems, default="mqtt")["loader/loader.conf"].startswith(b"default mqtt.conf\n")


def test_a_default_that_is_no_system_is_refused() -> None:
    with pytest.raises(NoSuchDefault, match="'web'") as caught:
        files(BootSystem("default", SPEC, IMAGES), default="web")
    assert caught.value.hint == "there are: default"


def test_a_command_line_is_as_long_as_a_kernel_takes_and_no_longer() -> None:
    usual = len(BootSystem("a", SPEC, IMAGES).command_line)
    most = (*SPEC.kernel_parameters, "x" * (MAX_COMMAND_LINE_BYTES - usual - 1))
    assert len(BootSystem("a", replace(SPEC, kernel_parameters=most), IMAGES).command_line) == 2047
    with pytest.raises(BadBootSpec, match=r"'a' .* 2049 bytes, and takes 2047"):
        BootSystem("a", replace(SPEC, kernel_parameters=(*most, "y")), IMAGES)


def test_arm64_has_a_loader_of_its_own() -> None:
    loader = SystemdBoot(Program.ARM64, b"MZ")
    tree = loader.boot_tree([BootSystem("a", SPEC, IMAGES)], default="a", content=str.encode)
    assert tree.files[0].path == "EFI/BOOT/BOOTAA64.EFI"


def test_a_store_path_with_a_question_mark_gets_a_name_that_fat_allows() -> None:
    assert slot_path(f"{STORE}-linux?x/bzImage") == f"reconix/{HASH}-linux_x-bzImage"


def test_the_name_of_an_entry_is_that_of_its_system() -> None:
    assert system_of_entry(entry_name("web.conf")) == "web.conf"
