"""Inhibitors: programs that keep the device from restarting, and how they are reported.

A program may take an inhibitor of systemd-logind, to end what it does first (a recording, a valve
that moves). Then systemd refuses to restart, also when root asks. That is right, and no error of
ours: what was asked for stays in force, and the next restart carries it out. So it has an exit
status of its own, and the message names the program and its reason.

A trial that has failed is left all the same (``force_restart``), a minute later.

Source: systemd, *Inhibitor Locks*; org.freedesktop.login1(5), ``ListInhibitors``.
Tested by ``tests/unit/device/hardware/test_restart.py`` and ``tests/vm/test_soft_reboot.py``.
"""

from collections.abc import Sequence

from reconix.base.documents import BadDocument, Json, parse_json
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed, ProgramMissing, run
from reconix.base.records import dataclass

_LOGIN = "org.freedesktop.login1"
_LIST = ("/org/freedesktop/login1", f"{_LOGIN}.Manager", "ListInhibitors")
_SHOWN = 5
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """A program that is in the way; both texts are its own."""

    who: str
    why: str

    def __str__(self) -> str:
        return f"{self.who[:_SHOWN_CHARACTERS]} ({self.why[:_SHOWN_CHARACTERS]})"


class RestartInhibited(ReconixError):
    """A program keeps the device from restarting."""

    exit_code = 73

    def __init__(self, found: Sequence[Inhibitor], *, hint: str) -> None:
        shown = ", ".join(map(str, found[:_SHOWN])) or "an unknown program"
        super().__init__(f"the device may not restart now: {shown} is in the way", hint=hint)
        self.found = tuple(found)


def inhibitors() -> tuple[Inhibitor, ...]:
    """What keeps the device from restarting now; empty where that cannot be found out."""
    try:
        output = run("busctl", "--json=short", "call", _LOGIN, *_LIST, timeout_seconds=10)
        return parse_inhibitors(output)
    except (CommandFailed, ProgramMissing, BadDocument):
        return ()


def parse_inhibitors(content: bytes) -> tuple[Inhibitor, ...]:
    """Parse the output of ``busctl`` about the inhibitors of logind.

    Raises:
        BadDocument: it is something else.
    """
    answer = parse_json(content, source="busctl")
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], list):
        raise BadDocument("busctl does not list inhibitors")
    return tuple(found for row in rows[0] if (found := _blocks(row)) is not None)


def _blocks(row: Json) -> Inhibitor | None:
    """A program that blocks a shutdown; others only delay it, or inhibit something else."""
    match row:
        case [str(what), str(who), str(why), str(mode), _, _]:
            if "shutdown" in what.split(":") and mode.startswith("block"):
                return Inhibitor(who, why)
            return None
    raise BadDocument("busctl does not list inhibitors")
