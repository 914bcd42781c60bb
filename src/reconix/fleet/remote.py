"""A device that is reached over ssh: its status, and commands of its agent.

The user's own ssh is used as it is set up: names, keys, agents, jump hosts, known hosts. What a
device says is not trusted: it is bounded, and parsed field by field.

Tested by ``tests/unit/fleet/test_remote.py``, with the status that the agent itself prints.
"""

import contextlib
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError
from reconix.base.process import AnswerTooLong, CommandFailed, feeding, reading, run, start
from reconix.base.text import last_words
from reconix.device.state.missed import MissedPaths, missed_of
from reconix.device.state.running import BootReason
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import LinkFault

AGENT = "reconix-device"
_KEPT_ALIVE = (
    # A device that restarts, or whose link is gone, does not say good-bye.
    *("-o", "ServerAliveInterval=10"),
    *("-o", "ServerAliveCountMax=6"),
)
_SSH_OPTIONS = (*("-o", "BatchMode=yes"), *("-o", "ConnectTimeout=30"), *_KEPT_ALIVE)
_STATUS_SECONDS = 60.0
_STATUS_BYTES = 1 << 20
_OFFSET_SECONDS = 600.0  # it reads all that it has
_SSH_FAILED = 255  # ssh exits with the status of the command, or 255 if an error occurred
_TOO_LONG = -1


class NotReached(ReconixError):
    """A device does not answer."""

    exit_code = 78

    def __init__(self, to: str, said: str, *, hint: str = "") -> None:
        super().__init__(f"cannot reach {to}: {said}", hint=hint or f"try: ssh {to} {AGENT} status")


class CutOff(NotReached):
    """A device answers, but what it was sent did not arrive there, or not as it was sent."""

    exit_code = LinkFault.exit_code

    def __init__(self, to: str, said: str) -> None:
        ReconixError.__init__(
            self,
            f"the link to {to} failed: {said.strip()}",
            hint="deploy again: what has arrived is not sent twice",
        )


class Refused(ReconixError):
    """The agent of a device refused what it was asked; the exit status is the agent's."""

    def __init__(self, to: str, said: str, *, status: int) -> None:
        super().__init__(f"{to} refused: {said or 'no reason given'}")
        self.exit_code = status


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last trial of a device ended, or why it left a system on its own."""

    result: str
    generation: str
    reason: str
    what: str
    output: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something on a device that is not what its name says."""

    digest: bytes
    kind: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"the {self.kind} {self.digest.hex()} of {', '.join(self.files) or 'nobody knows'}"


@dataclass(frozen=True, slots=True)
class FreeRoom:
    """How much room a partition of a device has; ``inodes`` is 0 if none are counted."""

    size_bytes: int
    free_bytes: int
    inodes: int
    free_inodes: int


@dataclass(frozen=True, slots=True)
class DeviceRoom:
    """How much room a device has; ``data`` is ``None`` if that is not mounted."""

    system: FreeRoom
    data: FreeRoom | None


@dataclass(frozen=True, slots=True)
class FlashWear:
    """What a device says of its flash; each may be unknown."""

    used_percent: int | None
    reserve: str


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """What a device says about itself."""

    host: str
    boot_id: str
    system: str
    committed: StorePath
    phase: str
    on_trial: str
    last: Ended | None
    installed: tuple[str, ...]
    astray: str = ""  # why the next boot will be something else than what was asked for
    left: Ended | None = None  # the system that it left on its own, in place of a generation
    layout: int = 1  # of its system partition; agents before layout 2 did not say
    damaged: tuple[Damaged, ...] = ()  # what it has found
    others: int = 0  # how much more is damaged, which it did not list
    missing_secrets: tuple[str, ...] = ()  # that a system of it needs
    untried: tuple[str, ...] = ()  # systems that were changed without a trial, and did not run yet
    previous: str = ""  # what it goes back to; nothing if there was none yet
    room: DeviceRoom | None = None  # agents of before do not say
    wear: FlashWear | None = None
    missed: MissedPaths | None = None  # what its last trial asked for, if that looked out for it
    runs: str = ""  # the generation of what runs
    is_live: bool = False  # whether that runs only until the next boot, and is not committed
    is_unproven: bool = False  # whether what has taken over has yet to show that it is healthy

    def missed_by(self, generation: StorePath) -> list[str]:
        """What the trial of a generation asked for and minify took, for people."""
        if self.missed is None or self.missed.generation != str(generation):
            return []
        return self.missed.lines()


