"""Kernel objects: taken out of a package by dpkg-deb, indexed by depmod."""

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.base.process import CommandFailed, run
from reconix.build.boot.initrd import make_initrd
from reconix.build.boot.linux import Modules, NoKernel, NoSuchModule, unpack_kernel, write_plain
from reconix.build.cached_recipes import linux_version
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage

Need = Callable[..., None]
VERSION = "6.12.1-test"
CONTROL = (
    "Package: linux-image-test\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
)


@pytest.fixture
def package(need: Need, tmp_path: Path) -> Path:
    need("dpkg-deb", "depmod", "modprobe")
    tree = tmp_path / "tree"
    place = tree / f"usr/lib/modules/{VERSION}/kernel"
    place.mkdir(parents=True)
    (tree / "boot").mkdir()
    (tree / f"boot/vmlinuz-{VERSION}").write_bytes(b"kernel")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(CONTROL)
    (place.parent / "modules.builtin").write_text("kernel/fs/ext4.ko\n")
    (place.parent / "modules.order").write_text("")
    (place / "plain.ko.xz").write_bytes(lzma.compress(b"no object at all"))
    out = tmp_path / "linux-image-test.deb"
    run("dpkg-deb", "--build", "--root-owner-group", tree, out)
    return out


def test_a_kernel_and_its_modules_are_taken_out_and_indexed(package: Path, tmp_path: Path) -> None:
    assert unpack_kernel([package], tmp_path / "linux") == VERSION
    assert (tmp_path / "linux/vmlinuz").read_bytes() == b"kernel"
    folder = tmp_path / "linux/modules" / VERSION
    assert (folder / "modules.dep.bin").exists()
    assert not (tmp_path / "linux/depmod").exists()
    modules = Modules.read(folder)
    assert modules.in_load_order(["plain"]) == ["plain"]
    assert modules.in_load_order(["ext4"]) == []
    assert modules.content("plain") == b"no object at all"


def test_a_plain_kernel_has_its_modules_unpacked_and_modprobe_finds_them(
    package: Path, tmp_path: Path
) -> None:
    unpack_kernel([package], tmp_path / "linux")
    write_plain(tmp_path / "linux", VERSION, tmp_path / "plain")
    folder = tmp_path / "plain/modules" / VERSION
    assert (folder / "kernel/plain.ko").read_bytes() == b"no object at all"
    assert not list(folder.rglob("*.xz"))
    assert Modules.read(folder).places == {"plain": "kernel/plain.ko"}
    assert (tmp_path / "plain/vmlinuz").read_bytes() == b"kernel"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/modules").symlink_to(tmp_path / "plain/modules")
    asked = ("--dirname", tmp_path, "--set-version", VERSION, "--show-depends", "plain")
    assert run("modprobe", *asked).decode().split()[1].endswith("/kernel/plain.ko")


@pytest.mark.parametrize(
    ("kernel", "modules"),
    [
        (f"usr/lib/modules/{VERSION}/vmlinuz", f"usr/lib/modules/{VERSION}"),
        (f"boot/vmlinuz-{VERSION}", f"lib/modules/{VERSION}"),
    ],
)
def test_newer_kernels_of_debian_and_kernels_of_ones_own_are_taken_out_too(
    need: Need, tmp_path: Path, kernel: str, modules: str
) -> None:
    need("dpkg-deb", "depmod")
    files = {
        kernel: b"kernel",
        f"{modules}/kernel/plain.ko": b"",
        f"{modules}/modules.builtin": b"",
    }
    packages = []
    for number, (name, content) in enumerate(files.items()):
        tree = tmp_path / f"tree-{number}"
        for path, data in {name: content, "DEBIAN/control": CONTROL.encode()}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        packages.append(tmp_path / f"{number}.deb")
        run("dpkg-deb", "--build", "--root-owner-group", tree, packages[-1])
    assert unpack_kernel(packages, tmp_path / "linux") == VERSION
    assert (tmp_path / "linux/vmlinuz").read_bytes() == b"kernel"
    folder = tmp_path / "linux/modules" / VERSION
    assert Modules.read(folder).in_load_order(["plain"]) == ["plain"]
    assert not (folder / "vmlinuz").exists()


@pytest.mark.parametrize("names", [("image",), ("binary", "image", "modules")])
def test_the_version_of_a_kernel_is_in_the_names_of_its_packages(names: tuple[str, ...]) -> None:
    kernel = tuple(
        LockedPackage(
            *(f"linux-{name}-{VERSION}", "6.12.1-1", "amd64", 1, Digest.of(b"")),
            *("debian", "pool/linux.deb", "20260912T075541Z"),
        )
        for name in names
    )
    assert linux_version(SystemLock((), (), "linux-image-amd64", kernel)) == VERSION


