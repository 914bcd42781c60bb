"""Which streams a device trusts: faults T1 to T5, with real signatures."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.nix.signatures import SecretKey
from reconix.transfer.sending.signing import Signer, generate, print_secret, public, sign_key_set
from reconix.transfer.trust import ed25519
from reconix.transfer.trust.keys import BadKey, KeySet, PublicKey, parse_key_set
from reconix.transfer.trust.seal import (
    BadSeal,
    Seal,
    Signature,
    SignedKeySet,
    keys_statement,
    parse_seal,
    stream_statement,
)
from reconix.transfer.trust.trust import (
    FAST_FORWARD_LIMIT,
    UNSIGNED,
    BelowRollbackIndex,
    BeyondFastForwardLimit,
    NotTrusted,
    Trust,
)

DIGEST, ROOT = bytes(range(32)), bytes(range(32, 64))
STATEMENT = stream_statement(DIGEST, ROOT)
ANNA, BERT, CARL, EVE = (generate(name) for name in ("anna", "bert", "carl", "eve"))


def key_set(*keys: SecretKey, version: int = 1, threshold: int = 1) -> KeySet:
    return KeySet.of(map(public, keys), version=version, threshold=threshold)


def seal(*keys: SecretKey, sets: Iterable[SignedKeySet] = ()) -> Seal:
    return Signer(keys, tuple(sets)).seal(DIGEST, ROOT)


def verify(
    trust: Trust, sealed: Seal, sequence: int = 7, statement: bytes = STATEMENT
) -> KeySet | None:
    return trust.verify(sealed, statement, sequence)


TRUST = Trust(key_set(ANNA, BERT, CARL, threshold=2), rollback_index=5)


# --- T1: who says so


def test_t1_enough_of_the_right_keys_are_trusted() -> None:
    assert verify(TRUST, seal(ANNA, CARL)) == TRUST.keys
    assert verify(TRUST, seal(ANNA, BERT, CARL, EVE)) == TRUST.keys


@pytest.mark.parametrize(
    "keys", [(), (ANNA,), (ANNA, ANNA), (EVE,), (EVE, ANNA)], ids=["none", "1", "twice", "eve", "+"]
)
def test_t1_fewer_than_the_threshold_are_not(keys: tuple[SecretKey, ...]) -> None:
    with pytest.raises(NotTrusted, match=r"has [01] of 2 required signatures by key set 1"):
        verify(TRUST, seal(*keys))


def test_t1_a_signature_that_stands_twice_counts_once() -> None:
    once = seal(ANNA).signatures
    with pytest.raises(NotTrusted):
        verify(TRUST, Seal(once * 2))


def test_t1_a_signature_over_something_else_does_not_count() -> None:
    others = [
        stream_statement(ROOT, DIGEST),
        stream_statement(DIGEST, bytes(32)),
        stream_statement(bytes(32), ROOT),
        keys_statement(DIGEST + ROOT),
        DIGEST + ROOT,
    ]
    for statement in others:
        with pytest.raises(NotTrusted):
            verify(TRUST, seal(ANNA, BERT), statement=statement)


def test_t1_a_signature_under_the_key_of_another_does_not_count() -> None:
    signatures = seal(EVE, ANNA).signatures
    values = {each.key: each.value for each in signatures}
    forged = Signature(public(BERT).value, values[public(EVE).value])
    with pytest.raises(NotTrusted):
        verify(TRUST, Seal((*seal(ANNA).signatures, forged)))


def test_t1_a_revoked_key_does_not_count() -> None:
    keys = KeySet.of([public(BERT)], version=2, revoked=[public(ANNA).value])
    verify(Trust(keys), seal(BERT))
    with pytest.raises(NotTrusted):
        verify(Trust(keys), seal(ANNA))


def test_t1_a_device_without_a_trusted_key_takes_nothing() -> None:
    with pytest.raises(NotTrusted, match="has no trusted key"):
        verify(Trust(), seal(ANNA))


def test_t1_only_a_device_that_is_told_so_takes_what_is_unsigned() -> None:
    assert Trust().required
    assert verify(UNSIGNED, Seal(), sequence=0) is None


# --- T2: is it new


@pytest.mark.parametrize("sequence", [0, 4])
def test_t2_what_is_below_the_rollback_index_is_refused(sequence: int) -> None:
    with pytest.raises(BelowRollbackIndex, match=f"number {sequence}, the rollback index is 5"):
        verify(TRUST, seal(ANNA, BERT), sequence)


@pytest.mark.parametrize("sequence", [5, 6, 5 + FAST_FORWARD_LIMIT])
def test_t2_what_is_at_the_rollback_index_or_above_is_taken(sequence: int) -> None:
    verify(TRUST, seal(ANNA, BERT), sequence)


@pytest.mark.parametrize("sequence", [6 + FAST_FORWARD_LIMIT, (1 << 63) - 1])
def test_t2_what_is_beyond_the_fast_forward_limit_is_refused(sequence: int) -> None:
    with pytest.raises(BeyondFastForwardLimit, match="too far ahead"):
        verify(TRUST, seal(ANNA, BERT), sequence)


# --- T4: keys come and go


def rotation(old: KeySet, new: KeySet, *signers: SecretKey) -> SignedKeySet:
    assert new.version == old.version + 1
    return sign_key_set(new, signers)


FIRST = key_set(ANNA, BERT)
SECOND = KeySet.of([public(BERT), public(CARL)], version=2, revoked=[public(ANNA).value])
THIRD = KeySet.of([public(CARL)], version=3)


def test_t4_the_old_set_brings_in_the_new_one() -> None:
    sets = [rotation(FIRST, SECOND, ANNA), rotation(SECOND, THIRD, BERT)]
    in_force = verify(Trust(FIRST), seal(CARL, sets=sets))
    assert in_force is not None
    assert in_force.version == 3 and in_force.active == {public(CARL).value}
    assert public(ANNA).value in in_force.revoked
    verify(Trust(SECOND), seal(CARL, sets=sets))
    with pytest.raises(NotTrusted):
        verify(Trust(in_force), seal(BERT, sets=sets))


def test_t4_after_the_rotation_the_old_key_signs_nothing() -> None:
    with pytest.raises(NotTrusted):
        verify(Trust(FIRST), seal(ANNA, sets=[rotation(FIRST, SECOND, ANNA)]))


def test_t4_a_new_set_cannot_bring_in_itself() -> None:
    evil = KeySet.of([public(EVE)], version=2)
    with pytest.raises(NotTrusted, match="key set 2 has 0 of 1 required"):
        verify(Trust(FIRST), seal(EVE, sets=[rotation(FIRST, evil, EVE)]))


def test_t4_as_many_as_the_old_threshold_must_agree() -> None:
    strict = key_set(ANNA, BERT, threshold=2)
    with pytest.raises(NotTrusted, match="key set 2 has 1 of 2 required"):
        verify(Trust(strict), seal(BERT, sets=[rotation(strict, SECOND, BERT)]))
    verify(Trust(strict), seal(BERT, sets=[rotation(strict, SECOND, ANNA, BERT)]))


def test_t4_no_set_is_left_out() -> None:
    with pytest.raises(NotTrusted, match="key set 3 cannot follow 1"):
        verify(Trust(FIRST), seal(CARL, sets=[rotation(SECOND, THIRD, ANNA)]))


def test_t4_a_revoked_key_does_not_return() -> None:
    again = KeySet.of([public(ANNA), public(BERT)], version=3)
    with pytest.raises(NotTrusted, match="was revoked before"):
        verify(Trust(SECOND), seal(BERT, sets=[rotation(SECOND, again, BERT)]))


def test_t4_one_of_two_keys_is_enough_to_replace_the_lost_one() -> None:
    """Recovery: the reason to have two keys and a threshold of one."""
    after = KeySet.of([public(BERT), public(EVE)], version=2, revoked=[public(ANNA).value])
    verify(Trust(FIRST), seal(EVE, sets=[rotation(FIRST, after, BERT)]))


def test_t4_an_old_set_that_is_repeated_changes_nothing() -> None:
    in_force = verify(Trust(SECOND), seal(BERT, sets=[rotation(FIRST, SECOND, ANNA)]))
    assert in_force == SECOND


# --- T5: no clock is asked


@pytest.mark.parametrize("when", ["0", "4294967295"])
def test_t5_the_year_does_not_matter(when: str) -> None:
    """1970 and 2106: the decision is made in a process whose ``time`` says so."""
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); time.time = lambda: float(sys.argv[2]);"
        "from reconix.transfer.trust.keys import parse_key_set;"
        "from reconix.transfer.trust.seal import parse_seal;"
        "from reconix.transfer.trust.trust import Trust;"
        "keys, seal, statement = map(bytes.fromhex, sys.argv[3:]);"
        "Trust(parse_key_set(keys)).verify(parse_seal(seal), statement, 1); print(time.time())"
    )
    source = str(Path(ed25519.__file__).parents[3])
    parts = [FIRST.print().hex(), seal(ANNA).print().hex(), STATEMENT.hex()]
    words = [sys.executable, "-I", "-S", "-c", program, source, when, *parts]
    assert float(subprocess.check_output(words)) == float(when)


# --- spelling


def test_a_seal_comes_back() -> None:
    sealed = seal(ANNA, BERT, sets=[rotation(FIRST, SECOND, ANNA)])
    assert parse_seal(sealed.print()) == sealed


@given(st.binary(max_size=300))
def test_bytes_are_a_seal_with_one_spelling_or_none(content: bytes) -> None:
    try:
        sealed = parse_seal(content)
    except BadSeal:
        return
    assert sealed.print() == content


def test_a_seal_cut_anywhere_or_longer_is_none() -> None:
    content = seal(ANNA, sets=[rotation(FIRST, SECOND, ANNA)]).print()
    for size in range(len(content)):
        with pytest.raises(BadSeal):
            parse_seal(content[:size])
    with pytest.raises(BadSeal, match="follow"):
        parse_seal(content + b"\0")


def test_a_key_set_comes_back() -> None:
    assert parse_key_set(SECOND.print()) == SECOND


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0},
        {"threshold": 3},
        {"version": 0},
        {"keys": ()},
        {"keys": (public(ANNA), public(ANNA))},
        {"revoked": frozenset([public(ANNA).value])},
    ],
    ids=["nobody", "too-many", "version-0", "no-keys", "one-twice", "revoked"],
)
def test_a_key_set_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(BadKey):
        replace(FIRST, **wrong)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize("text", ["", "anna", "anna:", "anna:AAAA", "a b:" + "A" * 43 + "=", ":x"])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        PublicKey.parse(text)


def test_a_key_comes_back_and_a_secret_one_does_not_show() -> None:
    assert PublicKey.parse(str(public(ANNA))) == public(ANNA)
    assert SecretKey.parse(print_secret(ANNA)) == ANNA
    assert print_secret(ANNA).partition(":")[2] not in repr(ANNA)
