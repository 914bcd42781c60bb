"""Variables get their values, or it is said that they have none."""

import time

import pytest

from reconix.containers.compose.variables import NoValue, parse_variables, put_values

VALUES = {"TAG": "2", "EMPTY": "", "PART": "a$TAG", "LONG": "x" * 1000}


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("x:$TAG-${TAG}", "x:2-2"),
        ("$$TAG ${TAG}$$", "$TAG 2$"),
        ("${NO:-a}${NO-b}", "ab"),
        ("${EMPTY:-a}|${EMPTY-b}", "a|"),
        ("${TAG:+a}|${NO:+a}|${EMPTY+a}|${EMPTY:+a}", "a||a|"),
        ("${NO:-${ALSO:-${TAG}}}", "2"),
        ("${TAG:?must be set}", "2"),
        ("${NO:-}", ""),
        ("$PART", "a$TAG"),
        ("a $ b", "a $ b"),
        ("$1", "$1"),
        ("${NO:-a}b}", "ab}"),
    ],
)
def test_variables_are_replaced_once(text: str, given: str) -> None:
    assert put_values(text, VALUES) == given


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$NO", "NO has no value"),
        ("${NO}", "NO has no value"),
        ("${EMPTY:?say it}", "EMPTY has no value: say it"),
        ("${TAG", "not closed"),
        ("${}", "no variable"),
        ("${1}", "no variable"),
        ("${TAG!x}", "no variable"),
        ("${NO:-" * 20 + "x" + "}" * 20, "nested too deep"),
        ("$LONG" * 100, "too long"),
    ],
)
def test_what_has_no_value_is_told(text: str, why: str) -> None:
    with pytest.raises(NoValue, match=why):
        put_values(text, VALUES)


def test_a_long_text_of_openings_costs_little() -> None:
    began = time.process_time()
    with pytest.raises(NoValue):
        put_values("${A:-" * 20_000, VALUES)
    assert time.process_time() - began < 5


def test_a_file_of_variables_is_read_as_docker_reads_it() -> None:
    text = """
# a comment
A=1
export B = two words   # and a comment
C='$A \\n #'
D="x\\n${A}" # c
E=${A}0
F=
G
H=a#b
not a line
I="${NO}"
"""
    assert parse_variables(text) == {
        "A": "1",
        "B": "two words",
        "C": "$A \\n #",
        "D": "x\n1",
        "E": "10",
        "F": "",
        "G": None,
        "H": "a#b",
        "I": "${NO}",
    }
