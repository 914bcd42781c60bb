"""A disk that is about to be written: what it is, what is on it, and whether it may be.

Whoever names the wrong disk loses what is on it. So a disk is described before anything is written,
and refused if it is none, or is in use. The facts come from a small script, the same on this
machine and in a rescue system, which has little more than a shell; so there is one parser and one
set of rules, whichever of the two it is.

Source: Linux, Documentation/ABI/stable/sysfs-block; proc_pid_mountinfo(5).
Tested by ``tests/unit/image/test_target_disk.py`` and, on loop devices,
``tests/compat/test_install.py``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.sizes import human
from reconix.base.text import shown
from reconix.boot.gpt import SECTOR
from reconix.image.block_map import Extent

MAX_FACTS_BYTES = 1 << 16
"""Of what the script says."""
_MAX_SHOWN = 8
"""Of the partitions of a disk, these are told."""

SCRIPT = """\
disk=$1 name=${1##*/}
say() { printf '%s\\n' "$1=$2"; }
for each in dd blockdev sha256sum; do command -v $each >/dev/null || say missing $each; done
[ ! -L "$disk" ] || say link yes
[ -b "$disk" ] || { say absent yes; exit 0; }
of=/sys/class/block/$name
[ -e "$of" ] || { say unnamed yes; exit 0; }
[ ! -e "$of/partition" ] || say part-of yes
say size "$(blockdev --getsize64 "$disk")"
say sector "$(blockdev --getss "$disk")"
dd if=/dev/null of=/dev/null iflag=fullblock 2>/dev/null || say missing 'iflag=fullblock of dd'
for each in ro device/vendor device/model device/name device/serial; do
    [ ! -r "$of/$each" ] || { read -r value <"$of/$each" || :; say "${each##*/}" "$value"; }
done
for part in "$of" "$of/$name"*; do
    [ -e "$part/dev" ] || continue
    read -r number <"$part/dev"
    for each in "$part"/holders/*; do [ ! -e "$each" ] || say used-by "${each##*/}"; done
    while read -r _ _ dev _ where _; do
        [ "$dev" != "$number" ] || say mounted "$where"
    done </proc/self/mountinfo
    while read -r file _; do
        [ "$file" != "/dev/${part##*/}" ] || say used-by swap
    done </proc/swaps
    [ "$part" != "$of" ] || continue
    read -r sectors <"$part/size"
    label=
    while IFS='=' read -r key value; do
        [ "$key" != PARTNAME ] || label=$value
    done <"$part/uevent"
    say part "$sectors ${part##*/} $label"
done
"""
"""Says what it knows of a disk, ``NAME=VALUE`` a line. For any ``sh``, and without any program but
``blockdev`` and ``dd``."""


class UnfitTarget(ReconixError):
    """A disk cannot be written, or must not be."""

    exit_code = 33


class TargetTooSmall(ReconixError):
    """The image is larger than the disk."""

    exit_code = 35


class Target(Protocol):
    """A disk that is written: here, or at the other end of a link."""

    def write(self, pieces: Iterable[tuple[Extent, Iterable[bytes]]]) -> None:
        """Write pieces of the disk, which are whole sectors; durable when it returns."""

    def digests(self, extents: Sequence[Extent]) -> Iterator[Digest]:
        """The SHA-256 of each piece, from the medium."""

    def finish(self) -> None:
        """Let the kernel look at the new table."""


class Part(NamedTuple):
    """A partition: the name that the kernel gave it, its label and its size."""

    name: str
    label: str
    size_bytes: int

    def __str__(self) -> str:
        label = f" {self.label!r}" if self.label else ""
        return f"{self.name}{label} ({human(self.size_bytes)})"


@dataclass(frozen=True, slots=True)
class TargetDisk:
    """What is known of a disk.

    Args:
        path: its device.
        size_bytes: of the whole.
        sector_bytes: of its sectors, as it shows them.
        model: what its maker calls it, and its serial number; may be empty.
        parts: what the kernel sees on it.
    """

    path: str
    size_bytes: int
    sector_bytes: int
    model: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        model = f"{self.model}, " if self.model else ""
        return f"{self.path}: {model}{human(self.size_bytes)} ({self.size_bytes} bytes)"

    @property
    def on_it(self) -> str:
        """What is on it, for a person."""
        if not self.parts:
            return "no partitions that the kernel knows"
        told = ", ".join(str(part) for part in self.parts[:_MAX_SHOWN])
        more = len(self.parts) - _MAX_SHOWN
        return f"{told}, and {more} more" if more > 0 else told

    def expect_room(self, size_bytes: int) -> None:
        """Check that an image fits.

        Raises:
            TargetTooSmall: it does not.
        """
        if self.size_bytes < size_bytes:
            raise TargetTooSmall(
                f"{self.path} has {self.size_bytes} bytes, and the image needs {size_bytes}",
                hint="take a larger disk, or make slots, system or data smaller in machine.toml",
            )


def parse_facts(content: bytes, path: str) -> TargetDisk:
    """Read what the script has said, and refuse a disk that must not be written.

    Args:
        content: at most ``MAX_FACTS_BYTES``.
        path: of the disk, as it was named.

    Raises:
        UnfitTarget: it is none, is in use, is read-only or has other sectors.
    """
    said = [_fact(line) for line in content.decode(errors="replace").splitlines()]
    facts = dict(said)
    _expect_disk(facts, path)
    _expect_unused(said, path)
    size, sector = (_number(facts.get(name, ""), path) for name in ("size", "sector"))
    if sector != SECTOR:
        raise UnfitTarget(
            f"{path} has sectors of {sector} bytes, we need {SECTOR}",
            hint="docs/flashing.md says which disks are possible",
        )
    names = ("vendor", "model", "name", "serial")
    model = " ".join(value for name in names if (value := facts.get(name, "").strip()))
    parts = tuple(_part(value, path) for name, value in said if name == "part")
    return TargetDisk(path, size, sector, shown(model), parts)


def _fact(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _expect_disk(facts: dict[str, str], path: str) -> None:
    if "link" in facts:
        raise UnfitTarget(f"{path} is a link", hint="name the device that it leads to")
    if "absent" in facts or "unnamed" in facts:
        raise UnfitTarget(f"{path} is no disk", hint="`lsblk` lists the disks of a machine")
    if "missing" in facts:
        raise UnfitTarget(f"{facts['missing']} is missing where {path} is", hint="install it there")
    if "part-of" in facts:
        raise UnfitTarget(f"{path} is a partition", hint="name the whole disk")
    if facts.get("ro", "0") != "0":
        raise UnfitTarget(f"{path} is read-only", hint="some cards have a switch")


def _expect_unused(said: Sequence[tuple[str, str]], path: str) -> None:
    mounted = [value for name, value in said if name == "mounted"]
    if mounted:
        where = ", ".join(shown(place) for place in mounted[:_MAX_SHOWN])
        raise UnfitTarget(f"{path} is mounted: {where}", hint=f"umount {mounted[0]}")
    users = [value for name, value in said if name == "used-by"]
    if users:
        raise UnfitTarget(f"{path} is in use by {', '.join(users[:_MAX_SHOWN])}")


def _part(value: str, path: str) -> Part:
    sectors, _, rest = value.partition(" ")
    name, _, label = rest.partition(" ")
    return Part(shown(name), shown(label), _number(sectors, path) * 512)


def _number(text: str, path: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise UnfitTarget(f"{path}: {text[:40]!r} is no size")
    return int(text)