def test_a_package_without_a_kernel_is_refused_by_name(need: Need, tmp_path: Path) -> None:
    need("dpkg-deb")
    (tmp_path / "tree/DEBIAN").mkdir(parents=True)
    (tmp_path / "tree/DEBIAN/control").write_text(CONTROL)
    run("dpkg-deb", "--build", tmp_path / "tree", tmp_path / "empty.deb")
    with pytest.raises(NoKernel, match=r"empty\.deb"):
        unpack_kernel([tmp_path / "empty.deb"], tmp_path / "linux")


def test_an_unknown_module_is_an_error_that_names_it(package: Path, tmp_path: Path) -> None:
    unpack_kernel([package], tmp_path / "linux")
    modules = Modules.read(tmp_path / "linux/modules" / VERSION)
    with pytest.raises(NoSuchModule, match="'virtio_blk'"):
        modules.in_load_order(["virtio-blk"])


def test_modules_are_loaded_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "modules.builtin").write_text("")
    (tmp_path / "modules.dep").write_text(
        "a/virtio_blk.ko.xz: b/virtio-ring.ko.xz b/virtio_core.ko\n"
        "b/virtio-ring.ko.xz: b/virtio_core.ko\n"
        "b/virtio_core.ko:\n"
    )
    modules = Modules.read(tmp_path)
    assert modules.in_load_order(["virtio_blk"]) == ["virtio_core", "virtio_ring", "virtio_blk"]


CLOUD = (
    "kernel/fs/overlayfs/overlay.ko:\n"
    "kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko\n"
    "kernel/lib/libcrc32c.ko:\n"
    "kernel/drivers/block/loop.ko:\n"
    "kernel/fs/efivarfs/efivarfs.ko:\n"
)
"""As in Debian's ``linux-image-cloud-amd64`` and ``-arm64``, 6.12, which have ext4 built in."""
GENERIC = (
    f"{CLOUD}kernel/crypto/crc32c_generic.ko:\n"
    "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko\n"
    "kernel/fs/jbd2/jbd2.ko:\n"
)
"""As in ``linux-image-amd64``."""


@pytest.mark.parametrize("listed", [CLOUD, GENERIC], ids=["built in", "a module"])
def test_an_initrd_loads_what_mounts_disk_and_images_and_its_checksum_first(
    tmp_path: Path, listed: str
) -> None:
    builtin = "" if listed == GENERIC else "kernel/fs/ext4/ext4.ko\n"
    (tmp_path / "modules.builtin").write_text(builtin)
    (tmp_path / "modules.dep").write_text(listed)
    for line in listed.splitlines():
        place = tmp_path / line.partition(":")[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"module")
    archive = make_initrd(b"busybox", Modules.read(tmp_path), []).decode("latin-1")
    first = "crc32c_generic\njbd2\next4\n" if listed == GENERIC else ""
    assert f"{first}overlay\nlibcrc32c\nerofs\nloop\nefivarfs\n" in archive
    assert archive.count("module\0") == len(listed.splitlines())


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_a_package_that_is_cut_is_told(package: Path, tmp_path: Path, keep: int) -> None:
    package.write_bytes(package.read_bytes()[: len(package.read_bytes()) * keep // 100])
    with pytest.raises((NoKernel, CommandFailed)):
        unpack_kernel([package], tmp_path / "linux")


@pytest.mark.parametrize("content", [b"no archive", lzma.compress(b"x" * 1000)[:40], b""])
def test_a_module_that_is_damaged_is_told(package: Path, tmp_path: Path, content: bytes) -> None:
    unpack_kernel([package], tmp_path / "linux")
    folder = tmp_path / "linux/modules" / VERSION
    (folder / "kernel/plain.ko.xz").write_bytes(content)
    with pytest.raises(NoSuchModule, match=r"plain\.ko\.xz is"):
        Modules.read(folder).content("plain")


def test_an_initrd_has_modules_as_busybox_unpacks_them(tmp_path: Path) -> None:
    (tmp_path / "modules.builtin").write_text(
        "".join(f"k/{name}.ko\n" for name in ("ext4", "overlay", "erofs", "loop", "efivarfs"))
    )
    (tmp_path / "modules.dep").write_text("a.ko.xz:\nb.ko.xz:\nc.ko:\n")
    packed = lzma.compress(b"module a", check=lzma.CHECK_CRC32)
    (tmp_path / "a.ko.xz").write_bytes(packed)
    (tmp_path / "b.ko.xz").write_bytes(lzma.compress(b"module b", check=lzma.CHECK_CRC64))
    (tmp_path / "c.ko").write_bytes(b"module c")
    archive = make_initrd(b"busybox", Modules.read(tmp_path), ["a", "b", "c"])
    assert packed in archive
    assert b"modules/a.ko.xz\0" in archive
    assert b"module b" in archive, "a sum that neither the kernel nor busybox can check"
    assert b"module c" in archive
