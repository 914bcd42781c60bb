"""What a lock file of Python's tools asks for, in whichever format it is written.

Three formats, one meaning: distributions by name and version, each with the hashes of the files
that may be taken for it. Where a format lists the files, the best for the target is chosen here, by
name; requirements list only hashes, and the choice is left to pip, which asks the index for names.

Whatever can only be had as source is refused: to build it runs programs of others, and what comes
out depends on this machine. The error says how to make a wheel of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import create_compatible_tags_selector
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.build.software.python.target import Target
from reconix.config.lock.wheels import INDEX
from reconix.config.problems import Place, Problem

MAX_LOCK_BYTES = 16 << 20


class BadEnvironment(ReconixError):
    """What is to be in an environment cannot be: all that is wrong with it, not only the first."""

    exit_code = 65

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = f"{len(self.problems)} errors" if len(self.problems) > 1 else "an error"
        shown = "\n".join(map(str, self.problems))
        super().__init__(f"a Python environment has {count}\n{shown}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A distribution that is pinned."""

    name: str
    """Normalised."""
    version: str
    hashes: tuple[Digest, ...]
    """Of the files that may be taken for it."""
    place: Place
    """Where it is pinned."""
    origin: str = INDEX
    """``INDEX``, or an address."""
    file: Path | None = None
    """If it is a file of the project."""
    file_name: str = ""
    """If the lock says it."""
    extras: frozenset[str] = frozenset()
    """Those that are wanted of it by the lock itself."""

    @property
    def is_of_index(self) -> bool:
        """Whether it is asked for by name."""
        return self.origin == INDEX


@dataclass(frozen=True, slots=True)
class Question:
    """What a lock file is read for."""

    file: Path
    target: Target
    option: str
    """The environment, as its option: ``python.air``."""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    """Distributions of which the project has wheels; the lock need not have any."""

    def wrong(self, fact: str, hint: str = "", line: int = 0) -> NoReturn:
        """Refuse the whole file.

        Raises:
            BadEnvironment: always.
        """
        raise BadEnvironment([Problem(Place(self.file, line), "", fact, hint)])


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A wheel that a lock file lists."""

    name: str
    sha256: str
    """As the lock writes it."""
    origin: str = INDEX
    file: Path | None = None


def best(files: Iterable[ListedFile], target: Target) -> ListedFile | None:
    """The wheel that a Python would take.

    Raises:
        ValueError: one has a name that no wheel can have.
    """
    tagged = []
    for each in files:
        try:
            tagged.append((each, parse_wheel_filename(each.name)[3]))
        except InvalidWheelFilename as error:
            raise ValueError(str(error)) from error
    return next(create_compatible_tags_selector(target.tags())(tagged), None)


def expect_name(chosen: ListedFile | None, name: str, version: str) -> None:
    """Refuse a file that is listed for another distribution than it is one of.

    Raises:
        ValueError: it is.
    """
    if chosen and parse_wheel_filename(chosen.name)[:2] != (name, Version(version)):
        raise ValueError(f"{chosen.name} is listed as a wheel of {name} {version}")


def no_wheel(question: Question, what: str, place: Place, files: Sequence[str]) -> Problem:
    """That a distribution is only there as source, or for others."""
    if files:
        fact = f"no wheel of {what} is for {question.target}: {', '.join(sorted(files)[:5])}"
    else:
        fact = f"{what} is there as source only, not as a wheel"
    return Problem(place, "", fact, _make_a_wheel(what, question.option))


def _make_a_wheel(what: str, option: str) -> str:
    return (
        f"make one where that Python runs, and name it in {option}.wheels: "
        f"pip wheel --no-deps --wheel-dir wheels '{what}'"
    )


def digest_of(text: str) -> Digest | None:
    """A hash as lock files write it, ``sha256:<hex>``, if it is one that we can check."""
    algorithm, _, value = text.partition(":")
    try:
        return Digest.parse(value.lower()) if algorithm == "sha256" else None
    except ReconixError:
        return None


def requirement_of(text: str) -> Requirement | None:
    """A requirement (PEP 508), if it is one."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None
