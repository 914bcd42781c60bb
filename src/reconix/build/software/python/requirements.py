r"""Requirements with hashes, as ``pip-compile`` and ``uv export`` write them.

    six==1.17.0 ; python_version >= "3" \
        --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274

A line is a requirement with one version, perhaps a marker, and the hashes of all files that may be
taken for it. Where these files are is no part of it: pip looks where its own settings say. So an
option that names an index is refused: it would say something else than what is done.

Source: the documentation of pip, *Requirements File Format* and *Secure installs*.
Tested by ``tests/unit/build/software/python/test_requirements.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reconix.build.software.python.target import BadMarker
from reconix.build.software.python.wanted import (
    BadEnvironment,
    Question,
    Wanted,
    digest_of,
    no_wheel,
    requirement_of,
)
from reconix.config.lock.wheels import INDEX
from reconix.config.problems import Place, Problem

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_NEEDLESS = ("--require-hashes", "--only-binary")
_INDEX = ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links")
_PINNED = re.compile(r"===?")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, continued ones put together."""

    text: str
    place: Place


def read(content: str, question: Question) -> list[Wanted]:
    """What requirements want.

    Args:
        content: of the file.
        question: what is asked for.

    Raises:
        BadEnvironment: something is not pinned, or cannot be had as a wheel.
    """
    if question.extras or question.groups:
        hint = f"remove them from {question.option}, and say them when the requirements are made"
        question.wrong("requirements have neither extras nor groups", hint)
    reader = _Reader(question)
    wanted = [found for line in _lines(content, question) for found in reader.of(line)]
    if reader.problems:
        raise BadEnvironment(reader.problems)
    return wanted


def _lines(content: str, question: Question) -> Iterator[_Line]:
    text, begun = "", 0
    for number, line in enumerate([*content.splitlines(), ""], 1):
        begun = begun or number
        bare = _COMMENT.sub("", line)
        text += bare.removesuffix("\\")
        if not bare.endswith("\\"):
            if text.strip():
                yield _Line(text.strip(), Place(question.file, begun))
            text, begun = "", 0


class _Reader:
    def __init__(self, question: Question) -> None:
        self.problems: list[Problem] = []
        self._question = question

    def of(self, line: _Line) -> Iterator[Wanted]:
        """What a line wants; nothing if it is for other Pythons, or wrong: then with a problem."""
        if line.text.startswith("-"):
            self._option(line)
            return
        hashes = _HASH.findall(line.text)
        requirement = requirement_of(_HASH.sub("", line.text))
        if requirement is None:
            hint = f"wheels of the project are named in {self._question.option}.wheels"
            self._wrong(line, f"not a requirement: {_HASH.sub('', line.text)[:80]!r}", hint)
        elif self._counts(requirement, line):
            yield from self._wanted(requirement, hashes, line)

    def _counts(self, requirement: Requirement, line: _Line) -> bool:
        is_own = canonicalize_name(requirement.name) in self._question.own
        try:
            return not is_own and self._question.target.holds(requirement.marker)
        except BadMarker as error:
            self._wrong(line, str(error), error.hint)
            return False

    def _wanted(self, requirement: Requirement, hashes: list[str], line: _Line) -> Iterator[Wanted]:
        digests = [digest for digest in map(digest_of, hashes) if digest is not None]
        version = _version(requirement)
        if not digests:
            fact = f"{requirement.name} has no SHA-256 hash"
            hint = "pip-compile --generate-hashes, or uv export, writes hashes"
            self._wrong(line, fact, hint)
        elif requirement.url is not None and not requirement.url.endswith(".whl"):
            what = f"{requirement.name} @ {requirement.url}"
            self.problems.append(no_wheel(self._question, what, line.place, []))
        elif version is None:
            hint = "lock the requirements with pip-compile or uv"
            self._wrong(line, f"{requirement} is not pinned to one version with ==", hint)
        else:
            yield Wanted(
                name=canonicalize_name(requirement.name),
                version=version,
                hashes=tuple(sorted(set(digests))),
                place=line.place,
                origin=requirement.url or INDEX,
                extras=frozenset(map(canonicalize_name, requirement.extras)),
            )

    def _option(self, line: _Line) -> None:
        option = re.split(r"[\s=]", line.text, maxsplit=1)[0]
        if option in _NEEDLESS:
            return
        if option in _INDEX:
            hint = "remove it; pip config set global.index-url … says where this machine looks"
            self._wrong(line, f"{option} has no effect here", hint)
        elif option in ("-e", "--editable"):
            hint = f"remove it, and name the project's own wheel in {self._question.option}.wheels"
            self._wrong(line, "an editable project is no wheel", hint)
        else:
            self._wrong(line, f"{option} is not supported", "write the pinned requirements here")

    def _wrong(self, line: _Line, fact: str, hint: str = "") -> None:
        self.problems.append(Problem(line.place, "", fact, hint))


def _version(requirement: Requirement) -> str | None:
    """The only version that fits, if there is just one."""
    if requirement.url is not None:
        parts = requirement.url.rpartition("/")[2].split("-")
        return parts[1] if len(parts) > 2 else None
    pins = [s for s in requirement.specifier if _PINNED.fullmatch(s.operator)]
    if len(requirement.specifier) == len(pins) == 1 and "*" not in pins[0].version:
        return pins[0].version
    return None
