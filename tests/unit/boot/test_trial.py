import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconix.base.documents import BadDocument, print_json
from reconix.boot.tables import Slot
from reconix.boot.transitions import Booted, advance
from reconix.boot.trial import (
    MAX_OUTPUT_CHARACTERS,
    BadState,
    Outcome,
    Phase,
    Reason,
    Result,
    SlotContent,
    State,
    Trial,
    Unlisted,
    Verdict,
    installed,
    parse_state,
    print_state,
    read_state,
    write_state,
)

GOLDEN = Path(__file__).parents[2] / "data" / "boot" / "state.json"
OLD, NEW = "/nix/store/0123-generation-old", "/nix/store/4567-generation-new"
REJECTED = State(
    committed=SlotContent(Slot(1), OLD),
    contents=(SlotContent(Slot(1), OLD), SlotContent(Slot(2), NEW)),
    previous="/nix/store/89ab-generation-older",
    phase=Phase.REJECTED,
    trial=Trial(NEW, Slot(2), attempts=1),
    verdict=Verdict(Reason.UNHEALTHY, "unit nginx.service is active", "failed\n"),
    last=Outcome(Result.FELL_BACK, NEW, Verdict(Unlisted("power"))),
)


@pytest.mark.parametrize("state", [REJECTED, installed(OLD, Slot(1))], ids=["full", "new"])
def test_a_state_is_read_as_it_was_written(state: State, tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", state)
    assert read_state(tmp_path / "state.json") == state


def test_the_document_is_that_of_the_golden_file() -> None:
    """A change here is a change of version: agents in the field read this."""
    if os.environ.get("ACCEPT"):
        GOLDEN.write_bytes(print_state(REJECTED))
    assert print_state(REJECTED) == GOLDEN.read_bytes()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 0),
        ("committed", {"slot": 2, "generation": OLD}),
        ("committed", {"slot": 9, "generation": OLD}),
        ("contents", []),
        ("contents", [{"slot": 2, "generation": NEW}, {"slot": 1, "generation": OLD}]),
        ("phase", "on-trial"),
        ("phase", "idle"),
        ("phase", "received"),
        ("trial", None),
        ("trial", {"generation": NEW, "slot": 1, "attempts": 1, "attempts_allowed": 2}),
        ("trial", {"generation": OLD, "slot": 2, "attempts": 1, "attempts_allowed": 2}),
        ("trial", {"generation": NEW, "slot": 2, "attempts": 0, "attempts_allowed": 2}),
        ("trial", {"generation": NEW, "slot": 2, "attempts": 3, "attempts_allowed": 2}),
        ("trial", {"generation": NEW, "slot": 2, "attempts": 0, "attempts_allowed": 0}),
        ("trial", {"generation": "two words", "slot": 2, "attempts": 1, "attempts_allowed": 2}),
        ("verdict", None),
        ("verdict", {"reason": 7, "what": "", "said": ""}),
        ("last", {"result": "fell-back", "generation": NEW, "verdict": None}),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(key: str, value: object) -> None:
    document = json.loads(print_state(REJECTED))
    document[key] = value
    content = json.dumps(document).encode()
    with pytest.raises((BadState, BadDocument)):
        parse_state(content, source="s")


def newer_document() -> dict[str, Any]:
    """What an agent of a later release might write of the same update."""
    document: dict[str, Any] = json.loads(print_state(REJECTED))
    document |= {"version": 2, "mood": "good"}
    document["trial"]["verity"] = "ab"
    document["verdict"]["reason"] = document["last"]["verdict"]["reason"] = "too hot"
    document["last"]["degrees"] = 90
    return document


def test_w3_what_a_newer_agent_says_is_kept_beside_what_is_known() -> None:
    content = print_json(newer_document())
    state = parse_state(content, source="s")
    assert state.verdict == Verdict(Unlisted("too hot"), "unit nginx.service is active", "failed\n")
    assert state.previous == REJECTED.previous and not state.verdict.reason.may_be_repeated
    assert print_state(state) == content


def test_w3_a_key_stays_as_long_as_the_object_in_which_it_stands() -> None:
    state = advance(parse_state(print_json(newer_document()), source="s"), Booted(Slot(1), Slot(1)))
    written = json.loads(print_state(state))
    assert (written["version"], written["mood"], written["trial"]) == (2, "good", None)
    assert written["last"]["verdict"]["reason"] == "too hot"
    assert "degrees" not in written["last"], "that was of the trial before"


def test_w3_an_update_in_a_phase_without_a_name_has_ended_and_nothing_else_is_forgotten() -> None:
    document = newer_document() | {"phase": "probation", "verdict": None}
    state = parse_state(print_json(document), source="s")
    assert (state.phase, state.trial, state.previous) == (Phase.IDLE, None, REJECTED.previous)
    assert state.last == Outcome(
        Result.FELL_BACK, NEW, Verdict(Unlisted("probation"), "a newer agent was at it")
    )


def test_what_a_check_says_never_makes_a_state_that_cannot_be_read(tmp_path: Path) -> None:
    verdict = Verdict(Reason.UNHEALTHY, "\x01" * 9999, "\x01" * 9999)
    state = replace(REJECTED, verdict=verdict, last=Outcome(Result.FELL_BACK, NEW, verdict))
    write_state(tmp_path / "state.json", state)
    assert read_state(tmp_path / "state.json") == state


def test_the_output_of_a_check_is_bounded() -> None:
    verdict = Verdict(Reason.UNHEALTHY, "x" * 9999, "begin" + "y" * 9999 + "end")
    assert len(verdict.what) == len(verdict.output) == MAX_OUTPUT_CHARACTERS
    assert verdict.output.endswith("yend")


def test_only_a_fall_back_has_a_reason() -> None:
    with pytest.raises(BadState):
        Outcome(Result.CONFIRMED, NEW, Verdict(Reason.UNKNOWN))


def test_a_confirmed_slot_is_never_under_trial() -> None:
    with pytest.raises(BadState, match="committed"):
        replace(REJECTED, committed=SlotContent(Slot(2), NEW))
