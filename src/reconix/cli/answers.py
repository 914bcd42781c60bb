"""Giving the answer of a command: for a person, or for a program."""

import argparse
import sys

from reconix.base.documents import JsonInput, print_json


def answer(arguments: argparse.Namespace, *, text: str, document: JsonInput) -> None:
    """Print ``document`` as JSON if ``--json`` was given, otherwise ``text``."""
    if getattr(arguments, "json", False):
        sys.stdout.buffer.write(print_json(document))
        sys.stdout.buffer.flush()
    elif text:
        print(text)
