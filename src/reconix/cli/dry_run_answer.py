"""The answer of `reconix deploy --dry-run`: what an update takes, held against what it may.

Tested by ``tests/unit/cli/test_dry_run.py``.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.documents import Fields, JsonInput, print_json
from reconix.base.sizes import human
from reconix.cli import reach_picture
from reconix.cli.answers import answer
from reconix.cli.words import counted, lasting
from reconix.composition.reach import SystemChange
from reconix.config.schema.hosts import Host
from reconix.config.schema.project import Budgets
from reconix.config.schema.values import OneShot
from reconix.fleet.forecast.forecast import Forecast
from reconix.fleet.forecast.interruption import Interrupted, Interruption
from reconix.fleet.forecast.links import Link
from reconix.fleet.remote import DeviceStatus
from reconix.store.generation import Generation

NO_ROOM = 56
OVER_BUDGET = 63


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that an update takes, beside what it may.

    Attributes:
        name: of it.
        found: how much the update takes.
        allowed: how much it may.
    """

    name: str
    found: int
    allowed: int

    @property
    def is_kept(self) -> bool:
        """Whether that is no more."""
        return self.found <= self.allowed

    @property
    def text(self) -> str:
        """In words."""
        of = f"{self.name:<8} {human(self.found)} of {human(self.allowed)}"
        return of if self.is_kept else f"{of}: {human(self.found - self.allowed)} too much"

    @property
    def document(self) -> JsonInput:
        """For programs."""
        return {
            "name": self.name,
            "found": self.found,
            "allowed": self.allowed,
            "kept": self.is_kept,
        }


