"""Each kind of check passes on a device that is well, and says why on one that is not."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.device.conftest import Units

from reconix.device.settings.health import (
    Check,
    CommandSucceeds,
    Condition,
    ContainerWorks,
    FewUnitsFailed,
    FileIsFresh,
    PageAnswers,
    PortAnswers,
    SpaceIsFree,
    UnitActive,
)
from reconix.device.trial.checks import Finding, find


def found(condition: Condition, seconds: float = 5) -> Finding:
    return find(Check(condition), seconds)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def web_server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers one request, gives its port and what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(server.getsockname()[1]), asked
        thread.join()


def test_a_unit_that_is_active_passes_with_the_identity_of_its_invocation(units: Units) -> None:
    units.activate("nginx.service")
    assert found(UnitActive("nginx.service")) == Finding(holds=True, identity="1")


def test_a_unit_that_is_not_active_says_its_status(units: Units) -> None:
    result = found(UnitActive("nginx.service"))
    assert (result.holds, result.given_up) == (False, False)
    assert result.output == "nginx.service is broken: no such page"


def test_a_unit_that_has_failed_is_given_up(units: Units) -> None:
    units.give_up("nginx.service")
    assert found(UnitActive("nginx.service")).given_up


def container(folder: Path) -> Finding:
    return find(Check(ContainerWorks("broker")), 5, folder)


def test_a_container_without_a_check_works_while_its_unit_is_active(
    units: Units, tmp_path: Path
) -> None:
    assert container(tmp_path).output == "container-broker.service is broken: no such page"
    units.activate("container-broker.service")
    assert container(tmp_path) == Finding(holds=True, identity="1")


def test_a_container_that_is_given_up_is_not_waited_for(units: Units, tmp_path: Path) -> None:
    units.give_up("container-broker.service")
    assert container(tmp_path).given_up


def test_a_container_with_a_check_works_once_that_has_passed(units: Units, tmp_path: Path) -> None:
    units.activate("container-broker.service")
    units.load("container-broker-health.timer")
    (tmp_path / "broker").mkdir()
    assert container(tmp_path).output.startswith("its health check has not passed yet\n")
    (tmp_path / "broker/unhealthy").touch()
    result = container(tmp_path)
    assert result.output == (
        "its health check fails\ncontainer-broker-health.service is broken: no such page"
    )
    assert not result.given_up, "it may yet become healthy"
    (tmp_path / "broker/unhealthy").rename(tmp_path / "broker/healthy")
    assert container(tmp_path) == Finding(holds=True, identity="1")


def test_a_container_that_is_not_healthy_yet_is_asked_at_once(units: Units, tmp_path: Path) -> None:
    """A check of an image may be due every five minutes, from five minutes after the start on."""
    units.activate("container-broker.service")
    units.load("container-broker-health.timer")
    (tmp_path / "broker").mkdir()
    units.on_start.write_text(f"touch {tmp_path}/broker/healthy\n")
    assert container(tmp_path) == Finding(holds=True, identity="1")
    assert units.calls[-1] == "start container-broker-health.service"
    assert container(tmp_path).holds
    assert units.calls[-1].startswith("show"), "it is not asked again"


def test_a_container_that_was_healthy_and_ended_does_not_work(units: Units, tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker/healthy").touch()
    assert not container(tmp_path).holds


def test_units_that_have_failed_are_named(units: Units) -> None:
    assert found(FewUnitsFailed(0)).holds
    units.give_up("a.service", "b.mount")
    assert found(FewUnitsFailed(2)).holds
    result = found(FewUnitsFailed(1))
    assert (result.holds, result.output) == (False, "failed: a.service b.mount")


def test_without_systemd_no_unit_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for condition in (UnitActive("a.service"), FewUnitsFailed(0), ContainerWorks("a")):
        assert "systemctl is not installed" in found(condition).output


def test_a_port_answers_or_says_that_it_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert found(PortAnswers(server.getsockname()[1])).holds
    assert "refused" in found(PortAnswers(free_port())).output


def test_a_page_is_asked_for_and_its_status_compared() -> None:
    with web_server(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, asked):
        assert found(PageAnswers(port, "/health", 204)).holds
    assert asked[0].startswith(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")


def test_a_page_with_another_status_says_what_came() -> None:
    with web_server(b"HTTP/1.1 500 Oh\r\n\r\npump is stuck") as (port, _):
        result = found(PageAnswers(port, "/", 200))
    assert not result.holds
    assert result.output.startswith("HTTP/1.1 500 Oh")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-dropbear\r\n", b"HTTP/1.1\r\n\r\n"])
def test_what_is_no_web_server_does_not_pass(answer: bytes) -> None:
    with web_server(answer) as (port, _):
        assert not found(PageAnswers(port, "/", 200)).holds


def test_a_web_server_that_never_answers_is_not_waited_for() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = find(Check(PageAnswers(server.getsockname()[1], "/", 200), 1), 60)
    assert "timed out" in result.output
    assert time.monotonic() - began < 10


def test_w4_a_web_server_that_answers_byte_by_byte_has_no_more_time() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x")
                time.sleep(0.01)  # all that is read of an answer would take 40 s

    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        result = find(Check(PageAnswers(server.getsockname()[1], "/", 200), 1), 60)
    assert "timed out" in result.output
    assert time.monotonic() - began < 10


def test_w4_a_command_that_never_stops_talking_has_no_more_time() -> None:
    began = time.monotonic()
    talks = "yes & yes >&2 & yes >&2 & yes"  # they end when nobody listens
    result = find(Check(CommandSucceeds(("sh", "-c", talks)), 1), 30)
    assert "timed out after 1" in result.output
    assert time.monotonic() - began < 10


def test_a_command_that_fails_tells_its_last_words() -> None:
    result = found(CommandSucceeds(("sh", "-c", "echo no pump >&2; exit 7")))
    assert (result.holds, result.output) == (False, "exit status 7: no pump")


def test_a_command_that_does_not_exist_fails() -> None:
    assert "not installed" in found(CommandSucceeds(("/no/such/program",))).output


def test_a_command_has_the_time_of_its_check_and_no_more() -> None:
    began = time.monotonic()
    result = find(Check(CommandSucceeds(("sleep", "60")), 1), 30)
    assert "timed out after 1" in result.output
    assert time.monotonic() - began < 10


def test_what_a_command_says_is_bounded() -> None:
    result = found(CommandSucceeds(("sh", "-c", "seq 99999 >&2; exit 1")))
    assert len(result.output) <= 1000
    assert result.output.endswith("99999")


def test_a_file_is_fresh_old_or_missing(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert "No such file" in found(FileIsFresh(str(alive), 60)).output
    alive.touch()
    assert found(FileIsFresh(str(alive), 60)).holds
    os.utime(alive, (0, time.time() - 100))
    assert found(FileIsFresh(str(alive), 60)).output == "it is 100 s old"


def test_a_file_from_before_the_clock_was_set_back_is_not_old(tmp_path: Path) -> None:
    os.utime(tmp_path, (0, time.time() + 9999))
    assert found(FileIsFresh(str(tmp_path), 1)).holds


def test_room_is_there_or_the_rest_is_named(tmp_path: Path) -> None:
    assert found(SpaceIsFree(str(tmp_path), 1)).holds
    assert "bytes free" in found(SpaceIsFree(str(tmp_path), 1 << 60)).output
    assert "No such file" in found(SpaceIsFree(str(tmp_path / "x"), 1)).output
