"""A kernel alone, and its modules without those that no device needs: found by modprobe."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kernel_trees import VERSION, make_kernel

from reconix.base.process import CommandFailed, run
from reconix.build.minify.minimal_linux import FullKernel
from reconix.build.minify.module_plan import WantedModules
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import read_reasons
from reconix.nix.chroot import ChrootStore

WANTED = WantedModules(("virtio:d00000001v1",), (("nft_*", "is asked for"),))


@pytest.fixture
def kernel(need: Callable[..., None], tmp_path: Path) -> Iterator[FullKernel]:
    need("depmod", "modprobe")
    with ChrootStore(tmp_path / "store") as store:
        path = store.add(make_kernel(tmp_path / "full"), f"linux-{VERSION}")
        yield FullKernel(store, path, VERSION)


def test_the_kernel_alone_does_not_depend_on_the_list(kernel: FullKernel) -> None:
    alone = kernel.store.path(kernel.alone())
    assert [each.name for each in alone.iterdir()] == ["vmlinuz"]
    assert kernel.alone().name == kernel.path.name


def test_modprobe_finds_what_stays_and_nothing_else(kernel: FullKernel, tmp_path: Path) -> None:
    made = kernel.store.path(kernel.with_only(WANTED))
    (tmp_path / "root/lib").mkdir(parents=True)
    (tmp_path / "root/lib/modules").symlink_to(made / "modules")
    ask = ("modprobe", "--dirname", tmp_path / "root", "--set-version", VERSION, "--show-depends")
    assert b"/kernel/a/net.ko" in run(*ask, "net")
    with pytest.raises(CommandFailed, match="sound"):
        run(*ask, "sound")
    names = {each.name for each in (made / "modules" / VERSION).iterdir()}
    assert "modules.dep.bin" in names
    assert not names & {"modules.dep", "modules.order", "modules.builtin.modinfo"}


def test_a_list_that_means_the_same_makes_no_new_modules(kernel: FullKernel) -> None:
    first = kernel.with_only(WANTED)
    assert kernel.with_only(replace(WANTED, devices=(*WANTED.devices, "pci:v1"))) == first
    assert kernel.with_only(replace(WANTED, names=())) != first


def test_what_the_modules_came_from_is_known_afterwards(kernel: FullKernel) -> None:
    origin = Origin.of(kernel.store, kernel.with_only(WANTED))
    assert origin is not None
    assert origin.root == kernel.path
    found = read_reasons(kernel.store.path(origin.reasons))
    assert f"usr/lib/modules/{VERSION}/kernel/c/sound.ko" in found.goes
    assert Origin.of(kernel.store, kernel.path) is None


@pytest.mark.parametrize(("size", "is_large"), [(40 << 20, False), (60 << 20, True)])
def test_a_kernel_for_all_hardware_is_large(
    need: Callable[..., None], tmp_path: Path, size: int, is_large: bool
) -> None:
    need("depmod")
    full = make_kernel(tmp_path / "full")
    module = full / "modules" / VERSION / "kernel/huge.ko.xz"
    module.touch()
    os.truncate(module, size)
    with ChrootStore(tmp_path / "store") as store:
        kernel = FullKernel(store, store.add(full, f"linux-{VERSION}"), VERSION)
        assert kernel.is_large is is_large
