"""Device trees: what hardware a board has, for kernels that cannot ask it.

The package of a kernel has one for each board that the kernel knows, 55 MB of them for 64-bit Arm.
A machine names one, ``boot.device_tree``; only that is taken, and the overlays of the project are
applied when it is built: what a device gets is whole, and its loader has nothing to put together.

    <hash>-device-tree/device-tree.dtb

An overlay is compiled (``.dtbo``) or text (``.dts``, ``.dtso``). Labels of the board can be used
where the kernel's package kept them; with ``target-path`` an overlay fits any tree.

Source: Devicetree Specification 0.4, section 5; fdtoverlay(1), dtc(1); ``make dtbs_install``.
Tested by ``tests/compat/test_device_tree.py`` with dtc.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed
from reconix.build.boot.package_files import first_file

FILE = "device-tree.dtb"
PROGRAMS = ("fdtoverlay", "dtc")
"""What overlays need."""

MAX_BYTES = 512 << 10
_MAGIC = b"\xd0\x0d\xfe\xed"
_IN_PACKAGE = re.compile(r"\./(?:usr/)?lib/linux-image-[^/]+/(.+\.dtb)")
_NEAR = 3


class BadDeviceTree(ReconixError):
    """The device tree of a board cannot be made."""

    exit_code = 61


def make_device_tree(
    packages: Sequence[Path], name: str, overlays: Sequence[Path], into: Path
) -> None:
    """Write the device tree of a board into a new folder.

    Args:
        packages: of the kernel.
        name: as they have it, such as ``broadcom/bcm2711-rpi-4-b.dtb``.
        overlays: in the order in which they are applied.
        into: a folder that does not exist yet.

    Raises:
        BadDeviceTree: no package has it, it is none, or an overlay does not fit.
    """
    into.mkdir()
    tree = into / FILE
    tree.write_bytes(_expect_tree(_taken_out(packages, name), name))
    for overlay in overlays:
        _apply(tree, overlay)
    if overlays:
        _expect_tree(read_bounded(tree, MAX_BYTES), name)


def _taken_out(packages: Sequence[Path], name: str) -> bytes:
    seen: list[str] = []
    for package in packages:
        content = _member(package, name, seen)
        if content is not None:
            return content
    names = ", ".join(package.name for package in packages)
    raise BadDeviceTree(
        f"{names}: no device tree {name}{_near(name, seen)}",
        hint="correct boot.device_tree in machine.toml, or kernel.package",
    )


def _near(name: str, seen: Sequence[str]) -> str:
    """What may have been meant: the same board in another folder, or a similar name."""
    same = [each for each in seen if each.rpartition("/")[2] == name.rpartition("/")[2]]
    near = same or difflib.get_close_matches(name, seen, _NEAR)
    if not seen:
        return " (it has none at all)"
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _member(package: Path, name: str, seen: list[str]) -> bytes | None:
    def is_wanted(path: str) -> bool:
        match = _IN_PACKAGE.fullmatch(path)
        if match:
            seen.append(match[1])
        return match is not None and match[1] == name

    return first_file(package, is_wanted, MAX_BYTES)


def _expect_tree(content: bytes, name: str) -> bytes:
    if content[:4] != _MAGIC or int.from_bytes(content[4:8]) != len(content):
        raise BadDeviceTree(f"{name} is no device tree, or has more than {MAX_BYTES} bytes")
    return content


def _apply(tree: Path, overlay: Path) -> None:
    try:
        compiled = _compiled(overlay, tree.parent)
        made = tree.with_suffix(".new")
        process.run("fdtoverlay", "--input", tree, "--output", made, compiled)
    except CommandFailed as error:
        raise BadDeviceTree(
            f"the overlay {overlay.name} does not fit {tree.name}: {error}",
            hint="is it for this board? Without labels, name nodes by target-path",
        ) from error
    made.rename(tree)
    if compiled != overlay:
        compiled.unlink()


def _compiled(overlay: Path, work: Path) -> Path:
    if overlay.suffix == ".dtbo":
        return overlay
    compiled = work / "overlay.dtbo"
    process.run("dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", compiled, overlay)
    return compiled
