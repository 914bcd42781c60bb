"""What `reconix run --trace` does: run a device, and tell what it asked for that minify took.

Tested by ``tests/unit/cli/test_run_trace.py``; with a whole life of a device, by hand so far:
``examples/demo.py --minify --trace``.
"""

import argparse
import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from reconix.base import progress
from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError, UsageError
from reconix.base.firmware import FirmwareKind
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import read_reasons
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.words import counted
from reconix.composition.asked_for import Missed, Watched
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project import virtual_device
from reconix.project.workplace import NotBuilt, Workplace
from reconix.store.paths import StorePath
from reconix.vm import tracing
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Accelerator, Guest
from reconix.vm.trace_pages import take
from reconix.vm.tracing import Asked, AskedIn

_ASKED_FOR = 62
_PAUSE_SECONDS = 0.2
_RESTART = "guest-reset"
_SETTLED = "systemctl is-system-running --wait || true"


class NotMinified(ReconixError):
    """No system has anything that could be missed."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen of a system.

    Attributes:
        system: its toplevel.
        asked: how many paths were asked for.
        missed: those that went.
        unexpected: those of them that no sentence is about.
    """

    system: str
    asked: int
    missed: Sequence[Missed]
    unexpected: Sequence[Missed]

    def lines(self) -> Iterator[str]:
        """As text."""
        asked, went = counted(self.asked, "path"), len(self.missed)
        yield f"{self.system}: asked for {asked}; {went} went, {len(self.unexpected)} unexpected"
        for each in self.unexpected:
            keep = f'minify.keep = ["/{each.path}"]'
            yield f"  /{each.path} was asked for by {each.task}; {each.because.how}; {keep}"

    def document(self) -> JsonInput:
        """For programs."""
        return {
            "system": self.system,
            "asked": self.asked,
            "missed": [
                {
                    "path": f"/{each.path}",
                    "by": each.task,
                    "rule": each.because.by or None,
                    "because": each.because.how,
                    "expected": each not in self.unexpected,
                }
                for each in self.missed
            ],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen of a device.

    Attributes:
        starts: how often its kernel was started.
        elsewhere: how many paths were asked for in other roots than those of systems.
        systems: those that are minified.
    """

    starts: int
    elsewhere: int
    systems: Sequence[Found]

    @property
    def is_clean(self) -> bool:
        """Whether nothing unexpected was asked for."""
        return not any(each.unexpected for each in self.systems)

    def lines(self) -> Iterator[str]:
        """As text."""
        other = counted(self.elsewhere, "path")
        yield f"{counted(self.starts, 'start')}; in containers and the initrd asked for {other}"
        for each in self.systems:
            yield from each.lines()

    def document(self) -> JsonInput:
        """For programs."""
        return {
            "starts": self.starts,
            "elsewhere": self.elsewhere,
            "systems": [each.document() for each in self.systems],
        }


def expect_traceable(host: Host) -> None:
    """See whether anybody adds to the command line of its kernels what begins a trace.

    Raises:
        UsageError: the firmware is U-Boot, which reads nothing of what QEMU says.
    """
    if host.machine.boot.firmware is FirmwareKind.U_BOOT:
        raise UsageError(
            f"{host.name} starts by U-Boot, which does not tell its kernel to trace",
            hint="trace a host with the same systems and UEFI, such as qemu-arm64-uefi",
        )


def run(
    arguments: argparse.Namespace,
    host: Host,
    workplace: Workplace,
    guest: Guest,
    accelerator: Accelerator,
    announce: Callable[[Machine], None],
) -> int:
    """Run the device, and tell."""
    login = None if arguments.follow else _login(host)
    memory = workplace.vm / "memory"
    traced = replace(
        guest,
        parameters=tracing.PARAMETERS,
        memory=memory,
        memory_mib=guest.memory_mib + tracing.BUFFER_MIB,
        cores=1,  # each core has a buffer of its own
    )
    with _removed(memory), running(traced, workplace.vm, accelerator) as device:
        watch = Watch(device, memory)
        if login is None:
            announce(device)
            watch.until_off()
        else:
            _start(device, login, host)
            watch.take()
    with ChrootStore(places.store(arguments)) as store:
        report = compare(store, host, watch.starts)
    answer(arguments, text="\n".join(report.lines()), document=report.document())
    return 0 if report.is_clean else _ASKED_FOR


@contextlib.contextmanager
def _removed(file: Path) -> Iterator[None]:
    """Have no file there before and after."""
    file.unlink(missing_ok=True)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _start(device: Machine, login: Login, host: Host) -> None:
    with progress.stage(f"start {host.name}"):
        device.wait_for_ssh(login, seconds=BOOT_SECONDS)
        device.ssh(login, "sh", "-c", _SETTLED, seconds=BOOT_SECONDS)


class Watch:
    """A device that is followed over its restarts."""

    def __init__(self, device: Machine, memory: Path) -> None:
        self.starts: list[list[AskedIn]] = []
        self._device = device
        self._memory = memory

    def take(self) -> None:
        """Have what this start of its kernel has asked for; it stands still after that."""
        self._device.pause()
        taken = take(self._memory)
        if taken.events or not self.starts:  # it may be ended just after a restart
            self.starts.append(list(tracing.by_system(tracing.whole(taken))))

    def until_off(self) -> None:
        """Follow it until it is off, or somebody ends this command."""
        with _ending() as is_ended:
            while not is_ended():
                time.sleep(_PAUSE_SECONDS)
                why = self._device.stopped_by()
                if why is None:
                    continue
                if why != _RESTART:
                    break
                self.take()
                self._device.go_on()
        self.take()


@contextlib.contextmanager
def _ending() -> Iterator[Callable[[], bool]]:
    """Take a request to end this command as one to come to its end."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _login(host: Host) -> Login:
    key = virtual_device.secret_key(host)
    if key is None:
        raise UsageError(
            f"cannot log in to {host.name}, so nobody would know when it has started",
            hint="name a public key in users.root.authorized_keys_files, its secret half beside it",
        )
    return Login(key)


def compare(store: ChrootStore, host: Host, starts: Sequence[Sequence[AskedIn]]) -> Report:
    """What was asked for, against what went.

    Raises:
        NotMinified: no system that ran is.
        NotBuilt: one is of another store.
    """
    asked = _by_system(starts)
    elsewhere = asked.pop("", [])
    found = [_compare(store, host, StorePath.parse(each), asked[each]) for each in sorted(asked)]
    minified = [each for each in found if each is not None]
    if not minified:
        names = ", ".join(StorePath.parse(each).name for each in sorted(asked))
        raise NotMinified(
            f"nothing that was asked for went: {names or 'no system'} is not minified"
        )
    return Report(len(starts), len({each.path for each in elsewhere}), minified)


def _by_system(starts: Sequence[Sequence[AskedIn]]) -> dict[str, list[Asked]]:
    found: dict[str, dict[Asked, None]] = {}
    for start in starts:
        for each in start:
            found.setdefault(each.system, {})[each.asked] = None
    return {system: list(asked) for system, asked in found.items()}


def _compare(
    store: ChrootStore, host: Host, toplevel: StorePath, asked: Sequence[Asked]
) -> Found | None:
    """What a system asked for, against what went of it; nothing if it is not minified."""
    if not store.is_valid(toplevel):
        raise NotBuilt(f"{toplevel} is not in the build store", hint="start it again with --fresh")
    parts = ToplevelParts.read(store, toplevel)
    origin = Origin.of(store, parts.root) if parts is not None else None
    if origin is None:
        return None
    without = host.systems[name].minify.without if (name := _name(host, toplevel)) else {}
    reasons = read_reasons(store.path(origin.reasons))
    watched = Watched(store.path(origin.root), reasons, frozenset(without))
    missed = watched.missed(asked)
    paths = {each.path for each in asked}
    return Found(toplevel.name, len(paths), missed, watched.unexpected(missed))


def _name(host: Host, toplevel: StorePath) -> str:
    name = toplevel.name.removeprefix("system-")
    return name if name in host.systems else ""
