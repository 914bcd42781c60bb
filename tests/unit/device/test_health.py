"""Health checks pass, fail and say why."""

import socket
import time
from pathlib import Path

import pytest
from tests.unit.device.conftest import Units

from reconix.base.documents import BadDocument, print_json
from reconix.device.health import (
    STARTED,
    BadHealth,
    CommandSucceeds,
    Health,
    PortAnswers,
    UnitActive,
    await_health,
    parse_health,
    read_health,
)


def soon(seconds: float = 0) -> float:
    return time.monotonic() + seconds


def only(*checks: UnitActive | PortAnswers | CommandSucceeds) -> Health:
    return Health(5, checks)


def test_a_document_gives_its_checks_after_the_one_that_is_always_made(tmp_path: Path) -> None:
    document = {
        "timeout_seconds": 90,
        "checks": [
            {"kind": "unit", "unit": "nginx.service"},
            {"kind": "tcp", "port": 80},
            {"kind": "command", "command": ["/usr/bin/test", "-e", "/x"]},
        ],
    }
    (tmp_path / "health.json").write_bytes(print_json(document))
    health = read_health(tmp_path)
    assert health.timeout_seconds == 90
    assert health.checks == (
        STARTED,
        UnitActive("nginx.service"),
        PortAnswers(80),
        CommandSucceeds(("/usr/bin/test", "-e", "/x")),
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"timeout_seconds": 0, "checks": []}',
        '{"timeout_seconds": 3001, "checks": []}',
        '{"timeout_seconds": 1, "checks": [{"kind": "tcp", "port": 0}]}',
        '{"timeout_seconds": 1, "checks": [{"kind": "tcp", "port": 65536}]}',
        '{"timeout_seconds": 1, "checks": [{"kind": "command", "command": []}]}',
        '{"timeout_seconds": 1, "checks": [{"kind": "prayer"}]}',
        '{"timeout_seconds": 1}',
        "[]",
    ],
)
def test_a_document_that_cannot_be_obeyed_is_refused(text: str) -> None:
    with pytest.raises((BadHealth, BadDocument)):
        parse_health(text.encode(), source="health.json")


def test_all_checks_that_pass_are_health(units: Units) -> None:
    units.activate("multi-user.target", "nginx.service")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = PortAnswers(server.getsockname()[1])
        health = only(STARTED, UnitActive("nginx.service"), port, CommandSucceeds(("true",)))
        assert await_health(health, soon(5)) is None


def test_a_unit_that_is_not_active_is_named_with_its_status(units: Units) -> None:
    units.activate("multi-user.target")
    found = await_health(only(STARTED, UnitActive("nginx.service")), soon())
    assert found is not None
    assert found.check == "unit nginx.service is active"
    assert found.said == "nginx.service is broken: no such page"


def test_a_unit_that_systemd_has_given_up_is_not_waited_for(units: Units) -> None:
    units.activate("multi-user.target")
    units.give_up("nginx.service")
    began = time.monotonic()
    found = await_health(only(STARTED, UnitActive("nginx.service")), soon(60))
    assert found is not None
    assert found.check == "unit nginx.service is active"
    assert time.monotonic() - began < 30


def test_a_port_that_does_not_answer_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    found = await_health(only(PortAnswers(port)), soon())
    assert found is not None
    assert found.check == f"port {port} answers"
    assert "refused" in found.said


def test_a_command_that_fails_tells_its_last_words() -> None:
    words = ("sh", "-c", "echo no pump >&2; exit 7")
    found = await_health(only(CommandSucceeds(words)), soon())
    assert found is not None
    assert found.check == f"command `{' '.join(words)}` succeeds"
    assert found.said == "exit status 7: no pump"


def test_a_command_that_does_not_exist_fails() -> None:
    found = await_health(only(CommandSucceeds(("/no/such/program",))), soon())
    assert found is not None
    assert "not installed" in found.said


def test_a_command_that_does_not_end_is_ended() -> None:
    began = time.monotonic()
    found = await_health(only(CommandSucceeds(("sleep", "60"))), soon())
    assert found is not None
    assert "no end after" in found.said
    assert time.monotonic() - began < 10


def test_what_is_not_healthy_yet_may_become_so(tmp_path: Path) -> None:
    counter = tmp_path / "tries"
    script = f"echo >> {counter}; test $(wc -l < {counter}) -ge 3"
    assert await_health(only(CommandSucceeds(("sh", "-c", script))), soon(30)) is None
    assert len(counter.read_text().splitlines()) == 3


def test_who_waits_is_told_what_for(tmp_path: Path) -> None:
    told: list[str] = []
    await_health(only(CommandSucceeds(("false",))), soon(2.5), note=told.append)
    assert told == ["waiting until command `false` succeeds"]


def test_what_is_said_is_bounded() -> None:
    found = await_health(only(CommandSucceeds(("sh", "-c", "seq 99999 >&2; exit 1"))), soon())
    assert found is not None
    assert len(found.said) <= 1000
    assert found.said.endswith("99999")
