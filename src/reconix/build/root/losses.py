"""What a root lacks although its packages have it: reported at every build.

Some files are taken out because no two builds or devices may share them (``residue.py``), pipes
cannot be stored, and a few units never start. Nobody should have to find out on the device, so a
root has a list beside its folders, and every build prints it.

    losses    <path> TAB <what is lost> a line, sorted

Tested by ``tests/unit/build/root/test_losses.py``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.units.unit_files import SHIPPED

FILE = "losses"
_MAX_BYTES = 1 << 20
_FIRST_BOOT = re.compile(rb"^ConditionFirstBoot=\s*(yes|true|on|1)", re.MULTILINE)
_REPLACED = ("first-boot-complete.target", "sshd-keygen.service", "systemd-firstboot.service")
"""Not needed: the identity and the keys of a device are made in another way."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """What one entry of a root lost."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"/{self.path} ({self.what})"


def never_started(root: Path) -> Iterator[Loss]:
    """Units that wait for a first boot, which never happens: every boot begins with an identity."""
    for unit in sorted((root / SHIPPED).glob("*.*")):
        is_told = unit.is_file() and not unit.is_symlink() and unit.name not in _REPLACED
        if is_told and _FIRST_BOOT.search(unit.read_bytes()):
            yield Loss(f"{SHIPPED}/{unit.name}", "never starts: it waits for a first boot")


def print_losses(losses: Iterable[Loss]) -> bytes:
    """The list as it lies in a root."""
    return "".join(f"{loss.path}\t{loss.what}\n" for loss in sorted(losses)).encode()


def read(root: Path) -> tuple[Loss, ...]:
    """The list of a root; one that was built before there was one has none."""
    if not (root / FILE).is_file():
        return ()
    lines = read_bounded(root / FILE, _MAX_BYTES).decode().splitlines()
    return tuple(Loss(*line.split("\t", 1)) for line in lines)


def report(roots: Mapping[str, Path]) -> Iterator[str]:
    """What to report about the roots of systems, once for those with the same losses."""
    systems: dict[tuple[Loss, ...], list[str]] = {}
    for system, root in roots.items():
        systems.setdefault(read(root), []).append(system)
    for lost, names in systems.items():
        if lost:
            every = "".join(f"\n  {loss}" for loss in lost)
            yield f"{', '.join(names)}: not on the device as in its packages:{every}"
