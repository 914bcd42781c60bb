"""Health: what a generation must show before it is kept.

A system says in ``health.json`` of its toplevel what must hold, how soon, and for how long:

    {"timeout_seconds": 90, "stable_seconds": 3, "retries": 3, "checks": [
        {"kind": "unit", "unit": "nginx.service"},
        {"kind": "failed-units", "at_most": 0},
        {"kind": "tcp", "port": 80},
        {"kind": "http", "port": 80, "path": "/", "status": 200},
        {"kind": "command", "command": ["/usr/bin/pump", "--self-test"], "timeout_seconds": 30},
        {"kind": "file", "path": "/run/pump/alive", "max_age_seconds": 60},
        {"kind": "free", "path": "/var/lib/pump", "at_least_bytes": 10485760},
        {"kind": "container", "container": "broker"}]}

One check is always made, and first: ``multi-user.target`` is active, that is, the device came up as
far as a system without checks could tell. This module is the vocabulary and its document;
``device/trial/checks.py`` makes a check, ``device/trial/monitor.py`` decides.

Tested by ``tests/unit/device/settings/test_health.py``.
"""

from collections.abc import Mapping
from typing import assert_never

from reconix.base.documents import Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.device.settings.containers import is_name
from reconix.store.paths import StorePath
from reconix.store.registry import Registry

NAME = "health.json"
MAX_BYTES = 1 << 20
MAX_TIMEOUT_SECONDS = 3000
"""A trial must end; the unit that watches it is stopped after an hour."""

MAX_CHECK_SECONDS = 300
MAX_RETRIES = 100
CHECK_SECONDS = 10
DEFAULT_RETRIES = 3


class BadHealth(ReconixError):
    """``health.json`` asks for something that this agent does not know."""

    exit_code = 71


@dataclass(frozen=True, slots=True)
class UnitActive:
    """A unit of systemd is active, and is not started again while it must be stable."""

    unit: str

    def __str__(self) -> str:
        return f"unit {self.unit} is active"


@dataclass(frozen=True, slots=True)
class FewUnitsFailed:
    """At most this many units of systemd have failed."""

    at_most: int

    def __str__(self) -> str:
        return f"at most {self.at_most} units have failed" if self.at_most else "no unit has failed"


@dataclass(frozen=True, slots=True)
class PortAnswers:
    """A TCP port of the device accepts a connection."""

    port: int

    def __str__(self) -> str:
        return f"port {self.port} answers"


@dataclass(frozen=True, slots=True)
class PageAnswers:
    """A web server of the device answers with a certain status."""

    port: int
    path: str
    status: int

    def __str__(self) -> str:
        return f"port {self.port} answers {self.path} with status {self.status}"


@dataclass(frozen=True, slots=True)
class CommandSucceeds:
    """A command exits with 0."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"command `{' '.join(self.words)}` succeeds"


@dataclass(frozen=True, slots=True)
class FileIsFresh:
    """A file was written not long ago, say, by a program that is alive."""

    path: str
    max_age_seconds: int

    def __str__(self) -> str:
        return f"file {self.path} is at most {self.max_age_seconds} s old"


@dataclass(frozen=True, slots=True)
class SpaceIsFree:
    """The file system of a folder has room."""

    path: str
    at_least_bytes: int

    def __str__(self) -> str:
        return f"{self.path} has {self.at_least_bytes} bytes free"


@dataclass(frozen=True, slots=True)
class ContainerWorks:
    """A container runs, is not started again while it must be stable, and says that it is healthy.

    The last holds of one that has a health check.
    """

    container: str

    def __str__(self) -> str:
        return f"container {self.container} works"


Condition = (
    UnitActive
    | FewUnitsFailed
    | PortAnswers
    | PageAnswers
    | CommandSucceeds
    | FileIsFresh
    | SpaceIsFree
    | ContainerWorks
)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition, and how long finding out whether it holds may take."""

    condition: Condition
    timeout_seconds: int = CHECK_SECONDS


@dataclass(frozen=True, slots=True)
class Health:
    """What must hold.

    Attributes:
        timeout_seconds: how soon after the agent has started.
        checks: all must pass in the same round.
        stable_seconds: for how long they must go on passing.
        retries: how often that time may begin again because a check failed in it.
    """

    timeout_seconds: int
    checks: tuple[Check, ...]
    stable_seconds: int = 0
    retries: int = DEFAULT_RETRIES


STARTED = Check(UnitActive("multi-user.target"))


