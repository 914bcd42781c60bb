"""Everything that a command says: its answer, for a person or for a program, and its complaints.

This is the one place of ``cli/`` that prints, because what is shown may hold text of others, and
that is spelt out here (``base/text.py``). Documents in JSON too: a person may be looking, and they
mean the same to a program. Progress has a place of its own, ``progress.py``.

Tested by ``tests/unit/cli/test_answers.py`` and ``tests/unit/cli/test_foreign_text.py``.
"""

import argparse
import contextlib
import io
import sys

from reconix.base.documents import JsonInput, show_json
from reconix.base.text import message, shown


def answer(arguments: argparse.Namespace, *, text: str, document: JsonInput) -> None:
    """Print ``document`` as JSON if ``--json`` was given, otherwise ``text``."""
    if getattr(arguments, "json", False):
        answer_json(document)
    elif text:
        say(text)


def answer_json(document: JsonInput) -> None:
    """Print a document."""
    print(show_json(document), flush=True)


def say(text: str) -> None:
    """Print a text."""
    print(shown(text), flush=True)


def complain(text: str) -> None:
    """Print an error or a hint, where answers do not go."""
    print(message(text), file=sys.stderr, flush=True)


def give(content: bytes) -> None:
    """Print what is ours to the byte, say, a script for a shell."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def spell_what_a_terminal_cannot() -> None:
    """Let a terminal without Unicode show the rest of a line, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(io.UnsupportedOperation):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
