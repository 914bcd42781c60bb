"""Health: what a generation must show before it is kept.

A system says in ``health.json`` of its toplevel what must hold, and within how many seconds:

    {"timeout_seconds": 90, "checks": [
        {"kind": "unit", "unit": "nginx.service"},
        {"kind": "tcp", "port": 80},
        {"kind": "command", "command": ["/usr/bin/test", "-e", "/run/ready"]}]}

One check is always made, and first: ``multi-user.target`` is active, that is, the device came up as
far as a system without checks could tell. All checks are tried again and again until all pass in
the same round, or the time is over; then the first one that failed in the last round is the reason,
with the last of what it said. A unit that systemd has given up is not waited for.

Proven by ``tests/unit/device/test_health.py``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import Fields
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed, ProgramMissing, run

NAME = "health.json"
MAX_BYTES = 1 << 20
MAX_TIMEOUT_SECONDS = 3000
"""A trial must end; the unit that watches it is stopped after an hour."""

SAID_CHARACTERS = 1000
_CHECK_SECONDS = 10.0
_PAUSE_SECONDS = 1.0
_ROUNDS_GIVEN_UP = 3
"""For so many rounds a unit must have failed; in between somebody may start it again."""


class BadHealth(ReconixError):
    """``health.json`` asks for something that this agent does not know."""

    exit_code = 71


@dataclass(frozen=True, slots=True)
class UnitActive:
    """A unit of systemd is active."""

    unit: str

    def __str__(self) -> str:
        return f"unit {self.unit} is active"


@dataclass(frozen=True, slots=True)
class PortAnswers:
    """A TCP port of the device accepts a connection."""

    port: int

    def __str__(self) -> str:
        return f"port {self.port} answers"


@dataclass(frozen=True, slots=True)
class CommandSucceeds:
    """A command exits with 0."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"command `{' '.join(self.words)}` succeeds"


Check = UnitActive | PortAnswers | CommandSucceeds


@dataclass(frozen=True, slots=True)
class Health:
    """What must hold, and how soon after the agent started."""

    timeout_seconds: int
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """The check that did not hold when the time was over, and the last of what it said."""

    check: str
    said: str
    given_up: bool = False  # nobody tries any more to make it hold


STARTED = UnitActive("multi-user.target")


def parse_health(content: bytes, *, source: str) -> Health:
    """Read ``health.json``.

    Raises:
        BadHealth, BadDocument: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    timeout = fields.number("timeout_seconds")
    if not 1 <= timeout <= MAX_TIMEOUT_SECONDS:
        raise BadHealth(f"{source}: timeout_seconds is {timeout}, not 1 to {MAX_TIMEOUT_SECONDS}")
    checks = [_check(item) for item in fields.objects("checks")]
    return Health(timeout, (STARTED, *(check for check in checks if check != STARTED)))


def _check(fields: Fields) -> Check:
    kind = fields.text("kind")
    if kind == "unit":
        return UnitActive(fields.text("unit"))
    if kind == "tcp" and 1 <= fields.number("port") <= 65535:
        return PortAnswers(fields.number("port"))
    if kind == "command" and fields.texts("command"):
        return CommandSucceeds(tuple(fields.texts("command")))
    raise BadHealth(f"{fields.source} is no check of kind unit, tcp or command")


def can_be_proven(toplevel: Path) -> bool:
    """Whether the system with this toplevel says how it is judged, and so has an agent to do it.

    A system of NixOS need not have one: nobody would confirm it, or ask for it again.
    """
    return (toplevel / NAME).is_file()


def read_health(toplevel: Path) -> Health:
    """Read the checks of the system with this toplevel.

    Raises:
        BadHealth, BadDocument, TooLarge, OSError: it does not say what to check.
    """
    path = toplevel / NAME
    return parse_health(read_bounded(path, MAX_BYTES), source=str(path))


def await_health(
    health: Health, deadline: float, *, note: Callable[[str], None] = lambda _: None
) -> Unhealthy | None:
    """Try all checks until all pass in the same round.

    Args:
        health: what must hold.
        deadline: when it must, on the clock of ``time.monotonic``.
        note: told each time when another check is the first that fails.

    Returns:
        ``None`` if all passed, else the first that failed in the last round.
    """
    noted = ""
    given_up = 0
    while True:
        failed = _first_failure(health, deadline)
        if failed is None:
            return None
        given_up = given_up + 1 if failed.given_up else 0
        if given_up == _ROUNDS_GIVEN_UP or time.monotonic() + _PAUSE_SECONDS >= deadline:
            return failed
        if failed.check != noted:
            noted = failed.check
            note(f"waiting until {noted}")
        time.sleep(_PAUSE_SECONDS)


def _first_failure(health: Health, deadline: float) -> Unhealthy | None:
    for check in health.checks:
        left = min(_CHECK_SECONDS, max(1.0, deadline - time.monotonic()))
        said = _fails(check, left)
        if said is not None:
            return Unhealthy(str(check), _last_words(said), _is_given_up(check))
    return None


def _last_words(said: str) -> str:
    """The end of what was said, in whole lines if there are several."""
    if len(said) <= SAID_CHARACTERS:
        return said
    end = said[-SAID_CHARACTERS:]
    return end.partition("\n")[2] or end


def _is_given_up(check: Check) -> bool:
    """Whether systemd has given up a unit; one that it will start again is not *failed*."""
    if not isinstance(check, UnitActive):
        return False
    return _command_fails(("systemctl", "is-failed", "--quiet", check.unit), 5) is None


def _fails(check: Check, seconds: float) -> str | None:
    """What a check said if it failed."""
    if isinstance(check, UnitActive):
        return _unit_fails(check.unit, seconds)
    if isinstance(check, PortAnswers):
        return _port_fails(check.port, seconds)
    return _command_fails(check.words, seconds)


def _command_fails(words: tuple[str, ...], seconds: float) -> str | None:
    try:
        run(*words, timeout_seconds=seconds)
    except CommandFailed as error:
        last = error.said.decode(errors="replace").strip()
        return f"exit status {error.status}: {last}" if error.status >= 0 else last
    except (ProgramMissing, OSError) as error:
        return str(error)
    return None


def _unit_fails(unit: str, seconds: float) -> str | None:
    if _command_fails(("systemctl", "is-active", "--quiet", unit), seconds) is None:
        return None
    try:
        run("systemctl", "status", "--no-pager", "--full", "--lines=8", unit, timeout_seconds=5)
    except CommandFailed as error:
        return error.said.decode(errors="replace").strip()
    except (ProgramMissing, OSError) as error:
        return str(error)
    return "it is active now, but was not when it was asked for"


def _port_fails(port: int, seconds: float) -> str | None:
    import socket  # late: slow to import, and few commands need it

    try:
        socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
    except OSError as error:
        return str(error)
    return None
