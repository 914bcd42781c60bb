"""The modules that a kernel needs to reach its disk, from the device tree of the board.

A kernel waits for the driver of a disk's controller, and that waits for all that the controller is
supplied with: clocks, regulators, pins, a regulator's GPIO. A driver that is a module and not in
the initrd is waited for in vain, and nothing says why. The device tree knows all of it:

    /soc/bus@2100000/mmc@219c000   compatible = "fsl,imx6q-usdhc"
        clocks, pinctrl-0, …                           ──► who provides them
        vmmc-supply ──► /regulator-3p3v  compatible = "regulator-fixed"
        cd-gpios    ──► /soc/…/gpio@20b4000            ──► gpio_mxc, a module
        … and everything that these are in, up to the root

Each node says by ``compatible`` what drives it, and ``modules.alias`` which module that is; nodes
that no module drives are driven by the kernel itself, or by nobody.

Source: Linux, ``drivers/of/property.c`` (``of_supplier_bindings``: what a device waits for) and
``drivers/of/device.c`` (``of_device_uevent_modalias``); Devicetree Specification 0.4.
Tested by ``tests/unit/build/boot/test_disk_modules.py``.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.boot.fdt import Node, Tree
from reconix.build.boot.linux import Modules
from reconix.build.boot.module_aliases import ModuleAliases

_WITH_CELLS = {
    "clocks": "#clock-cells",
    "dmas": "#dma-cells",
    "power-domains": "#power-domain-cells",
    "phys": "#phy-cells",
    "iommus": "#iommu-cells",
    "resets": "#reset-cells",
    "mboxes": "#mbox-cells",
    "pwms": "#pwm-cells",
    "interconnects": "#interconnect-cells",
    "interrupts-extended": "#interrupt-cells",
    "gpios": "#gpio-cells",
    "gpio": "#gpio-cells",
}
"""Lists of suppliers, each followed by so many numbers as the supplier says by itself."""
_GPIOS = re.compile(r".+-gpios?")
_ALONE = re.compile(
    r".+-supply|pinctrl-\d+|mmc-pwrseq|interrupt-parent|nvmem-cells|memory-region|usb-phy|fsl,usbphy"
)
"""Lists of suppliers and nothing else."""


class NoSuchNode(ReconixError):
    """The device tree has no such node."""

    exit_code = 61


def disk_modules(tree: Tree, name: str, modules: Path) -> tuple[str, ...]:
    """The modules of a kernel that drive a disk and all that it depends on, sorted.

    Args:
        tree: of the board.
        name: path or alias of the node of the disk's controller.
        modules: the folder of the kernel's modules, ``…/modules/<version>``.

    Raises:
        NoSuchNode: the tree has none of that name, or the board does not use it.
    """
    node = tree.find(name)
    if node is None or not node.is_used:
        known = " ".join(sorted(tree.root.children.get("aliases", Node("")).properties))
        said = "has no node" if node is None else "does not use"
        raise NoSuchNode(
            f"the device tree {said} {name!r}", hint=f"correct boot.disk; its aliases: {known}"
        )
    aliases, there = ModuleAliases.read(modules), Modules.read(modules).places
    called = (alias for each in needed_nodes(tree, node) for alias in _aliases(each))
    found = {name for alias in called for name in aliases.means(alias)}
    return tuple(sorted(found & there.keys()))


def needed_nodes(tree: Tree, node: Node) -> tuple[Node, ...]:
    """A node and all that it waits for, each once."""
    found: dict[str, Node] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.is_used and each.path not in found:
            found[each.path] = each
            waiting += [*each.ancestors(), *_suppliers(tree, each)]
    return tuple(found.values())


def _suppliers(tree: Tree, node: Node) -> Iterator[Node]:
    for name in node.properties:
        handles = node.cells(name)
        if _ALONE.fullmatch(name):
            yield from (tree.by_handle[each] for each in handles if each in tree.by_handle)
        elif name in _WITH_CELLS or _GPIOS.fullmatch(name):
            yield from _followed(tree, handles, _WITH_CELLS.get(name, "#gpio-cells"))


def _followed(tree: Tree, cells: tuple[int, ...], counted_by: str) -> Iterator[Node]:
    """The suppliers of a list in which each is followed by numbers."""
    at = 0
    while at < len(cells):
        supplier = tree.by_handle.get(cells[at])
        at += 1
        if supplier is not None:
            yield supplier
            at += sum(supplier.cells(counted_by)[:1])


def _aliases(node: Node) -> Iterator[str]:
    """How the kernel calls a device of this node when it looks for its driver."""
    compatible = node.texts("compatible")
    if not compatible:
        return
    plain = node.name.partition("@")[0]
    kind = "".join(node.texts("device_type")[:1]) or "(null)"
    yield f"of:N{plain}T{kind}" + "".join(f"C{each}" for each in compatible)
    for each in compatible:
        model = each.rpartition(",")[2]
        yield from (f"spi:{model}", f"i2c:{model}")
