"""A small hand-made kernel: modules that depmod indexes, and what it cannot see in them."""

from pathlib import Path

from tests.device_trees import write

from reconix.build.boot import linux

VERSION = "6.12.1-test"
_INDEX = {
    "modules.dep": "kernel/a/net.ko: kernel/b/core.ko\nkernel/b/core.ko:\nkernel/c/sound.ko:\n"
    "kernel/c/nft_nat.ko:\nkernel/c/crc.ko:\nkernel/c/dma.ko:\nkernel/c/vfat.ko:\n",
    "modules.alias": "# by depmod\nalias virtio:d00000001v* net\nalias acpi*:SND1:* sound\n"
    "alias fs-vfat vfat\nalias crypto-crc32c crc\n",
    "modules.softdep": "# by depmod\nsoftdep core pre: crypto-crc32c\n",
    "modules.weakdep": "weakdep core dma\n",
    "modules.builtin": "kernel/fs/ext4.ko\n",
    "modules.builtin.modinfo": "",
    "modules.order": "kernel/a/net.ko\nkernel/c/sound.ko\n",
}


def make_modules(folder: Path) -> Path:
    """A folder of modules of one version, with index files; no program is needed."""
    names = [line.partition(":")[0] for line in _INDEX["modules.dep"].splitlines()]
    written = {**{name: name for name in names}, **_INDEX}
    write(folder, {f"{VERSION}/{name}": content for name, content in written.items()})
    return folder


def make_kernel(folder: Path) -> Path:
    """A full object of a kernel; depmod has written what others read."""
    make_modules(folder / "modules")
    (folder / "vmlinuz").write_bytes(b"kernel")
    linux.index(folder, VERSION)
    for name in ("modules.dep", "modules.alias", "modules.softdep", "modules.weakdep"):
        (folder / "modules" / VERSION / name).write_text(_INDEX[name])
    return folder
