"""The device as the commands see it: its paths, its firmware, its store, and what it remembers.

The recorded state may be missing (the first boot) or unreadable (a damaged file). Then it is found
out again from what cannot be wrong: the partition table says which slot boots, and the content of
the slot says which installed generation it is. What neither shows, the ledger has.

Tested by ``tests/unit/device/test_device.py``.
"""

from functools import partial
from typing import TYPE_CHECKING

from reconix.base import progress
from reconix.base.clock import REAL, Clock
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile
from reconix.base.records import dataclass, field
from reconix.boot.disk import Disk
from reconix.boot.oneshots.disk import DiskOneShot
from reconix.boot.oneshots.oneshot import Firmware, OneShots
from reconix.boot.tables import Selection, Slot, read_selection
from reconix.boot.trial import BadState, Reason, State, Verdict, installed, read_state
from reconix.device.hardware.disk import PartitionView, holds, open_disk
from reconix.device.paths import Paths
from reconix.store.generation import (
    FILE_NAME,
    MAX_BYTES,
    BadGeneration,
    Generation,
    parse_generation,
)
from reconix.store.paths import StorePath

if TYPE_CHECKING:
    from reconix.store.registry import Registry

_NOT_KNOWN = Verdict(Reason.UNKNOWN, "the recorded state cannot be read")


class UnknownGeneration(ReconixError):
    """It cannot be found out which generation a slot holds."""

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Device:
    """One device.

    Attributes:
        paths: where everything is.
        firmware: what it can be told.
        clock: on which deadlines are points; it counts from boot and never jumps.
    """

    paths: Paths
    firmware: Firmware
    clock: Clock = field(default=REAL, kw_only=True)
    _opened: "list[Registry]" = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def disk_one_shot(self) -> DiskOneShot:
        """The one-shot that the disk keeps, for a firmware that keeps none."""
        return DiskOneShot(self.paths.disk_one_shot, partial(open_disk, self.paths))

    @property
    def one_shots(self) -> tuple[OneShots, ...]:
        """Everything that can make the next boot a trial."""
        return (self.firmware, self.disk_one_shot)

    @property
    def registry(self) -> "Registry":
        """What is installed; the same for all that ask, because it remembers what it has read."""
        if not self._opened:
            from reconix.store.registry import Registry  # late: a discard can do without

            self._opened.append(Registry(self.paths.system, self.paths.packs))
        return self._opened[0]

    def installed(self) -> tuple[StorePath, ...]:
        """The installed generations, sorted."""
        return self.registry.roots()

    def generation(self, path: StorePath | str) -> Generation:
        """An installed generation.

        Raises:
            BadGeneration: it is not installed, or no generation.
        """
        root = path if isinstance(path, StorePath) else StorePath.parse(path)
        if root not in self.installed():
            raise BadGeneration(f"{root} is not installed", hint="see `reconix-device status`")
        try:
            content = self.registry.read(root, FILE_NAME, limit_bytes=MAX_BYTES)
        except ReconixError as error:
            raise BadGeneration(f"{root} is no generation: {error}", hint=error.hint) from error
        return parse_generation(content, root)

    def selection(self) -> Selection:
        """What the partition table says, or will when a trial that it selects now is over."""
        with open_disk(self.paths) as disk:
            return self.disk_one_shot.seen_through(read_selection(disk))

    def recall(self) -> State:
        """The recorded state, or what can be found out if there is none.

        Raises:
            UnknownGeneration: no installed generation fits the slot that boots.
        """
        return self.remembered() or self.find_out()

    def remembered(self) -> State | None:
        """The recorded state; ``None`` if there is none, or none that can be read."""
        try:
            return read_state(self.paths.state)
        except FileNotFoundError:
            return None
        except (BadDocument, BadState, BadFile) as error:
            progress.note(f"the recorded state cannot be used: {error}")
            return None

    def find_out(self, how: Verdict = _NOT_KNOWN) -> State:
        """The state that the disk and the ledger show, with nothing on trial.

        Args:
            how: how the boot before ended, if that was a trial.

        Raises:
            UnknownGeneration: no installed generation fits the slot that boots.
        """
        from reconix.device.state.ledger import read_ledger  # late: hardly ever needed

        with open_disk(self.paths) as disk:
            found = self.disk_one_shot.seen_through(read_selection(disk))
            slot = PartitionView(disk, found.tables.slot(found.slot))
            seen = installed(str(self._generation_in(slot, found.slot)), found.slot)
        names = [*map(str, self.installed())]
        return read_ledger(self.paths.ledger).completed(seen, names, how)

    def _generation_in(self, slot: Disk, number: Slot) -> StorePath:
        roots = self.installed()
        if len(roots) == 1:
            return roots[0]
        for root in roots:
            try:
                image = self.generation(root).slot
            except BadGeneration as error:  # the slot may hold another one
                progress.note(str(error))
            else:
                if holds(slot, image):
                    return root
        raise UnknownGeneration(
            f"slot {number} boots, but holds no installed generation",
            hint="send the generation of this device again, without a base",
        )
