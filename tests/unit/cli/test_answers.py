"""An answer is for a person or for a program; complaints never go where answers do."""

import argparse
import io
import json
import sys

import pytest

from reconix.cli import answers

Captured = pytest.CaptureFixture[str]


def test_a_person_gets_the_text(capsys: Captured) -> None:
    answers.answer(argparse.Namespace(json=False), text="done", document={"done": True})
    assert capsys.readouterr() == ("done\n", "")


def test_a_program_gets_the_document(capsys: Captured) -> None:
    answers.answer(argparse.Namespace(json=True), text="done", document={"done": True})
    assert json.loads(capsys.readouterr().out) == {"done": True}


def test_a_command_without_json_answers_a_person(capsys: Captured) -> None:
    answers.answer(argparse.Namespace(), text="done", document={})
    assert capsys.readouterr().out == "done\n"


def test_nothing_to_say_is_no_empty_line(capsys: Captured) -> None:
    answers.answer(argparse.Namespace(json=False), text="", document={})
    assert capsys.readouterr().out == ""


def test_a_complaint_goes_to_the_other_output(capsys: Captured) -> None:
    answers.complain("error: no")
    assert capsys.readouterr() == ("", "error: no\n")


def test_what_would_move_the_cursor_is_spelt_out(capsys: Captured) -> None:
    answers.say("a\x1b[2Jb")
    answers.complain("c\rd")
    out, err = capsys.readouterr()
    assert "\x1b" not in out and "\r" not in err


def test_what_is_ours_to_the_byte_is_given_to_the_byte(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    answers.give(b"\x00\xff\n")
    assert capfdbinary.readouterr().out == b"\x00\xff\n"


def test_a_terminal_without_unicode_shows_the_rest_of_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    answers.spell_what_a_terminal_cannot()
    answers.say("1 → 2")
    assert terminal.getvalue() == b"1 \\u2192 2\n"
