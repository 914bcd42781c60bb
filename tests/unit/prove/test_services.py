"""Containers are known to be well from when the last of them has been seen active, and not before.

The stand-in for systemctl is asked as the agent does it.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.base.process import CommandFailed, run
from reconix.device.settings.containers import Container, unit_of
from reconix.device.settings.health import (
    STARTED,
    Check,
    ContainerWorks,
    Health,
    PageAnswers,
    parse_health,
    print_health,
)
from reconix.prove.proved import Ran, Shape
from reconix.prove.services import Services, played
from reconix.store.paths import StorePath

MAIN = "multi-user.target"
WEB, MAIL = unit_of("web"), unit_of("mail")


def path(name: str) -> StorePath:
    return StorePath.parse(f"/nix/store/{'0' * 32}-{name}")


OLD, NEW, ONE, TWO = (path(name) for name in ("old", "new", "one", "two"))


def listed(*containers: str) -> tuple[Container, ...]:
    return tuple(
        Container(each[:-1], unit_of(each[:-1]), Digest.of(each.encode())) for each in containers
    )


SHAPES = (
    Shape(OLD, b"", ONE, listed("web1"), b"1", frozenset({WEB})),
    Shape(NEW, b"", TWO, listed("mail1", "web2"), b"2", frozenset({MAIL, WEB})),
)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The old system runs; it has been pointed to the containers of the new one."""
    log, current = tmp_path / "log", tmp_path / "current"
    log.write_bytes(b"")
    current.symlink_to(tmp_path / TWO.basename)
    made = Services(tmp_path / "services", log, current, SHAPES)
    made.start(OLD, position=0)
    return made


def state(unit: str) -> str:
    said = run("systemctl", "show", "--property=ActiveState,InvocationID", unit).decode()
    return said.splitlines()[0].removeprefix("ActiveState=")


def change() -> None:
    run("systemctl", "stop", WEB)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", MAIL, WEB)


def test_what_was_started_is_active_with_its_containers(services: Services) -> None:
    with services.played():
        assert (state(MAIN), state(WEB), state(MAIL)) == ("active", "active", "inactive")
    assert services.running == {WEB}
    assert services.ran[0] == Ran(0, OLD, ONE)
    assert services.containers_of(NEW) == TWO


def test_containers_are_well_when_the_last_was_seen_active(services: Services) -> None:
    with services.played():
        change()
        assert [state(unit) for unit in (MAIL, WEB, MAIL)] == ["activating", "activating", "active"]
        services.log.write_bytes(b"written")
        assert state(WEB) == "active"
    assert services.ran == [Ran(0, OLD, ONE), Ran(len(b"written"), OLD, TWO)]
    assert services.running == {MAIL, WEB}


@pytest.mark.parametrize("left_out", ["stop", "daemon-reload", "start", "show"])
def test_they_are_not_if_something_is_left_out(services: Services, left_out: str) -> None:
    words = {
        "stop": [WEB],
        "daemon-reload": [],
        "start": [MAIL, WEB],
        "show": ["--property=ActiveState", WEB],
    }
    del words[left_out]
    with services.played():
        for verb, more in words.items():
            run("systemctl", verb, *more)
        assert state(MAIL) in ("activating", "inactive")
        state(MAIL)
        if left_out != "show":
            state(WEB)
    assert {each.containers for each in services.ran} == {ONE}


def test_units_that_are_the_same_need_not_be_read_again(services: Services) -> None:
    services.shapes = tuple(replace(each, units=b"") for each in SHAPES)
    services.start(OLD, position=0)
    with services.played():
        run("systemctl", "stop", WEB)
        run("systemctl", "start", MAIL, WEB)
        assert [state(unit) for unit in (MAIL, WEB) * 2][2:] == ["active", "active"]
    assert services.ran[-1] == Ran(0, OLD, TWO)


def test_a_container_that_goes_needs_no_other_to_be_started(services: Services) -> None:
    without = Shape(NEW, b"", TWO, (), b"")
    services.shapes = (replace(SHAPES[0], units=b""), without)
    services.start(OLD, position=0)
    with services.played():
        assert state(MAIN) == "active"
        run("systemctl", "stop", WEB)
        state(MAIN)
    assert services.ran[-1] == Ran(0, OLD, TWO)


def test_a_broken_one_does_not_start(services: Services) -> None:
    with services.played(broken=TWO):
        with pytest.raises(CommandFailed):
            change()
        assert [state(unit) for unit in (MAIL, WEB)] == ["inactive", "inactive"]
        with pytest.raises(CommandFailed):
            run("systemctl", "status", MAIL)
    assert services.ran == [Ran(0, OLD, ONE)]
    with services.played():
        run("systemctl", "start", MAIL, WEB)
        assert [state(unit) for unit in (MAIL, WEB) * 2][2:] == ["active", "active"]
    assert services.ran[-1].containers == TWO


def test_what_health_does_not_ask_for_need_not_be_seen(services: Services) -> None:
    services.shapes = (SHAPES[0], replace(SHAPES[1], asked=frozenset({WEB})))
    services.start(OLD, position=0)
    with services.played():
        change()
        assert [state(WEB), state(WEB)] == ["activating", "active"]
    assert services.ran[-1] == Ran(0, OLD, TWO)


def test_of_health_what_can_be_asked_for_stays() -> None:
    page = Check(PageAnswers(80, "/", 200))
    works = Check(ContainerWorks("web"))
    found = played(print_health(Health(60, (STARTED, page, works), stable_seconds=3)))
    assert parse_health(found, source="") == Health(60, (STARTED, works), stable_seconds=3)
