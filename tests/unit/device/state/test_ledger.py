"""What must not be forgotten, in a form that no release changes."""

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.boot.tables import Slot
from reconix.boot.transitions import (
    Armed,
    Booted,
    Cancelled,
    Confirmed,
    Event,
    Received,
    Unhealthy,
    WriteBegun,
    Written,
    advance,
)
from reconix.boot.trial import Reason, State, Unlisted, Verdict, installed
from reconix.device.state.ledger import MAX_BYTES, MAX_LEFT, Ledger, Left, parse_ledger, read_ledger
from reconix.transfer.sending.signing import generate, public
from reconix.transfer.trust.keys import KeySet

OLD, NEW = "/nix/store/1-generation-old", "/nix/store/2-generation-new"
ONE, TWO = Slot(1), Slot(2)
ANNA, BERT = (public(generate(name)) for name in ("anna", "bert"))
FULL = Ledger(
    rollback_index=7,
    keys=KeySet.of([BERT], version=2),
    revoked=frozenset([ANNA.value]),
    previous=OLD,
    trying=NEW,
    left=(Left(OLD, "panic"), Left(NEW, "power", 3)),
    others=(b"moon full", b"\xff\xfe"),
)
TO_TRIAL: list[Event] = [Received(NEW), WriteBegun(TWO), Written(), Armed(), Booted(TWO, ONE)]


def after(*events: Event, ledger: Ledger | None = None) -> Ledger:
    """The ledger of a device to which this has happened."""
    state: State = installed(OLD, ONE)
    found = ledger or Ledger()
    for event in events:
        following = advance(state, event)
        found, state = found.following(state, following), following
    return found


def test_w3_the_form_of_each_line_is_fixed_for_ever() -> None:
    """No release may change what is expected here; it may add lines."""
    assert FULL.print().splitlines() == [
        b"floor 7",
        b"keys 2 1 " + str(BERT).encode(),
        b"revoked " + str(ANNA).partition(":")[2].encode(),
        b"previous /nix/store/1-generation-old",
        b"trying /nix/store/2-generation-new",
        b"left /nix/store/1-generation-old panic 1",
        b"left /nix/store/2-generation-new power 3",
        b"moon full",
        b"\xff\xfe",
    ]
    assert parse_ledger(FULL.print()) == FULL


@given(st.binary(max_size=200))
def test_w3_whatever_a_line_says_it_is_kept_and_hurts_no_other(line: bytes) -> None:
    damaged = FULL.print() + line.replace(b"\n", b"").replace(b"\r", b"") + b"\nfloor 9\n"
    found = parse_ledger(damaged)
    assert found.rollback_index >= 9 and found.revoked >= FULL.revoked
    assert parse_ledger(found.print()) == found


@pytest.mark.parametrize(
    "line", [b"floor x", b"floor -1", b"floor 1 2", b"left a", b"keys 1 9 x", b"previous /etc"]
)
def test_a_line_that_makes_no_sense_says_nothing(line: bytes) -> None:
    assert parse_ledger(line) == Ledger(others=(line,))


def test_a_generation_that_was_left_is_there_before_the_state_says_so() -> None:
    rejected = after(*TO_TRIAL, Unhealthy("port 80"))
    assert (rejected.left, rejected.trying) == ((Left(NEW, "unhealthy"),), NEW)
    back = after(*TO_TRIAL, Unhealthy("port 80"), Booted(ONE, ONE))
    assert (back.left, back.trying) == ((Left(NEW, "unhealthy"),), None)


def test_the_same_end_again_is_counted_again() -> None:
    once: list[Event] = [*TO_TRIAL, Booted(ONE, ONE, Reason.PANIC)]
    assert after(*once, *once, *once).left == (Left(NEW, "panic", 3),)


def test_what_is_kept_was_not_left() -> None:
    ledger = after(*TO_TRIAL, Booted(ONE, ONE, Reason.PANIC), *TO_TRIAL, Confirmed(TWO))
    assert (ledger.left, ledger.previous) == ((), OLD)


def test_what_gave_way_to_a_newer_one_was_not_left() -> None:
    assert after(*TO_TRIAL[:4], Cancelled(Reason.SUPERSEDED)).left == ()
    assert after(*TO_TRIAL[:4], Cancelled()).left == (Left(NEW, "operator"),)


def test_a_word_of_a_newer_agent_cannot_become_a_line() -> None:
    ledger = Ledger().leaving(NEW, Unlisted("too hot\nfloor 99"))
    assert ledger.print() == b"left /nix/store/2-generation-new too_hot_floor_99 1\n"


def test_w3_one_that_is_too_large_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(FULL.print() + b"moon full\n" * MAX_BYTES)
    found = read_ledger(path)
    assert (found.rollback_index, found.revoked, found.left) == (
        FULL.rollback_index,
        FULL.revoked,
        FULL.left,
    )


@pytest.mark.parametrize(
    "line",
    [
        lambda number: b"moon %d" % number,
        lambda number: b"left /nix/store/%d-generation-x panic 1" % number,
        lambda number: b"revoked " + b64encode(sha256(b"%d" % number).digest()),
    ],
    ids=["unknown", "left", "revoked"],
)
def test_w3_a_full_one_is_read_at_once(line: Callable[[int], bytes]) -> None:
    """Where each line copied those before it, that took up to 19 s, at each start of a device."""
    content = b"\n".join(map(line, range(MAX_BYTES // 40)))[:MAX_BYTES]
    began = time.process_time()
    parse_ledger(content)
    assert time.process_time() - began < 1.5


def test_the_oldest_of_very_many_goes_first() -> None:
    ledger = Ledger()
    for number in range(MAX_LEFT + 1):
        ledger = ledger.leaving(f"/nix/store/{number}-generation", Reason.PANIC)
    assert len(ledger.left) == MAX_LEFT and ledger.left_of("/nix/store/0-generation") is None


def test_w3_what_the_disk_does_not_show_is_completed() -> None:
    shown = installed("/nix/store/3-generation-third", ONE)
    how = Verdict(Reason.PANIC, output="no init")
    found = FULL.completed(shown, [OLD], how)
    assert found.previous == OLD and found.last is not None
    assert (found.last.generation, found.last.verdict) == (NEW, how)
    assert FULL.replacing(found).left[-1] == Left(NEW, "panic", 4)
    settled = replace(FULL, trying=None).completed(shown, [], how)
    assert settled.previous is None, "its objects are not there any more"
    assert settled.last is not None and settled.last.verdict == Verdict(Unlisted("power"))
