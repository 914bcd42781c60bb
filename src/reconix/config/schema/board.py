"""A board: what its file says about it, beside the defaults that it brings."""

import enum
from dataclasses import dataclass
from typing import Annotated

from reconix.config.options import Form, Option

Title = Annotated[str, Form("a line of text", r"[^\n]{1,80}")]
QemuName = Annotated[str, Form("a computer of QEMU such as virt-arm64", r"[a-z0-9-]{1,40}")]


class Evidence(enum.Enum):
    """How well we know that a board works."""

    BOOTED = "booted in CI"
    DESCRIBED = "described from documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a board is."""

    title: Annotated[
        Title, Option("What it is called.", '"PC, x86-64, UEFI"', "to tell it from others")
    ]
    evidence: Annotated[
        Evidence,
        Option(
            "Whether tests boot it each time, or it was written after documents of the hardware.",
            '"booted in CI"',
            "when a test boots it",
        ),
    ]
    qemu: Annotated[
        QemuName | None,
        Option(
            "The computer of QEMU that has the same hardware; none: it cannot be run virtually.",
            '"virt-arm64"',
            "when QEMU has it",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFile:
    """The file of a board: all that may be in it and not in `machine.toml`."""

    about: About
