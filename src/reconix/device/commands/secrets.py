"""Commands about the secrets of a device: take one, list them, remove one.

A unit reads its secrets when it starts, so those that run are started again if they have another
value, and so are those that have failed, perhaps for want of it. One that nobody has started stays
as it is. The value is durable before; that a unit does not start with it is told, and is no
reason to go back: only whoever has sent it knows the one before.

Tested by ``tests/unit/device/test_secret_commands.py`` and ``tests/vm/test_schedule.py``.
"""

import time
from collections.abc import Iterator
from typing import BinaryIO

from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError, UsageError
from reconix.base.files import BadFile, read_bounded
from reconix.base.process import CommandFailed, ProgramMissing, run, succeeds
from reconix.base.records import dataclass
from reconix.base.secret_values import MAX_BYTES, SENT_BYTES, SecretValue, check_name, unsealed
from reconix.device.commands.restarting import Tell
from reconix.device.device import Device
from reconix.device.identity import said_serial
from reconix.device.paths import Paths
from reconix.device.settings.secrets import read_secrets
from reconix.device.state import running, secrets
from reconix.device.state.lock import exclusive_secrets
from reconix.device.status.asked import Asked, read_asked

_RESTART_SECONDS = 120.0
_ASK_SECONDS = 10.0
_TO_START_AGAIN = ("active", "activating", "reloading", "failed")


class NotRestarted(ReconixError):
    """A secret is kept, and a unit does not start with it."""

    exit_code = 85


def named(name: str) -> str:
    """The name that a command was given.

    Raises:
        UsageError: none. BadSecret: what is none.
    """
    if not name:
        raise UsageError("which secret?", hint="reconix-device secrets list")
    check_name(name)
    return name


def arrived(source: BinaryIO, name: str, *, has_digest: bool) -> SecretValue:
    """Read a value to its end.

    Args:
        source: where it comes from.
        name: of the secret.
        has_digest: whether its digest precedes it.

    Raises:
        BadSecret: it is none, or did not arrive as it was sent.
    """
    content = source.read((SENT_BYTES if has_digest else MAX_BYTES) + 1)
    return unsealed(name, content) if has_digest else SecretValue(name, content)


def receive(device: Device, tell: Tell, secret: SecretValue, *, restarts: bool) -> None:
    """Keep a value, and start the units again that read it.

    Raises:
        NotRestarted: a unit does not start; the value is kept all the same.
    """
    with exclusive_secrets(device.paths):
        is_new = secrets.keep(device.paths, secret)
    started = _start_again(device, secret, is_new=is_new) if restarts else []
    tell(f"secret {secret.name} {'is kept' if is_new else 'was here already'}")
    for unit in started:
        tell(f"{unit} was started again")


def remove(device: Device, tell: Tell, name: str) -> None:
    """Forget a value; units that have read it keep it until they end."""
    with exclusive_secrets(device.paths):
        was_there = secrets.remove(device.paths, name)
    tell(f"secret {name} is removed" if was_there else f"there was no secret {name}")


def _readers(device: Device, name: str) -> Iterator[str]:
    """The units of the running system that read a secret; those of a template all at once."""
    toplevel = running.read_toplevel(device.paths)
    for each in read_secrets(device.registry, toplevel):
        if each.name == name:
            yield from (unit.replace("@.", "@*.") for unit in each.units)


def _start_again(device: Device, secret: SecretValue, *, is_new: bool) -> list[str]:
    """Start the readers again that have another value, and tell which.

    Whoever has sent the value may be gone already, and send it once more: then what was not started
    again the first time is.
    """
    patterns = list(_readers(device, secret.name))
    found = {unit: state for pattern in patterns for unit, state in _loaded(pattern)}
    stale = [
        unit
        for unit, state in found.items()
        if _is_stale(device.paths, unit, secret, otherwise=is_new or state == "failed")
    ]
    for unit in stale:
        try:
            # One that has failed too often would be refused.
            succeeds("systemctl", "reset-failed", unit, timeout_seconds=_ASK_SECONDS)
            run("systemctl", "restart", unit, timeout_seconds=_RESTART_SECONDS)
        except (CommandFailed, ProgramMissing, OSError) as error:
            raise NotRestarted(
                f"secret {secret.name} is kept, but {unit} does not start: {error}",
                hint=f"on the device: systemctl status {unit}",
            ) from error
    return stale


def _is_stale(paths: Paths, unit: str, secret: SecretValue, *, otherwise: bool) -> bool:
    """Whether a unit has not got this value; ``otherwise`` if it has none."""
    try:
        return read_bounded(paths.credentials / unit / secret.name, MAX_BYTES) != secret.content
    except (BadFile, OSError):
        return otherwise


def _loaded(pattern: str) -> list[tuple[str, str]]:
    """The units that run, or ran and failed, and which of the two."""
    words = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager")
    states = f"--state={','.join(_TO_START_AGAIN)}"
    try:
        said = run(*words, states, pattern, timeout_seconds=_ASK_SECONDS)
    except (CommandFailed, ProgramMissing, OSError):
        return []  # where systemd does not run, nothing has read it
    rows = map(str.split, said.decode(errors="replace").splitlines())
    return [(row[0], row[2]) for row in rows if len(row) > 2]  # unit, loaded, state, …


@dataclass(frozen=True, slots=True)
class Listed:
    """The secrets of a device, without a value."""

    host: str
    serial: str | None
    asked: tuple[Asked, ...]

    def document(self) -> JsonInput:
        """For programs."""
        return {
            "version": 1,
            "host": self.host,
            "serial": self.serial,
            "secrets": [_document(each) for each in self.asked],
        }

    def lines(self) -> list[str]:
        """For people."""
        return [_line(each) for each in self.asked] or ["no system asks for a secret"]


def look(device: Device) -> Listed:
    """What is asked for, and what is here."""
    host = device.generation(device.recall().committed.generation).host
    return Listed(host, said_serial(device.paths), read_asked(device))


def _document(asked: Asked) -> JsonInput:
    kept = asked.kept
    return {
        "name": asked.name,
        "systems": list(asked.systems),
        "units": list(asked.units),
        "required": asked.is_required,
        "here": asked.is_there,
        "written": kept.written if kept else None,
        "fault": (kept.fault or kept.note or None) if kept else None,
    }


def _line(asked: Asked) -> str:
    wanted = f"for {', '.join(asked.units)} of {', '.join(asked.systems)}"
    return f"{asked.name}: {_where(asked)}, {wanted if asked.systems else 'nobody asks for it'}"


def _where(asked: Asked) -> str:
    kept = asked.kept
    if kept is None:
        return "MISSING" if asked.is_required else "missing, and not required"
    if kept.fault:
        return f"MISSING: {kept.fault}"
    more = f" ({kept.note})" if kept.note else ""
    if kept.written is None:
        return f"from the image{more}"
    when = time.strftime("%a %Y-%m-%d %H:%M", time.localtime(kept.written))
    return f"written {when}{more}"