def print_health(health: Health) -> bytes:
    """``health.json`` of a toplevel; the check that is always made first is not written."""
    checks = health.checks[1:] if health.checks[:1] == (STARTED,) else health.checks
    document: dict[str, JsonInput] = {
        "timeout_seconds": health.timeout_seconds,
        "stable_seconds": health.stable_seconds,
        "retries": health.retries,
        "checks": [
            {**_document(check.condition), "timeout_seconds": check.timeout_seconds}
            for check in checks
        ],
    }
    return print_json(document)


def _document(condition: Condition) -> Mapping[str, JsonInput]:
    match condition:
        case UnitActive(unit):
            return {"kind": "unit", "unit": unit}
        case FewUnitsFailed(at_most):
            return {"kind": "failed-units", "at_most": at_most}
        case PortAnswers(port):
            return {"kind": "tcp", "port": port}
        case PageAnswers(port, path, status):
            return {"kind": "http", "port": port, "path": path, "status": status}
        case CommandSucceeds(words):
            return {"kind": "command", "command": list(words)}
        case FileIsFresh(path, seconds):
            return {"kind": "file", "path": path, "max_age_seconds": seconds}
        case SpaceIsFree(path, size):
            return {"kind": "free", "path": path, "at_least_bytes": size}
        case ContainerWorks(name):
            return {"kind": "container", "container": name}
        case _:
            assert_never(condition)


def parse_health(content: bytes, *, source: str) -> Health:
    """Read ``health.json``; what it may leave out, a hand-written one of NixOS may leave out.

    Raises:
        BadHealth, BadDocument: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    timeout = _number(fields, "timeout_seconds", 1, MAX_TIMEOUT_SECONDS)
    checks = [_check(item) for item in fields.objects("checks")]
    return Health(
        timeout,
        (STARTED, *(check for check in checks if check != STARTED)),
        _number(fields, "stable_seconds", 0, timeout - 1, default=0),
        _number(fields, "retries", 0, MAX_RETRIES, default=DEFAULT_RETRIES),
    )


def _check(fields: Fields) -> Check:
    seconds = _number(fields, "timeout_seconds", 1, MAX_CHECK_SECONDS, default=CHECK_SECONDS)
    return Check(_condition(fields), seconds)


def _condition(fields: Fields) -> Condition:
    match fields.text("kind"):
        case "unit":
            return UnitActive(fields.text("unit"))
        case "failed-units":
            return FewUnitsFailed(_number(fields, "at_most", 0, 1000))
        case "tcp":
            return PortAnswers(_port(fields))
        case "http":
            return PageAnswers(_port(fields), _page(fields), _number(fields, "status", 100, 599))
        case "command" if fields.texts("command"):
            return CommandSucceeds(tuple(fields.texts("command")))
        case "file":
            return FileIsFresh(fields.text("path"), _number(fields, "max_age_seconds", 1, 1 << 40))
        case "free":
            return SpaceIsFree(fields.text("path"), _number(fields, "at_least_bytes", 1, 1 << 60))
        case "container":
            return ContainerWorks(_name(fields))
        case _:
            raise BadHealth(f"{fields.source} is not a check that this agent knows")


def _port(fields: Fields) -> int:
    return _number(fields, "port", 1, 65535)


def _name(fields: Fields) -> str:
    name = fields.text("container")
    if not is_name(name):
        raise BadHealth(f"{fields.source}: {name[:80]!r} is not the name of a container")
    return name


def _page(fields: Fields) -> str:
    path = fields.text("path")
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise BadHealth(f"{fields.source}: {path!r} is not the path of a page")
    return path


def _number(fields: Fields, key: str, least: int, most: int, *, default: int | None = None) -> int:
    if default is not None and not fields.has(key):
        return default
    found = fields.number(key)
    if not least <= found <= most:
        raise BadHealth(f"{fields.source}: {key} is {found}, not {least} to {most}")
    return found


def can_be_proven(registry: Registry, toplevel: StorePath) -> bool:
    """Whether the system with this toplevel says how it is judged, and so has an agent to do it.

    A system of NixOS need not have one: nobody would confirm it, or ask for it again.
    """
    return registry.has(toplevel, NAME)


def read_health(registry: Registry, toplevel: StorePath) -> Health:
    """Read the checks of the system with this toplevel.

    Raises:
        ReconixError: it does not say what to check.
    """
    content = registry.read(toplevel, NAME, limit_bytes=MAX_BYTES)
    return parse_health(content, source=f"{toplevel}/{NAME}")
