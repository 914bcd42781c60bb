"""Which of its formats a lock file has, and what it wants.

A file is recognised by its name, or else by what is in it, for a lock may be called as its team
likes.

Tested by ``tests/unit/build/software/python/test_lock_files.py``.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping

from reconix.base.files import read_bounded
from reconix.build.software.python import pylock, requirements, uv_lock
from reconix.build.software.python.wanted import (
    MAX_LOCK_BYTES,
    BadEnvironment,
    Question,
    Wanted,
)
from reconix.config.lock.wheels import is_address
from reconix.config.problems import Problem

_OTHERS = {
    "poetry.lock": "poetry export --format requirements.txt, with its plugin export",
    "pdm.lock": "pdm export --format pylock",
    "Pipfile.lock": "pipenv requirements --hash",
}


def read(question: Question) -> list[Wanted]:
    """What a lock file wants, in the order of its names.

    Raises:
        BadEnvironment: it has no known format, or wants what cannot be had.
    """
    name = question.file.name
    if name in _OTHERS:
        question.wrong(f"{name} is not read", f"write what is: {_OTHERS[name]}")
    try:
        content = read_bounded(question.file, MAX_LOCK_BYTES).decode()
    except UnicodeDecodeError:
        question.wrong("it is not text in UTF-8")
    wanted = sorted(_read(content, question), key=lambda each: each.name)
    problems = [*_twice(wanted), *_elsewhere(wanted)]
    if problems:
        raise BadEnvironment(problems)
    return wanted


def _twice(wanted: list[Wanted]) -> Iterator[Problem]:
    for one, other in itertools.pairwise(wanted):
        if one.name == other.name:
            fact = f"{one.name} is pinned in line {one.place.line}, too"
            yield Problem(other.place, "", fact, "keep one of the two")


def _elsewhere(wanted: list[Wanted]) -> Iterator[Problem]:
    for each in wanted:
        if not each.is_of_index and not is_address(each.origin):
            hint = "an address has no user and password: pip has them from its own settings"
            yield Problem(each.place, "", f"no address of a wheel: {each.origin[:200]!r}", hint)


def _read(content: str, question: Question) -> list[Wanted]:
    name = question.file.name
    is_toml = name.endswith((".toml", ".lock"))
    document = _toml(content, question) if is_toml else {}
    if "lock-version" in document:
        return pylock.read(content, document, question)
    if "version" in document:
        return uv_lock.read(content, document, question)
    if is_toml:
        question.wrong("it is neither a pylock.toml nor a uv.lock: it has no version")
    return requirements.read(content, question)


def _toml(content: str, question: Question) -> Mapping[str, object]:
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        question.wrong(f"it is not TOML: {error}")
