"""What a Python environment takes from an index: each wheel by name, size and hash.

Wheels of the project that the configuration names itself are not here: they are content, as its
folders are, and hashed when they are built (decision 0067).

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/lock/test_wheels.py``.
"""

import itertools
import re
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.config.lock.packages import BadLock

INDEX = "index"
"""Stands for the origin of a wheel that is asked for by name, wherever pip looks."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.!+]{0,127}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.!+-]{0,250}\.whl")
_ADDRESS = re.compile(r"(https?|file)://(?![^/?#\s]*@)[!-~]{1,2000}")
_PATH = re.compile(r"(?!/)[^\x00-\x1f\x7f]{1,1024}\.whl")


def is_address(text: str) -> bool:
    """Whether a wheel can be there; who reads the lock must not learn a password from it."""
    return bool(_ADDRESS.fullmatch(text))


@dataclass(frozen=True, slots=True, order=True)
class LockedWheel:
    """One wheel; valid by construction."""

    name: str
    """Of the distribution, normalised (PEP 503)."""
    version: str
    file_name: str
    """Says for which Python and platform it is."""
    size_bytes: int
    sha256: Digest
    origin: str
    """``INDEX``, an address, or a path below the folder of the project."""

    def __post_init__(self) -> None:
        for what, value, form in (
            ("name", self.name, _NAME),
            ("version", self.version, _VERSION),
            ("file name", self.file_name, _FILE_NAME),
        ):
            if not form.fullmatch(value):
                raise BadLock(f"{value!r} is not a valid {what} of a wheel")
        if not (self.is_of_index or self.address or self._is_path()):
            raise BadLock(f"{self.origin!r} is not a valid origin of a wheel")

    def _is_path(self) -> bool:
        return bool(_PATH.fullmatch(self.origin)) and "" not in self.origin.split("/")

    @property
    def is_of_index(self) -> bool:
        """Whether it is asked for by name."""
        return self.origin == INDEX

    @property
    def address(self) -> str | None:
        """Where it is, if it is not asked for by name."""
        return self.origin if is_address(self.origin) else None

    @property
    def is_of_project(self) -> bool:
        """Whether it is a file of the project."""
        return not self.is_of_index and self.address is None

    @property
    def id(self) -> str:
        """What it is called in messages."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class PythonLock:
    """What an environment consists of besides the project's own wheels, and what was asked for."""

    asked: Digest
    """Of the lock file that the configuration names, and of the extras and groups."""
    wheels: tuple[LockedWheel, ...] = ()

    def __post_init__(self) -> None:
        for one, other in itertools.pairwise(sorted(self.wheels)):
            if one.name == other.name:
                raise BadLock(f"{one.name} has two wheels: {one.file_name} and {other.file_name}")
