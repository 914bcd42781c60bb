"""The residue of a build in a root: keys, databases, the time and the place of the build.

Maintainer scripts may create anything. For what is known there is a rule (``normalise.py``) and
usually a unit that creates it on the device (``build/on_device``). This finds the rest, without a
second build to compare with, in the files that no package lists:

* a private key, or a file of random bytes that not everybody may read. Two devices must not share
  it, nor is it the same in the next build: it is taken out;
* a text with a word that seems random, a database, and what names the machine that builds or the
  day: no second build is equal. Whether it is needed cannot be known here: it stays.

Both are reported at every build (``losses.py``).

Tested by ``tests/unit/build/root/test_residue.py``.
"""

import math
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded

_PLACES = ("etc", "home", "opt", "root", "srv", "usr/local", "var")
_OF_DPKG = re.compile(
    r"etc/(passwd|group|shadow|gshadow|hosts|ld\.so\.cache)|etc/(alternatives|ssl/certs)/.*"
    r"|var/lib/(dpkg|ucf|pam|systemd/deb-systemd-.*|apt|debconf)/.*|var/(cache|log|tmp|backups)/.*"
)
"""Registers of packages, and what other rules are about."""
_DATABASES = {"PG_VERSION", "ibdata1", "data.mdb"}
_DATABASE = "kept: a database of the build, which differs from build to build"
_TAKEN_OUT = "of the build, taken out; nothing makes it on the device"
_SECONDS = re.compile(rb"(?<!\d)\d{10}(?!\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SQLITE = b"SQLite format 3\0"
_MOST_BYTES = 1 << 20
_MAX_LIST_BYTES = 1 << 26
_KEY_BYTES = 4096
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_WORD = re.compile(rb"(?<![\w+/.-])[A-Za-z0-9+/]{20,}=*(?![\w.-])")
_HEX = re.compile(rb"[0-9a-f]{32,}")
_RANDOM_BITS = 3.2
"""Of a letter, in such a word: repetitions stay below, random words above."""
_RANDOM_BYTE_BITS = 5.0
"""Of a byte, in a small file: 64 random bytes have nearly 6."""


@dataclass(frozen=True, slots=True)
class Residue:
    """A file that was made while the root was built."""

    path: str
    what: str
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Build:
    """What of a build may show in its residue."""

    host: str
    began: float
    """In seconds since 1970; with ``ended`` the days that may be named."""
    ended: float

    @classmethod
    def now(cls, began: float) -> "Build":
        """One that ends now, on this machine."""
        return cls(socket.gethostname(), began, time.time())

    def shows_in(self, content: bytes) -> bool:
        """Whether a text names its day or its machine."""
        numbers = map(int, _SECONDS.findall(content))
        is_in_it = any(self.began - 1 <= number <= self.ended + 1 for number in numbers)
        return is_in_it or re.search(self._written(), content) is not None

    def _written(self) -> bytes:
        days = {time.gmtime(moment)[:3] for moment in (self.began, self.ended)}
        dates = [each for day in sorted(days) for each in _dates(*day)]
        names = [rf"(?<![\w.-]){re.escape(self.host)}(?![\w-])"] if _tells(self.host) else []
        return "|".join([*dates, *names]).encode()


def _dates(year: int, month: int, day: int) -> Iterator[str]:
    """One day, as ISO 8601 and date(1) have it, and as letters do."""
    name = _MONTHS[month - 1]
    yield rf"{year}[-/.]?{month:02}[-/.]?{day:02}"
    yield rf"{name} {{1,2}}{day} .{{0,20}}{year}"
    yield rf"(?<!\d)0?{day} {name}[a-z]* {year}"


def _tells(host: str) -> bool:
    """Whether a name is distinctive enough to mean the machine where it occurs."""
    return len(host) > 3 and host not in {"localhost", "debian"}


def find(root: Path, private: Collection[str], build: Build) -> Iterator[Residue]:
    """Look through the files that no package lists.

    Args:
        root: just unpacked.
        private: the files that not everybody may read.
        build: how it came about.
    """
    listed = _listed(root)
    for folder, names in _folders(root):
        databases = sorted(_DATABASES & set(names))
        if databases:
            yield Residue(f"{folder}/{databases[0]}", _DATABASE, is_secret=False)
            continue
        for path in (f"{folder}/{name}" for name in names):
            if path not in listed and not _OF_DPKG.fullmatch(path):
                yield from _found(root, path, path in private, build)


def _found(root: Path, path: str, is_private: bool, build: Build) -> Iterator[Residue]:
    with (root / path).open("rb") as opened:
        content = opened.read(_MOST_BYTES)
    if _PRIVATE_KEY.search(content):
        yield Residue(path, f"a private key {_TAKEN_OUT}{_missed_by(root, path)}", is_secret=True)
    elif is_private and _is_random(content):
        yield Residue(path, f"random bytes {_TAKEN_OUT}{_missed_by(root, path)}", is_secret=True)
    elif is_private and any(map(_is_random_word, _WORD.findall(content))):
        yield Residue(
            path, "kept: a secret of the build, it seems, for all devices", is_secret=False
        )
    elif content.startswith(_SQLITE):
        yield Residue(path, _DATABASE, is_secret=False)
    elif build.shows_in(content):
        yield Residue(path, "kept: names the day or the machine of the build", is_secret=False)


def _missed_by(root: Path, path: str) -> str:
    """Which units and settings mention a file, to find out what will miss it."""
    name = re.compile(rb"/" + re.escape(path.encode()) + rb"(?![\w.-])")
    places = (root / "usr/lib/systemd/system", root / "etc")
    files = (file for place in places for file in sorted(place.rglob("*")))
    plain = (file for file in files if file.is_file() and not file.is_symlink())
    small = (file for file in plain if file.stat().st_size <= _MOST_BYTES)
    readers = [str(file.relative_to(root)) for file in small if name.search(file.read_bytes())]
    return f", and named in /{', /'.join(readers)}" if readers else ""


def _is_random(content: bytes) -> bool:
    is_text = content.isascii() and b"\0" not in content
    return not is_text and len(content) <= _KEY_BYTES and _bits(content) > _RANDOM_BYTE_BITS


def _is_random_word(word: bytes) -> bool:
    is_mixed = all(re.search(kind, word) for kind in (rb"\d", rb"[a-z]", rb"[A-Z]"))
    return (is_mixed or _HEX.fullmatch(word) is not None) and _bits(word) > _RANDOM_BITS


def _bits(text: bytes) -> float:
    """Entropy for each byte, in bits (Shannon)."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder with its files, in one order; what a database is in, is not looked into."""
    for place in _PLACES:
        if (root / place).is_symlink():
            continue  # what is elsewhere is not of this root
        for folder, folders, names in os.walk(root / place):
            folders[:] = [] if _DATABASES & set(names) else sorted(folders)
            files = [name for name in sorted(names) if not Path(folder, name).is_symlink()]
            yield str(Path(folder).relative_to(root)), files


def _listed(root: Path) -> set[str]:
    found: set[str] = set()
    for each in (root / "var/lib/dpkg/info").glob("*.list"):
        content = read_bounded(each, _MAX_LIST_BYTES, follow_links=False)
        found.update(line[1:] for line in content.decode(errors="replace").splitlines())
    return found


def take_out(root: Path, found: Iterable[Residue]) -> None:
    """Remove what must not be in a root."""
    for each in found:
        if each.is_secret:
            (root / each.path).unlink()
