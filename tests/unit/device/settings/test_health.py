"""The document of health checks, strictly read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.placed import with_files

from reconix.base.documents import BadDocument, print_json
from reconix.device.settings.health import (
    NAME,
    STARTED,
    BadHealth,
    Check,
    CommandSucceeds,
    Condition,
    ContainerWorks,
    FewUnitsFailed,
    FileIsFresh,
    Health,
    PageAnswers,
    PortAnswers,
    SpaceIsFree,
    UnitActive,
    can_be_proven,
    parse_health,
    print_health,
    read_health,
)
from reconix.store.registry import NotInstalled

WORDS = st.text("abc./", min_size=1)
PORTS = st.integers(1, 65535)
CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(UnitActive, WORDS),
    st.builds(FewUnitsFailed, st.integers(0, 1000)),
    st.builds(PortAnswers, PORTS),
    st.builds(PageAnswers, PORTS, WORDS.map("/{}".format), st.integers(100, 599)),
    st.builds(CommandSucceeds, st.lists(WORDS, min_size=1).map(tuple)),
    st.builds(FileIsFresh, WORDS, st.integers(1, 1 << 40)),
    st.builds(ContainerWorks, st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)),
    st.builds(SpaceIsFree, WORDS, st.integers(1, 1 << 60)),
)
CHECKS = st.lists(st.builds(Check, CONDITIONS, st.integers(1, 300)))


@given(CHECKS, st.integers(2, 3000), st.data())
def test_what_is_printed_is_parsed_again(
    checks: list[Check], timeout: int, data: st.DataObject
) -> None:
    stable, retries = data.draw(st.integers(0, timeout - 1)), data.draw(st.integers(0, 100))
    health = Health(timeout, (STARTED, *checks), stable, retries)
    assert parse_health(print_health(health), source="health.json") == health


def test_a_document_gives_its_checks_after_the_one_that_is_always_made(tmp_path: Path) -> None:
    document = {
        "timeout_seconds": 90,
        "stable_seconds": 20,
        "retries": 1,
        "checks": [
            {"kind": "unit", "unit": "nginx.service"},
            {"kind": "failed-units", "at_most": 0},
            {"kind": "tcp", "port": 80},
            {"kind": "http", "port": 80, "path": "/health", "status": 204},
            {"kind": "command", "command": ["/usr/bin/test", "-e", "/x"], "timeout_seconds": 30},
            {"kind": "file", "path": "/run/alive", "max_age_seconds": 60},
            {"kind": "free", "path": "/var/lib/x", "at_least_bytes": 1000},
        ],
    }
    health = read_health(*with_files(tmp_path, {NAME: print_json(document)}))
    assert (health.timeout_seconds, health.stable_seconds, health.retries) == (90, 20, 1)
    assert health.checks == (
        STARTED,
        Check(UnitActive("nginx.service")),
        Check(FewUnitsFailed(0)),
        Check(PortAnswers(80)),
        Check(PageAnswers(80, "/health", 204)),
        Check(CommandSucceeds(("/usr/bin/test", "-e", "/x")), 30),
        Check(FileIsFresh("/run/alive", 60)),
        Check(SpaceIsFree("/var/lib/x", 1000)),
    )


def test_only_a_system_that_says_how_it_is_judged_can_be_proven(tmp_path: Path) -> None:
    assert can_be_proven(*with_files(tmp_path / "one", {NAME: b"{}"}))
    registry, toplevel = with_files(tmp_path / "two", {"boot.json": b"{}"})
    assert not can_be_proven(registry, toplevel)
    with pytest.raises(NotInstalled, match=NAME):
        read_health(registry, toplevel)


def test_a_short_document_asks_for_no_stable_time() -> None:
    health = parse_health(b'{"timeout_seconds": 9, "checks": []}', source="health.json")
    assert (health.checks, health.stable_seconds) == ((STARTED,), 0)


@pytest.mark.parametrize(
    "check",
    [
        '{"kind": "tcp", "port": 0}',
        '{"kind": "tcp", "port": 65536}',
        '{"kind": "tcp", "port": 80, "timeout_seconds": 301}',
        '{"kind": "http", "port": 80, "path": "health", "status": 200}',
        '{"kind": "http", "port": 80, "path": "/a\\r\\nb: c", "status": 200}',
        '{"kind": "http", "port": 80, "path": "/", "status": 99}',
        '{"kind": "command", "command": []}',
        '{"kind": "file", "path": "/x", "max_age_seconds": 0}',
        '{"kind": "free", "path": "/x"}',
        '{"kind": "prayer"}',
        '{"kind": "container", "container": "../x"}',
        '{"kind": "container"}',
    ],
)
def test_a_check_that_cannot_be_made_is_refused(check: str) -> None:
    text = f'{{"timeout_seconds": 1, "checks": [{check}]}}'
    with pytest.raises((BadHealth, BadDocument)):
        parse_health(text.encode(), source="health.json")


@pytest.mark.parametrize(
    "text",
    [
        '{"timeout_seconds": 0, "checks": []}',
        '{"timeout_seconds": 3001, "checks": []}',
        '{"timeout_seconds": 9, "stable_seconds": 9, "checks": []}',
        '{"timeout_seconds": 9, "retries": -1, "checks": []}',
        '{"timeout_seconds": 1}',
        "[]",
    ],
)
def test_a_document_that_cannot_be_obeyed_is_refused(text: str) -> None:
    with pytest.raises((BadHealth, BadDocument)):
        parse_health(text.encode(), source="health.json")
