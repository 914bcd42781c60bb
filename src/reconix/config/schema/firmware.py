"""Files that a board starts from before any system does: where they come from, where they go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from reconix.config.options import Form, Option
from reconix.config.schema.values import PackageName, SizeBytes

Sha256 = Annotated[str, Form("a SHA-256 of 64 digits 0-9a-f", r"[0-9a-f]{64}")]
MemberPath = Annotated[
    str,
    Form(
        "a file of a package such as usr/lib/u-boot/rpi_3/u-boot.bin",
        r"(?!.*(^|/)\.{0,2}(/|$))[\w.+,@~-]+(/[\w.+,@~-]+)*",
    ),
]
SlotPath = Annotated[
    str,
    Form(
        "a file of a boot partition such as overlays/x.dtbo",
        r"(?!reconix/|boot\.scr$)(?!.*(^|/)\.{0,2}(/|$))[\w.+-]+(/[\w.+-]+)*",
    ),
]
_FILE = Option(
    "File of the project, relative to the file that names it.",
    '"loader/flash.bin"',
    "when no package brings it",
)
_PACKAGE = Option(
    "Package that has it. It is locked like all others, and not installed.",
    '"u-boot-imx"',
    "when Debian has it",
)
_MEMBER = Option(
    "Which file of the package.", '"usr/lib/u-boot/mx6qsabrelite/u-boot-dtb.imx"', "always"
)
_PIN = Option(
    "What it must be: a file of the project is built only if this is its hash, and a file of a "
    "package only if this is left out or right.",
    '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "always for a file of the project; `sha256sum` prints it",
)
_OFFSET = Option(
    "Where on the disk it begins; the boot ROM of the board decides that.",
    '"1K"',
    "always",
)
_PATH = Option("What it is called in each slot.", '"start4.elf"', "always")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfProject:
    """A file of the project."""

    file: Annotated[Path, _FILE]
    sha256: Annotated[Sha256, _PIN]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPackage:
    """A file of a package."""

    package: Annotated[PackageName, _PACKAGE]
    member: Annotated[MemberPath, _MEMBER]
    sha256: Annotated[Sha256 | None, _PIN] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFileOfProject(OfProject):
    """A file of the project at a place of the disk."""

    offset: Annotated[SizeBytes, _OFFSET]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFileOfPackage(OfPackage):
    """A file of a package at a place of the disk."""

    offset: Annotated[SizeBytes, _OFFSET]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFileOfProject(OfProject):
    """A file of the project in each slot."""

    path: Annotated[SlotPath, _PATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFileOfPackage(OfPackage):
    """A file of a package in each slot."""

    path: Annotated[SlotPath, _PATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotText:
    """A short file in each slot, written here."""

    text: Annotated[
        str, Option("What is in it.", '"arm_64bit=1\\n"', "for settings of the firmware")
    ]
    path: Annotated[SlotPath, _PATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDeviceTree:
    """The device tree of the default system, once more in each slot."""

    device_tree: Annotated[
        SlotPath,
        Option(
            "What the firmware looks for it under.",
            '"bcm2711-rpi-4-b.dtb"',
            "when the firmware gives a device tree to U-Boot, and has none of its own",
        ),
    ]


DiskFile = DiskFileOfProject | DiskFileOfPackage
SlotFile = SlotFileOfProject | SlotFileOfPackage | SlotText | SlotDeviceTree
