"""``pylock.toml``: the lock file that Python's tools have in common.

``packaging`` reads it and selects what is to be installed, for the environment and the tags that it
is told: those of the target.

Source: PEP 751. Tested by ``tests/unit/build/software/python/test_pylock.py``, with files of
``pip lock`` and ``uv export``.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockUnsupportedVersionError,
    PylockValidationError,
)
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from reconix.build.software.python.target import UNDEFINED
from reconix.build.software.python.wanted import (
    BadEnvironment,
    Question,
    Wanted,
    digest_of,
    no_wheel,
)
from reconix.config.lock.wheels import INDEX
from reconix.config.problems import Place, Problem

_KNOWN = Version("1.0")
_AGAIN = "write it again with the tool that made it"
_TABLE = re.compile(r"^\[\[\s*packages\s*\]\]", re.MULTILINE)
_NUMBER = re.compile(r"packages\[(\d+)\]")

_Source = PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist


def read(content: str, document: Mapping[str, object], question: Question) -> list[Wanted]:
    """What a ``pylock.toml`` wants.

    Args:
        content: of the file, to find lines in it.
        document: the same, as TOML has it.
        question: what is asked for.

    Raises:
        BadEnvironment: something in it cannot be had as a wheel, or it is no such file.
    """
    try:
        lock = Pylock.from_dict(document)
        if lock.lock_version > _KNOWN:
            raise PylockUnsupportedVersionError(f"lock-version {lock.lock_version} is not known")
        chosen = [*_select(lock, question)]
    except (PylockValidationError, PylockSelectError) as error:
        hint = _hint(error)
        question.wrong(str(error), hint, _line(content, _NUMBER.search(str(error))))
    except UNDEFINED as error:
        question.wrong(f"a marker compares what cannot be compared: {error}", _AGAIN)
    reader = _Reader(content, lock, question)
    wanted = [found for package, source in chosen for found in reader.of(package, source)]
    if reader.problems:
        raise BadEnvironment(reader.problems)
    return wanted


def _hint(error: Exception) -> str:
    if isinstance(error, PylockUnsupportedVersionError):
        return "update reconix, or write the lock with lock-version 1.0"
    if isinstance(error, PylockSelectError):
        return "lock again for that Python, or for all, as `uv export --format pylock.toml` does"
    return _AGAIN


def _select(lock: Pylock, question: Question) -> Iterator[tuple[Package, _Source]]:
    """What to install.

    Where no wheel fits, another source is selected if there is one, and refused later with its
    line; so packages without any are left to the error of ``packaging``.
    """
    return lock.select(
        environment=question.target.environment(),
        tags=question.target.tags(),
        extras=question.extras,
        dependency_groups=question.groups or None,
    )


class _Reader:
    def __init__(self, content: str, lock: Pylock, question: Question) -> None:
        self.problems: list[Problem] = []
        self._content, self._lock, self._question = content, lock, question

    def of(self, package: Package, source: _Source) -> Iterator[Wanted]:
        """What one package stands for; nothing, with a problem, if that is no wheel."""
        if package.name in self._question.own:
            return
        place = Place(self._question.file, self._line(package))
        match source:
            case PackageWheel():
                yield from self._wheel(package, source, source.filename, INDEX, place)
            case PackageArchive() if (name := _name(source)).endswith(".whl"):
                yield from self._wheel(package, source, name, source.url or INDEX, place)
            case PackageDirectory():
                self._refuse(source.path, place, [])
            case PackageVcs():
                where = source.url or source.path
                self._refuse(f"{source.type}+{where}@{source.commit_id}", place, [])
            case _:
                files = [wheel.filename for wheel in package.wheels or ()]
                self._refuse(f"{package.name}=={package.version}", place, files)

    def _refuse(self, what: str, place: Place, files: list[str]) -> None:
        self.problems.append(no_wheel(self._question, what, place, files))

    def _wheel(
        self,
        package: Package,
        source: PackageWheel | PackageArchive,
        file_name: str,
        origin: str,
        place: Place,
    ) -> Iterator[Wanted]:
        digest = digest_of(f"sha256:{source.hashes.get('sha256', '')}")
        if digest is None:
            fact = f"{file_name} has no SHA-256 hash"
            self.problems.append(Problem(place, "", fact, "lock again with a tool that writes it"))
            return
        try:
            version = package.version or parse_wheel_filename(file_name)[1]
        except InvalidWheelFilename as error:
            self.problems.append(Problem(place, "", str(error)))
            return
        file = None if source.url else self._question.file.parent / (source.path or "")
        hashes = (digest,)
        yield Wanted(package.name, str(version), hashes, place, origin, file, file_name)

    def _line(self, package: Package) -> int:
        tables = [*_TABLE.finditer(self._content)]
        number = next(n for n, each in enumerate(self._lock.packages) if each is package)
        return _line_at(self._content, tables[number].start()) if number < len(tables) else 0


def _name(source: PackageArchive) -> str:
    where = source.path or (source.url or "").partition("#")[0].partition("?")[0]
    return Path(where).name


def _line(content: str, number: re.Match[str] | None) -> int:
    tables = [*_TABLE.finditer(content)]
    if number is None or int(number[1]) >= len(tables):
        return 0
    return _line_at(content, tables[int(number[1])].start())


def _line_at(content: str, offset: int) -> int:
    return content.count("\n", 0, offset) + 1
