"""One health check: ask the device, in bounded time.

Each kind of condition has one function here. It returns a ``Finding``: whether the condition holds,
the output if it does not, and what would have to stay the same while it must be stable. For a
unit that is the identity of its invocation: a program that ends and is started again every few
seconds is *active* nearly always, and healthy never.

A container is its unit, and what its health check has left in its folder: `healthy` or `unhealthy`
(``docs/spec/containers.md``). Whether it has such a check, systemd knows: there is a timer for it.

Tested by ``tests/unit/device/trial/test_checks.py``.
"""

import os
import time
from pathlib import Path
from typing import assert_never

from reconix.base.process import CommandFailed, ProgramMissing, run, run_for_its_end, succeeds
from reconix.base.records import dataclass
from reconix.device.paths import Paths
from reconix.device.settings.containers import health_timer_of, unit_of
from reconix.device.settings.health import (
    Check,
    CommandSucceeds,
    ContainerWorks,
    FewUnitsFailed,
    FileIsFresh,
    PageAnswers,
    PortAnswers,
    SpaceIsFree,
    UnitActive,
)

OUTPUT_CHARACTERS = 1000
CONTAINERS = Paths().containers
_ASK_SECONDS = 5.0
_ANSWER_BYTES = 4096
_LIST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        holds: whether it passed.
        output: the end of its output, if it did not.
        given_up: whether systemd no longer tries to make it hold.
        identity: what holds; if it differs the next time, it did not hold in between.
    """

    holds: bool
    output: str = ""
    given_up: bool = False
    identity: str = ""


_HOLDS = Finding(holds=True)


def find(check: Check, seconds: float, containers: Path = CONTAINERS) -> Finding:
    """Find out whether a condition holds.

    Args:
        check: the condition.
        seconds: how long that may take, besides the check's own limit.
        containers: where a folder is for each container that runs.
    """
    left = min(float(check.timeout_seconds), seconds)
    match check.condition:
        case UnitActive(unit):
            return _unit(unit, left)
        case FewUnitsFailed(at_most):
            return _failed_units(at_most, left)
        case PortAnswers(port):
            return _port(port, left)
        case PageAnswers():
            return _page(check.condition, left)
        case CommandSucceeds(words):
            return _command(words, left)
        case FileIsFresh(path, age):
            return _file(path, age)
        case SpaceIsFree(path, wanted):
            return _space(path, wanted)
        case ContainerWorks(name):
            return _container(name, containers / name, left)
        case _:
            assert_never(check.condition)


def _fails(said: str) -> Finding:
    return Finding(holds=False, output=_last_words(said))


def _last_words(said: str) -> str:
    """The end of an output, in whole lines if it has several."""
    if len(said) <= OUTPUT_CHARACTERS:
        return said
    end = said[-OUTPUT_CHARACTERS:]
    return end.partition("\n")[2] or end


def _container(name: str, folder: Path, seconds: float) -> Finding:
    found = _unit(unit_of(name), seconds)
    if not found.holds or (folder / "healthy").exists():
        return found
    timer = health_timer_of(name)
    check = f"{timer.removesuffix('.timer')}.service"
    try:
        if _shown(timer, "LoadState", seconds).get("LoadState") != "loaded":
            return found
        # Its own time may be minutes away, and a trial does not wait for so long.
        succeeds("systemctl", "start", check, timeout_seconds=seconds)
    except (CommandFailed, ProgramMissing, OSError) as error:
        return _fails(str(error))
    if (folder / "healthy").exists():
        return found
    word = "fails" if (folder / "unhealthy").exists() else "has not passed yet"
    return _fails(f"its health check {word}\n{_status(check, 'not running')}")


def _shown(unit: str, properties: str, seconds: float) -> dict[str, str]:
    """Some properties of a unit."""
    words = ("systemctl", "show", f"--property={properties}", unit)
    said = run(*words, timeout_seconds=seconds, limit_bytes=_LIST_BYTES)
    return dict(line.partition("=")[::2] for line in said.decode(errors="replace").splitlines())


def _unit(unit: str, seconds: float) -> Finding:
    try:
        found = _shown(unit, "ActiveState,InvocationID", seconds)
    except (CommandFailed, ProgramMissing, OSError) as error:
        return _fails(str(error))
    state = found.get("ActiveState", "unknown")
    if state == "active":
        return Finding(holds=True, identity=found.get("InvocationID", ""))
    return Finding(
        holds=False, output=_last_words(_status(unit, state)), given_up=state == "failed"
    )


def _status(unit: str, state: str) -> str:
    """What systemd shows of a unit that is not active, with the last lines of its log."""
    try:
        words = ("systemctl", "status", "--no-pager", "--full", "--lines=8", unit)
        run_for_its_end(*words, timeout_seconds=_ASK_SECONDS)
    except CommandFailed as error:
        return error.output.decode(errors="replace").strip()
    except (ProgramMissing, OSError) as error:
        return str(error)
    return f"it was {state} when it was checked"


def _failed_units(at_most: int, seconds: float) -> Finding:
    words = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
    try:
        said = run(*words, timeout_seconds=seconds, limit_bytes=_LIST_BYTES)
    except (CommandFailed, ProgramMissing, OSError) as error:
        return _fails(str(error))
    lines = said.decode(errors="replace").splitlines()
    failed = [line.split()[0] for line in lines if line.split()]
    return _HOLDS if len(failed) <= at_most else _fails(f"failed: {' '.join(failed)}")


def _command(words: tuple[str, ...], seconds: float) -> Finding:
    try:
        run_for_its_end(*words, timeout_seconds=seconds)
    except CommandFailed as error:
        last = error.output.decode(errors="replace").strip()
        return _fails(f"exit status {error.status}: {last}" if error.status >= 0 else last)
    except (ProgramMissing, OSError) as error:
        return _fails(str(error))
    return _HOLDS


def _port(port: int, seconds: float) -> Finding:
    import socket  # late: slow to import, and few commands need it

    try:
        socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
    except OSError as error:
        return _fails(str(error))
    return _HOLDS


def _page(page: PageAnswers, seconds: float) -> Finding:
    try:
        answer = _ask(page, time.monotonic() + seconds)
    except OSError as error:
        return _fails(str(error))
    words = answer.partition(b"\r\n")[0].split(maxsplit=2)
    if len(words) >= 2 and words[0].startswith(b"HTTP/1.") and words[1] == b"%d" % page.status:
        return _HOLDS
    return _fails(answer.decode(errors="replace").strip() or "no answer")


def _ask(page: PageAnswers, deadline: float) -> bytes:
    """The beginning of the answer of a web server.

    Source: RFC 9112, sections 3 and 4; the whole answer is not needed, and not waited for.
    """
    import socket  # late: slow to import, and few commands need it

    address = ("127.0.0.1", page.port)
    request = f"GET {page.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = b""
    with socket.create_connection(address, timeout=deadline - time.monotonic()) as connection:
        connection.sendall(request.encode("ascii"))
        while len(answer) < _ANSWER_BYTES and b"\r\n\r\n" not in answer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            connection.settimeout(left)
            part = connection.recv(_ANSWER_BYTES)
            if not part:
                break
            answer += part
    return answer


def _file(path: str, max_age_seconds: int) -> Finding:
    try:
        age = int(time.time() - Path(path).stat().st_mtime)
    except OSError as error:
        return _fails(str(error))
    # A file from the future was written before the clock was set: it is not old.
    return _HOLDS if age <= max_age_seconds else _fails(f"it is {age} s old")


def _space(path: str, wanted: int) -> Finding:
    try:
        found = os.statvfs(path)
    except OSError as error:
        return _fails(str(error))
    free = found.f_bavail * found.f_frsize
    return _HOLDS if free >= wanted else _fails(f"it has {free} bytes free")