def parse_status(content: bytes, *, source: str) -> DeviceStatus:
    """Read what ``reconix-device status --json`` prints.

    Raises:
        BadDocument: it is something else.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(1)
    booted = fields.object("booted") if fields.has("booted") else None
    return DeviceStatus(
        host=fields.text("host"),
        boot_id=booted.text("boot_id") if booted else "",
        system=booted.text("system") if booted else "",
        committed=StorePath.parse(fields.object("committed").text("generation")),
        phase=fields.text("phase"),
        on_trial=fields.object("trial").text("generation") if fields.has("trial") else "",
        last=_ended(fields.object("last")) if fields.has("last") else None,
        installed=tuple(fields.texts("installed")),
        astray=_astray(fields.object("next")) if fields.has("next") else "",
        left=_left(fields.object("left_system")) if fields.has("left_system") else None,
        layout=fields.number("layout") if fields.has("layout") else 1,
        damaged=tuple(_damaged(fields.object("scrub"))) if fields.has("scrub") else (),
        others=fields.object("scrub").number("others") if fields.has("scrub") else 0,
        missing_secrets=tuple(_missing(fields)) if fields.has("missing_secrets") else (),
        untried=tuple(fields.texts("untried")) if fields.has("untried") else (),
        previous=fields.text("previous") if fields.has("previous") else "",
        room=_room(fields.object("room")) if fields.has("room") else None,
        wear=_wear(fields.object("wear")) if fields.has("wear") else None,
        missed=missed_of(fields.object("missed")) if fields.has("missed") else None,
        runs=booted.text("generation") if booted and booted.has("generation") else "",
        is_live=booted is not None and _is_live(booted),
        is_unproven=fields.flag("unproven") if fields.has("unproven") else False,
    )


def _is_live(booted: Fields) -> bool:
    return booted.has("why") and booted.text("why") == BootReason.LIVE.value


def _room(fields: Fields) -> DeviceRoom:
    data = _free_room(fields.object("data")) if fields.has("data") else None
    return DeviceRoom(_free_room(fields.object("system")), data)


def _free_room(fields: Fields) -> FreeRoom:
    names = ("size_bytes", "free_bytes", "inodes", "free_inodes")
    return FreeRoom(*map(fields.number, names))


def _wear(fields: Fields) -> FlashWear:
    used = fields.number("used_percent") if fields.has("used_percent") else None
    return FlashWear(used, fields.text("reserve") if fields.has("reserve") else "")


def _damaged(scrub: Fields) -> Iterator[Damaged]:
    for each in scrub.objects("damaged"):
        try:
            digest = Digest.parse(each.text("digest")).value
        except BadDigest as error:
            raise BadDocument(f"{scrub.source}: {error}") from error
        yield Damaged(digest, each.text("kind"), tuple(each.texts("files")))


def _missing(fields: Fields) -> Iterator[str]:
    for each in fields.objects("missing_secrets"):
        if each.flag("required"):
            yield each.text("name")


def _astray(fields: Fields) -> str:
    return fields.text("astray") if fields.has("astray") else ""


def _left(fields: Fields) -> Ended:
    return _judged("left", fields.text("system"), fields)


def _ended(fields: Fields) -> Ended:
    return _judged(fields.text("result"), fields.text("generation"), fields)


def _judged(result: str, what_ended: str, fields: Fields) -> Ended:
    verdict = fields.object("verdict") if fields.has("verdict") else None
    return Ended(
        result=result,
        generation=what_ended,
        reason=verdict.text("reason") if verdict else "",
        what=verdict.text("what") if verdict else "",
        output=verdict.text("said") if verdict else "",
    )


@dataclass(frozen=True, slots=True)
class Arrived:
    """How much of which stream a device has."""

    stream: str
    offset: int


def parse_arrived(content: bytes, *, source: str) -> Arrived:
    """Read what ``reconix-device resume-offset --json`` prints.

    Raises:
        BadDocument: it is something else.
    """
    fields = Fields.parse(content, source=source)
    name = fields.text("stream") if fields.has("stream") else ""
    return Arrived(name, fields.number("offset"))


class Remote:
    """One device behind ssh."""

    def __init__(
        self, to: str, options: tuple[str, ...] = (), *, hint: str = "", status_command: str = ""
    ) -> None:
        """Make one; nothing is asked yet.

        Args:
            to: as ssh is told.
            options: of ssh.
            hint: what to do when it does not answer.
            status_command: how one asks later how it is.
        """
        self.to = to
        self.status_command = status_command or f"reconix status --to {to}"
        self._options = options
        self._hint = hint

    def status(self) -> DeviceStatus:
        """Ask how the device is.

        Raises:
            NotReached: it does not answer.
            Refused: its agent failed.
        """
        said = self._ask("status", timeout_seconds=_STATUS_SECONDS)
        return parse_status(said, source=f"the status of {self.to}")

    def arrived(self) -> Arrived:
        """Ask how much of which stream is there already.

        Raises:
            NotReached: it does not answer.
            Refused: its agent failed.
        """
        # The name that agents of every release know.
        said = self._ask("offset", timeout_seconds=_OFFSET_SECONDS)
        return parse_arrived(said, source=f"what {self.to} has")

    @contextlib.contextmanager
    def agent(self, *words: str) -> Iterator[BinaryIO]:
        """Let the agent do something; gives its standard input.

        Raises:
            NotReached: ssh failed, at the start or on the way.
            CutOff: what was sent did not arrive as it should.
            Refused: the agent did not do it.
        """
        with self.telling(AGENT, *words) as sink:
            yield sink

    @contextlib.contextmanager
    def telling(self, *command: str) -> Iterator[BinaryIO]:
        """Run a command there; gives its standard input.

        Raises:
            NotReached: ssh failed, at the start or on the way.
            CutOff, Refused: the command failed.
        """
        with self._translated(), feeding(*self._words(*command)) as sink:
            yield sink

    @contextlib.contextmanager
    def hearing(self, *command: str) -> Iterator[BinaryIO]:
        """Run a command there; gives its standard output as it comes.

        Raises:
            NotReached: ssh failed, at the start or on the way.
            CutOff, Refused: the command failed.
        """
        with self._translated(), reading(*self._words(*command)) as source:
            yield source

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """A command that fails is an error of ours."""
        try:
            yield
        except CommandFailed as error:
            raise self._failure(error) from error

    def log_in(self, command: str = "") -> int:
        """Have a shell there, or a command, in the terminal that we run in; gives its exit status.

        ssh may ask whatever it asks: there is somebody who can answer.
        """
        terminal = ("-t",) if command and os.isatty(0) else ()
        words = ("ssh", *self._options, *_KEPT_ALIVE, *terminal, self.to)
        child = start(*words, *(("--", command) if command else ()), stdin=0)
        try:
            return child.wait()
        finally:
            child.kill()
            child.wait()

    def ask(self, *command: str) -> bytes:
        """What a command of the agent answers in JSON that changes nothing.

        Raises:
            NotReached: it does not answer.
            Refused: its agent failed.
        """
        return self._ask(*command, timeout_seconds=_STATUS_SECONDS)

    def _ask(self, *command: str, timeout_seconds: float) -> bytes:
        words = self._words(AGENT, *command, "--json")
        try:
            return run(*words, timeout_seconds=timeout_seconds, limit_bytes=_STATUS_BYTES)
        except AnswerTooLong as error:
            raise BadDocument(f"{self.to} answers more than {_STATUS_BYTES} bytes") from error
        except CommandFailed as error:
            raise self._failure(error) from error

    def _words(self, *command: str) -> list[str]:
        """Quote each word: ssh joins those of a command and gives them to a shell."""
        return ["ssh", *self._options, *_SSH_OPTIONS, self.to, "--", shlex.join(command)]

    def _failure(self, error: CommandFailed) -> ReconixError:
        said = last_words(error.output)
        if error.status in (_SSH_FAILED, _TOO_LONG):
            return NotReached(self.to, said, hint=self._hint)
        if error.status == LinkFault.exit_code:
            return CutOff(self.to, said)
        return Refused(self.to, said, status=error.status)
