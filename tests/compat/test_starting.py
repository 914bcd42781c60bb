"""What starts a system, out of packages: kernel, initrd and device tree, each made once."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.fdt_trees import print_tree, texts

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.build.boot.device_tree import FILE
from reconix.build.boot.disk_modules import NoSuchNode
from reconix.build.starting import Starting
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.machine import Boot
from reconix.nix.chroot import ChrootStore

VERSION = "6.12-arm64"
TREE = print_tree({"aliases": {"mmc0": texts("/mmc@1")}, "mmc@1": {"compatible": texts("a,mmc")}})
BUILT_IN = ("ext4", "overlay", "erofs", "loop", "efivarfs", "mmc_driver")
BOOT = Boot(device_tree="maker/board.dtb", disk="mmc0")


class Packages:
    """Made-up packages of a kernel and of busybox, and who was asked for them."""

    def __init__(self, folder: Path) -> None:
        modules = f"usr/lib/modules/{VERSION}"
        kernel = {
            f"boot/vmlinuz-{VERSION}": b"kernel",
            f"usr/lib/linux-image-{VERSION}/maker/board.dtb": TREE,
            f"{modules}/modules.builtin": "".join(f"k/{n}.ko\n" for n in BUILT_IN).encode(),
            f"{modules}/modules.order": b"",
        }
        self.kernel, self.busybox = (locked(f"linux-image-{VERSION}"), locked("busybox-static"))
        self.asked: list[str] = []
        self._files = {
            self.kernel: package(folder / "kernel", kernel),
            self.busybox: package(folder / "busybox", {"usr/bin/busybox": b"busybox"}),
        }

    def fetch(self, wanted: Iterable[LockedPackage]) -> Mapping[LockedPackage, Path]:
        chosen = [*wanted]
        self.asked += [each.name for each in chosen]
        return {each: self._files[each] for each in chosen}


def locked(name: str) -> LockedPackage:
    path, date = f"pool/main/a/{name}.deb", "20260912T075541Z"
    return LockedPackage(name, "1", "arm64", 1, Digest.of(name.encode()), "debian", path, date)


def package(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "DEBIAN").mkdir()
    said = "Package: k\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.org>\nDescription: k\n"
    (root / "DEBIAN/control").write_text(said)
    made = root.with_suffix(".deb")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, made)
    return made


@pytest.fixture
def packages(tmp_path: Path, need: Need) -> Packages:
    need("dpkg-deb", "depmod")
    return Packages(tmp_path)


@pytest.fixture
def starting(tmp_path: Path, packages: Packages) -> Iterator[Starting]:
    system = SystemLock((), (), "linux-image-arm64", (packages.kernel,))
    with ChrootStore(tmp_path / "store") as store:
        yield Starting(store, packages.fetch, system)


def test_all_three_come_out_of_packages_and_are_made_once(
    starting: Starting, packages: Packages
) -> None:
    store = starting.store

    def made() -> tuple[str, ...]:
        kernel, tree = starting.kernel(), starting.device_tree(BOOT)
        assert tree is not None
        modules = starting.modules(BOOT, tree, kernel)
        initrd = starting.initrd(modules, kernel, packages.busybox)
        assert (store.path(kernel.path) / "vmlinuz").read_bytes() == b"kernel"
        assert (store.path(tree) / FILE).read_bytes() == TREE
        assert b"070701" in (store.path(initrd) / "initrd").read_bytes()
        return (str(kernel.path), str(tree), str(initrd))

    first, asked = made(), len(packages.asked)
    assert made() == first
    assert len(packages.asked) == asked == 3


def test_an_overlay_makes_another_tree(tmp_path: Path, starting: Starting, need: Need) -> None:
    need("dtc")
    overlay = tmp_path / "more.dtso"
    overlay.write_text(
        '/dts-v1/;\n/plugin/;\n/ { fragment { target-path = "/"; __overlay__ { more { }; }; }; };\n'
    )
    other = Boot(device_tree=BOOT.device_tree, device_tree_overlays=(overlay,))
    assert starting.device_tree(other) != starting.device_tree(BOOT)


def test_a_machine_without_a_device_tree_has_none(starting: Starting) -> None:
    assert starting.device_tree(Boot()) is None
    assert starting.modules(Boot(), None, starting.kernel()) == ()


def test_what_a_disk_waits_for_is_searched_once(
    starting: Starting,
) -> None:
    kernel, tree = starting.kernel(), starting.device_tree(BOOT)
    modules = starting.modules(BOOT, tree, kernel)
    folder = kernel.modules / kernel.version
    folder.chmod(0o755)
    for index in ("modules.alias", "modules.dep"):
        (folder / index).unlink()
    assert starting.modules(BOOT, tree, kernel) == modules


def test_a_disk_that_the_board_does_not_have_ends_the_build(starting: Starting) -> None:
    boot = Boot(device_tree=BOOT.device_tree, disk="mmc4")
    with pytest.raises(NoSuchNode, match="mmc4"):
        starting.modules(boot, starting.device_tree(boot), starting.kernel())