@dataclass(frozen=True, slots=True)
class DryRun:
    """An update that is not done.

    Attributes:
        host: of the device.
        budgets: of the project.
        base: what the device has; ``None`` if everything is sent.
        target: what it shall have.
        forecast: what that takes.
        status: what the device says, if it was asked.
        link: the way to it, if that was named.
        interruption: what does not go on there.
        running: the system that runs there, or would if nothing else is known.
        reach: what becomes of each system.
        left_bytes: how much of the stream the device has not yet.
    """

    host: Host
    budgets: Budgets
    base: Generation | None
    target: Generation
    number: int
    forecast: Forecast
    status: DeviceStatus | None
    link: Link | None
    interruption: Interruption
    running: str
    reach: tuple[SystemChange, ...]
    left_bytes: int

    @property
    def exit_code(self) -> int:
        """Of the command."""
        if any(not each.is_kept for each in self.room):
            return NO_ROOM
        return 0 if all(each.is_kept for each in self.verdicts) else OVER_BUDGET

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The budgets that there are."""
        found = (
            ("update", self.forecast.stream_bytes, self.budgets.update),
            ("writes", self.forecast.wear.total, self.budgets.writes),
        )
        return tuple(Verdict(name, size, may) for name, size, may in found if may is not None)

    @property
    def room(self) -> tuple[Verdict, ...]:
        """What must be free in the store, and what is; nothing if the device does not say."""
        if self.status is None or self.status.room is None:
            return ()
        wanted, free = self.forecast.wanted, self.status.room.system
        store = Verdict("store", wanted.size_bytes, free.free_bytes)
        inodes = Verdict("inodes", wanted.inodes, free.free_inodes)
        return (store, inodes) if free.inodes else (store,)


def tell(arguments: argparse.Namespace, dry_run: DryRun) -> None:
    """Answer, for a person or for a program."""
    answer(arguments, text="\n".join(_lines(dry_run)), document=_document(dry_run))


def _lines(dry_run: DryRun) -> Iterator[str]:
    found, slot = dry_run.forecast, dry_run.forecast.slot
    start = "nothing" if dry_run.base is None else str(dry_run.base.path)
    yield f"from     {start}"
    yield f"to       {dry_run.target.path}, generation {dry_run.number}"
    yield f"link     {_link(dry_run)}"
    yield (
        f"store    {human(found.peak.size_bytes)} and {counted(found.peak.inodes, 'inode')} "
        f"while it comes, {human(found.stays.size_bytes)} afterwards"
    )
    yield from _room(dry_run)
    yield f"slot     {human(slot.image_bytes)} of {human(slot.slot_bytes)}"
    parts = ", ".join(f"{name} {human(size)}" for name, size in found.wear.parts() if size)
    yield f"writes   {human(found.wear.total)}: {parts}"
    yield f"memory   at most {human(found.memory_bytes)}"
    yield f"systems  {_systems(Touched.of(dry_run.base, dry_run.target))}"
    yield f"stops    {_interruption_text(dry_run.interruption)}"
    if dry_run.interruption.what is Interrupted.RESTART:
        way_back = _way_back(dry_run.host.machine.boot.one_shot)
        yield f"         {way_back} leads back if the trial fails"
    yield from (f"budget   {each.text}" for each in dry_run.verdicts)


def _link(dry_run: DryRun) -> str:
    sizes = f"{dry_run.left_bytes} bytes ({human(dry_run.left_bytes)})"
    if dry_run.left_bytes < dry_run.forecast.stream_bytes:
        sizes += f" of {dry_run.forecast.stream_bytes}: the rest is there"
    if dry_run.link is None:
        return sizes
    seconds = dry_run.link.seconds(dry_run.left_bytes)
    return f"{sizes}, {lasting(seconds)} at {dry_run.link.bits_per_second} bit/s"


def _room(dry_run: DryRun) -> Iterator[str]:
    wanted = dry_run.forecast.wanted
    if not dry_run.room:
        yield f"         {human(wanted.size_bytes)} must be free before; the device does not say"
        return
    for each in dry_run.room:
        yield f"         must be free: {each.text}"


@dataclass(frozen=True, slots=True)
class Touched:
    """Which systems of a device an update changes, by name."""

    changed: tuple[str, ...]
    same: tuple[str, ...]

    @classmethod
    def of(cls, base: Generation | None, target: Generation) -> "Touched":
        """Compare the toplevels of two generations."""
        before = {} if base is None else {each.name: each.toplevel for each in base.systems}
        after = {each.name: each.toplevel for each in target.systems}
        names = sorted(before.keys() | after.keys())
        same = tuple(name for name in names if before.get(name) == after.get(name))
        return cls(tuple(name for name in names if name not in same), same)


def _systems(touched: Touched) -> str:
    told = [f"changed: {', '.join(touched.changed) or 'none'}"]
    return "; ".join(told + ([f"unchanged: {', '.join(touched.same)}"] if touched.same else []))


def _interruption_text(found: Interruption) -> str:
    if found.what is Interrupted.NOTHING:
        return "nothing: what runs stays the same, and goes on"
    if found.what is Interrupted.CONTAINERS:
        return f"containers of {found.system} that change, {found.when}; all else goes on"
    return f"a restart, {found.when}, for the trial of system {found.system}"


def _way_back(one_shot: OneShot) -> str:
    """What leads back from a trial."""
    return "the firmware" if one_shot is OneShot.FIRMWARE else "the disk"


def picture(dry_run: DryRun) -> str:
    """What the update reaches, drawn."""
    return reach_picture.draw(Fields.parse(print_json(_document(dry_run)), source="the answer"))


def _document(dry_run: DryRun) -> JsonInput:
    found, touched = dry_run.forecast, Touched.of(dry_run.base, dry_run.target)
    return {
        "dry_run": True,
        "host": dry_run.host.name,
        "base": None if dry_run.base is None else str(dry_run.base.path),
        "generation": str(dry_run.target.path),
        "number": dry_run.number,
        "link": _link_document(dry_run),
        "store": {
            "peak_bytes": found.peak.size_bytes,
            "peak_inodes": found.peak.inodes,
            "stays_bytes": found.stays.size_bytes,
            "stays_inodes": found.stays.inodes,
        },
        "room": [each.document for each in dry_run.room],
        "must_be_free": {
            "size_bytes": found.wanted.size_bytes,
            "inodes": found.wanted.inodes,
        },
        "slot": {"image_bytes": found.slot.image_bytes, "slot_bytes": found.slot.slot_bytes},
        "writes": {"total_bytes": found.wear.total, **dict(found.wear.parts())},
        "memory_bytes": found.memory_bytes,
        "systems": {"changed": list(touched.changed), "unchanged": list(touched.same)},
        "interrupts": _interruption_document(dry_run),
        "reach": reach_picture.reach_document(dry_run.reach),
        "budgets": [each.document for each in dry_run.verdicts],
    }


def _link_document(dry_run: DryRun) -> JsonInput:
    link, left = dry_run.link, dry_run.left_bytes
    return {
        "stream_bytes": dry_run.forecast.stream_bytes,
        "left_bytes": left,
        "name": None if link is None else link.name,
        "bits_per_second": None if link is None else link.bits_per_second,
        "seconds": None if link is None else link.seconds(left),
    }


def _interruption_document(dry_run: DryRun) -> JsonInput:
    found = dry_run.interruption
    return {
        "what": found.what.value,
        "running": dry_run.running,
        "system": found.system,
        "when": found.when,
        "automatic": found.policy.automatic,
        "window": found.policy.window or None,
        "one_shot": dry_run.host.machine.boot.one_shot.value,
    }
