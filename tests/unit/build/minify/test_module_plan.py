"""Of the modules stay those for the devices and names, each with its reason."""

from pathlib import Path

import pytest
from tests.kernel_trees import VERSION, make_modules

from reconix.build.minify import module_plan
from reconix.build.minify.module_plan import WantedModules
from reconix.build.minify.reasons import Reasons

TOP = f"usr/lib/modules/{VERSION}"
WANTED = WantedModules(("virtio:d00000001v1",), (("nft_*", "is asked for"), ("fs-vfat", "typed")))


@pytest.fixture
def plan(tmp_path: Path) -> Reasons:
    folder = make_modules(tmp_path)
    (folder / VERSION / "modules.dep.bin").touch()
    return module_plan.make_plan(folder, VERSION, WANTED)


def test_those_of_the_devices_and_those_loaded_by_name_stay(plan: Reasons) -> None:
    stays = {path.rpartition("/")[2] for path in plan.stays if path.endswith(".ko")}
    assert stays == {"net.ko", "core.ko", "crc.ko", "dma.ko", "nft_nat.ko", "vfat.ko"}
    assert plan.stays[f"{TOP}/kernel/a/net.ko"].how == "is of the device virtio:d00000001v1"
    assert plan.stays[f"{TOP}/kernel/b/core.ko"].by == f"{TOP}/kernel/a/net.ko"


def test_what_goes_has_a_reason_and_each_path_an_answer(plan: Reasons, tmp_path: Path) -> None:
    assert plan.goes[f"{TOP}/kernel/c/sound.ko"].how.startswith("no device of the list needs it")
    assert "reads it" in plan.goes[f"{TOP}/modules.order"].how
    assert f"{TOP}/modules.dep.bin" in plan.stays
    all_ = {f"usr/lib/modules/{each.relative_to(tmp_path)}" for each in tmp_path.rglob("*")}
    assert all_ <= plan.stays.keys() | plan.goes.keys()


def test_without_a_list_nothing_can_go() -> None:
    assert not WantedModules(names=(("ext4", "x"),))


def test_names_that_mean_nothing_are_told(tmp_path: Path) -> None:
    names = ["net", "ext4", "none"]
    assert [*module_plan.not_there(names, make_modules(tmp_path), VERSION)] == ["none"]
