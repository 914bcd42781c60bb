"""The trap: what a trial asks for and minify took.

Who decided what goes may have overlooked a use; a device does not. So where the configuration says
``minify.trap``, a list of what went rides with the system (``device/settings/removed.py``), and as
long as the system must show that it is healthy, each look-up that finds nothing
(``device/hardware/lookups.py``) is held against it. It is set when the system starts, read while
its checks are made, and gone when these have ended; a restart ends it in any case.

Told is each path once, with the process that asked for it first and its unit, or that of the
process that has begun it. Not told are paths that go by a sentence, which programs do without;
names relative to an open folder; and what containers ask for, which have a root of their own. Where
there are containers, and nobody is left whose root could be looked at, it is taken for one.

Tested by ``tests/unit/device/trial/test_trap.py``; on a device by ``tests/vm/test_hangs.py``.
"""

import contextlib
import os
import select
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field
from reconix.device.device import Device
from reconix.device.hardware import lookups
from reconix.device.hardware.lookups import Event, Fork, LookUp, Lost
from reconix.device.hardware.processes import Processes
from reconix.device.paths import Paths
from reconix.device.settings import containers
from reconix.device.settings.removed import Removed, read_removed
from reconix.device.state.missed import MAX_MISSED, Missed, MissedPaths
from reconix.store.paths import StorePath

_READ_BYTES = 1 << 16
_WAIT_SECONDS = 0.1
"""The kernel wakes who waits only when half of the buffer is full; by then many have ended."""


@dataclass(slots=True)
class Caught:
    """What was asked for until now.

    Attributes:
        is_whole: whether all was heard, up to the end.
        missed: by path, in the order in which they were asked for.
        others: paths that there was no room for.
        lost: how many events the kernel could not tell.
    """

    is_whole: bool = False
    missed: dict[str, Missed] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    lost: int = 0

    def found(self, generation: str, system: str) -> MissedPaths:
        """The same, to be remembered."""
        missed = tuple(sorted(self.missed.values(), key=lambda each: each.path))
        return MissedPaths(generation, system, missed, len(self.others), self.lost)

    def add(self, found: Missed) -> None:
        """Remember a path, unless there are too many."""
        if found.path in self.missed or len(self.missed) < MAX_MISSED:
            self.missed[found.path] = found
        else:
            self.others.add(found.path)


def set_up(device: Device, toplevel: StorePath) -> None:
    """Set it for a system that is to be proven, if a list of what went rides with that.

    What cannot be done is told, and fails no start: whether it matters, the verdict says.
    """
    take_down(device.paths)
    if not (removed := _removed(device, toplevel)):
        return
    try:
        lookups.begin(device.paths)
    except (ReconixError, OSError) as error:
        progress.note(f"{len(removed)} paths that went cannot be watched: {error}")
        take_down(device.paths)


def take_down(paths: Paths) -> None:
    """Leave nothing of it, however far it came; a restart forgets what cannot be removed."""
    try:
        lookups.end(paths)
    except OSError as error:
        progress.note(f"look-ups are still written down: {error}")


@contextlib.contextmanager
def watching(device: Device, toplevel: StorePath) -> Iterator[Caught]:
    """Catch what is asked for, from when it was set on; it is all there at the end of the block."""
    caught = Caught()
    with contextlib.ExitStack() as stack:
        stack.callback(take_down, device.paths)
        if lookups.has_begun(device.paths):
            judge = Judge.of(device, _removed(device, toplevel), caught)
            _listen_within(stack, device.paths, judge)
        yield caught


def _listen_within(stack: contextlib.ExitStack, paths: Paths, judge: "Judge") -> None:
    """Judge what comes until the stack ends; that it cannot be read ends no trial."""
    try:
        pipe = stack.enter_context(lookups.reading(paths))
    except OSError as error:
        progress.note(f"look-ups cannot be read: {error}")
        return
    stack.enter_context(_listening(pipe, judge))
    stack.callback(_stop, paths)


def _stop(paths: Paths) -> None:
    with contextlib.suppress(OSError):
        lookups.stop(paths)


def _removed(device: Device, toplevel: StorePath) -> Mapping[str, Removed]:
    try:
        return read_removed(device.registry, toplevel)
    except (ReconixError, OSError) as error:
        progress.note(f"what minify took is not known: {error}")
        return {}


@contextlib.contextmanager
def _listening(pipe: int, judge: "Judge") -> Iterator[None]:
    """Judge what comes while the block runs, and at its end what is there."""
    ended = threading.Event()
    thread = threading.Thread(target=_listen, args=(pipe, judge, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _listen(pipe: int, judge: "Judge", ended: threading.Event) -> None:
    begun = b""
    while True:
        is_last = ended.is_set()
        select.select([pipe], [], [], 0 if is_last else _WAIT_SECONDS)
        data = _read(pipe)
        *lines, begun = (begun + data).split(b"\n")
        judge.hear(filter(None, map(lookups.parse_line, lines)))
        if is_last and not data:
            judge.caught.is_whole = True
            return


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, _READ_BYTES)
    except BlockingIOError:
        return b""


@dataclass(slots=True)
class Judge:
    """Holds look-ups against the list.

    Attributes:
        removed: what went and nobody is known to do without, by path.
        processes: those that ask.
        caught: what was found so far.
        has_containers: whether who cannot be looked at any more may have been in one.
    """

    removed: Mapping[str, Removed]
    processes: Processes
    caught: Caught
    has_containers: bool
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Most look-ups are told apart by their last name already."""
        self._names = frozenset(path.rpartition("/")[2] for path in self.removed)

    @classmethod
    def of(cls, device: Device, removed: Mapping[str, Removed], caught: Caught) -> "Judge":
        """The one for what runs."""
        paths = device.paths
        unexpected = {path: each for path, each in removed.items() if not each.is_expected}
        has_containers = (paths.running / containers.LINK).is_symlink()
        return cls(unexpected, Processes(paths.proc, paths.root), caught, has_containers)

    def hear(self, events: Iterable[Event]) -> None:
        """Take what the kernel has written down, in its order."""
        for event in events:
            match event:
                case Fork(pid, parent):
                    self.processes.forked(parent, pid)
                case Lost(count):
                    self.caught.lost += count
                case LookUp():
                    self._judge(event)

    def _judge(self, asked: LookUp) -> None:
        path = self._meant(asked.path)
        went = self.removed.get(path)
        if went is None or path in self.caught.missed or asked.pid == threading.get_native_id():
            return
        owner = self.processes.owner(asked.pid)
        if not self.has_containers if owner is None else owner.has_our_root:
            unit = "" if owner is None else owner.unit
            self.caught.add(Missed(path, went.size_bytes, asked.name, unit))

    def _meant(self, path: str) -> str:
        """The path with no link above its last name, as the list has it."""
        folder, _, name = path.rstrip("/").rpartition("/")
        if name not in self._names:
            return ""
        root = self.processes.root
        above = os.path.realpath(root / folder.lstrip("/"))
        return (
            f"/{(Path(above) / name).relative_to(root)}" if Path(above).is_relative_to(root) else ""
        )
