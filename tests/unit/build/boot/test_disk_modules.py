"""What a disk waits for, and which modules that means."""

from pathlib import Path

import pytest
from tests.fdt_trees import Nodes, cells, print_tree, texts

from reconix.build.boot.disk_modules import NoSuchNode, disk_modules, needed_nodes
from reconix.build.boot.fdt import Tree, parse_tree

BOARD: Nodes = {
    "aliases": {"mmc0": texts("/bus/mmc@10"), "mmc1": texts("/bus/mmc@11")},
    "bus": {
        "compatible": texts("a,bus"),
        "dmas": cells(2, 9),
        "mmc@10": {
            "compatible": texts("a,mmc6", "a,mmc"),
            "clocks": cells(1, 5, 99, 1, 6),
            "vmmc-supply": cells(3),
            "pinctrl-0": cells(4),
            "pinctrl-names": texts("default"),
            "reset-gpios": cells(7, 1, 2),
        },
        "mmc@11": {"status": texts("disabled")},
    },
    "clock": {"phandle": cells(1), "#clock-cells": cells(1), "compatible": texts("a,clock")},
    "dma": {"phandle": cells(2), "#dma-cells": cells(1), "compatible": texts("a,dma")},
    "power": {"phandle": cells(3), "compatible": texts("a,power"), "gpio": cells(7, 1, 0)},
    "pins": {"compatible": texts("a,pins"), "group": {"phandle": cells(4), "a": b""}},
    "off": {"phandle": cells(6), "status": texts("disabled")},
    "gpio": {"phandle": cells(7), "#gpio-cells": cells(2), "compatible": texts("a,gpio")},
    "unused": {"phandle": cells(9), "compatible": texts("a,unused")},
}
ALIASES = """\
# Aliases extracted from modules themselves.
alias of:N*T*Ca,mmc mmc_driver
alias of:N*T*Ca,mmcC* mmc_driver
alias of:N*T*Ca,powerC* power_driver
alias of:N*T*Ca,power power_driver
alias of:N*T*Ca,gpio gpio_driver
alias of:N*T*Ca,unused unused_driver
alias of:N*T*Ca,bus gone_driver
"""
NAMES = ("mmc_driver", "power_driver", "gpio_driver", "unused_driver")


@pytest.fixture
def tree() -> Tree:
    return parse_tree(print_tree(BOARD))


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    (tmp_path / "modules.alias").write_text(ALIASES)
    (tmp_path / "modules.dep").write_text("".join(f"kernel/{name}.ko:\n" for name in NAMES))
    (tmp_path / "modules.builtin").touch()
    return tmp_path


def test_suppliers_are_followed_and_what_they_are_in(tree: Tree) -> None:
    node = tree.find("mmc0")
    assert node is not None
    found = {each.path for each in needed_nodes(tree, node)}
    assert found == {
        *("/bus", "/bus/mmc@10", "/clock", "/dma", "/power", "/pins", "/pins/group", "/gpio")
    }


def test_modules_that_drive_any_of_them_are_found_and_no_others(tree: Tree, modules: Path) -> None:
    found = disk_modules(tree, "mmc0", modules)
    assert found == ("gpio_driver", "mmc_driver", "power_driver")


@pytest.mark.parametrize(("name", "said"), [("mmc7", "has no node"), ("mmc1", "does not use")])
def test_a_disk_that_the_board_does_not_have_is_told_with_the_aliases(
    tree: Tree, modules: Path, name: str, said: str
) -> None:
    with pytest.raises(NoSuchNode, match=said) as caught:
        disk_modules(tree, name, modules)
    assert "mmc0 mmc1" in caught.value.hint
