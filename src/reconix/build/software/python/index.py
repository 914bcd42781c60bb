"""Getting wheels by hash, through pip: it knows where this machine looks for them.

Indexes, mirrors, proxies, certificates and passwords are settings of pip, which a team has already.
So pip is asked, as a program, for each wheel by name, version and hash, and for the Python of the
target instead of its own. It is not trusted with the result: a file is what its hash says, or it is
not used. What is here once is in the cache of downloads, by its hash, and no index is asked again.

Source: the documentation of pip, ``pip download``, *Secure installs*.
Tested by ``tests/unit/build/software/python/test_index.py``, with an index on this machine.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from reconix.base import process, progress, text
from reconix.base.digests import Digest
from reconix.base.files import replacing
from reconix.base.process import CommandFailed
from reconix.build.archive.fetch import WrongContent, cached_path
from reconix.build.archive.retry import DownloadFailed
from reconix.build.software.python.target import Target
from reconix.build.software.python.wanted import BadEnvironment, Wanted
from reconix.config.lock.wheels import LockedWheel
from reconix.config.problems import Problem

_SECONDS = 3600
_LOG_BYTES = 64 << 20
_SHOWN = 4
_SETTINGS = {
    "PIP_CONSTRAINT": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_QUIET": "0",
}
"""Of pip, whatever this machine has set: nothing but the lock chooses, and errors are said."""
_NOT_FOUND = re.compile(r"No matching distribution found for ([^\s=@]+)")
_WRONG_HASH = "DO NOT MATCH THE HASHES"
_NO_PIP = "No module named pip"
_YANKED = re.compile(
    r"selected for download or install is a yanked version: '([^']+)' candidate "
    r"\(version ([^\s)]+) .*\n(?:\S+ )?\s*Reason for being yanked: (.*)"
)


@dataclass(frozen=True, slots=True)
class Index:
    """Where wheels come from."""

    cache: Path
    """The folder of downloads, kept between builds."""

    def get(self, wanted: Iterable[Wanted], target: Target) -> list[LockedWheel]:
        """Get the wheel of each distribution, from the cache or with pip.

        Raises:
            BadEnvironment: there is none that fits.
            WrongContent: what there is has another hash.
            DownloadFailed: pip cannot get it.
        """
        known = {each.name: _cached(each, self.cache) for each in wanted}
        missing = [each for each in wanted if known[each.name] is None]
        if missing:
            with progress.stage(f"fetch wheels: {_some([each.name for each in missing])}"):
                known |= self._download(missing, target)
        return [found for found in known.values() if found is not None]

    def _download(self, wanted: list[Wanted], target: Target) -> Mapping[str, LockedWheel]:
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache, prefix="wheels-") as folder:
            work = Path(folder)
            _run_pip(wanted, target, work)
            for line in _withdrawn(work / "log"):
                progress.note(line)
            return dict(self._taken(wanted, work / "wheels"))

    def _taken(self, wanted: list[Wanted], folder: Path) -> Iterator[tuple[str, LockedWheel]]:
        by_name = {each.name: each for each in wanted}
        for path in sorted(folder.iterdir()):
            name = canonicalize_name(path.name.partition("-")[0])
            each = by_name.pop(name, None)
            digest = Digest.of_file(path)
            if each is None or digest not in each.hashes:
                raise WrongContent(
                    f"pip gave {text.one_line(path.name)}, which has {digest}, not a hash of the "
                    "lock",
                    hint="it was changed in transit, or the lock belongs to another index",
                )
            yield name, _locked(each, path, path.name, digest)
            _keep(path, cached_path(self.cache, digest))
        if by_name:
            raise DownloadFailed(f"pip gave no wheel of {', '.join(sorted(by_name))}")


def _some(names: list[str]) -> str:
    left = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {left} more" if left > 0 else "")


def _locked(wanted: Wanted, path: Path, file_name: str, digest: Digest) -> LockedWheel:
    try:
        name, version, *_ = parse_wheel_filename(file_name)
        fits = (name, version) == (wanted.name, Version(wanted.version))
    except (InvalidWheelFilename, InvalidVersion):
        fits = False
    if not fits:
        raise WrongContent(f"{text.one_line(file_name)} is no {wanted.name} {wanted.version}")
    return LockedWheel(name, str(version), file_name, path.stat().st_size, digest, wanted.origin)


def _cached(wanted: Wanted, cache: Path) -> LockedWheel | None:
    """The wheel, if the lock says what it is called, and it is here."""
    if not wanted.file_name or len(wanted.hashes) != 1:
        return None
    digest = wanted.hashes[0]
    path = cached_path(cache, digest)
    if not path.is_file() or Digest.of_file(path) != digest:
        return None
    return _locked(wanted, path, wanted.file_name, digest)


def _keep(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, replacing(place) as file:
        shutil.copyfileobj(source, file)


def _run_pip(wanted: list[Wanted], target: Target, work: Path) -> None:
    asked = work / "requirements.txt"
    asked.write_text("".join(map(_line, wanted)))
    (work / "wheels").mkdir()
    platforms = [f"--platform={each}" for each in target.platforms()]
    abis = [f"--abi={each}" for each in (target.interpreter, "abi3", "none")]
    released = ".".join(map(str, Version(target.full_version).release))
    python = ("--implementation=cp", f"--python-version={released}")
    binary = ("--require-hashes", "--no-deps", "--only-binary=:all:")
    places = (f"--requirement={asked}", f"--dest={work / 'wheels'}", f"--log={work / 'log'}")
    pip = (sys.executable, "-P", "-m", "pip", "download", "--no-input", "--progress-bar=off")
    try:
        process.run(
            *(*pip, *binary, *python, *abis, *platforms, *places),
            folder=work,
            environment=_SETTINGS,
            timeout_seconds=_SECONDS,
        )
    except CommandFailed as error:
        _explain(error, wanted, target)


def _line(wanted: Wanted) -> str:
    asked = f"{wanted.name}=={wanted.version}" if wanted.is_of_index else wanted.origin
    what = asked if wanted.is_of_index else f"{wanted.name} @ {asked}"
    return " ".join([what, *(f"--hash=sha256:{digest.hex()}" for digest in wanted.hashes)]) + "\n"


def _explain(error: CommandFailed, wanted: list[Wanted], target: Target) -> NoReturn:
    """Say what pip means."""
    said = error.output.decode(errors="replace")
    not_found = _NOT_FOUND.search(said)
    if not_found:
        name = canonicalize_name(not_found[1])
        raise BadEnvironment([_no_wheel(each, target) for each in wanted if each.name == name])
    if _WRONG_HASH in said:
        raise WrongContent(
            f"what pip finds is not what the lock pins: {text.last_words(error.output)}",
            hint="it was changed in transit, or the lock belongs to another index",
        ) from error
    if _NO_PIP in said:
        raise DownloadFailed(
            "pip is not there, and wheels are fetched with it",
            hint=f"install it beside reconix: {sys.executable} -m ensurepip",
        ) from error
    raise DownloadFailed(
        f"pip could not fetch the wheels: {text.last_words(error.output)}",
        hint="`pip config list` shows where it looks; finished downloads are kept",
    ) from error


def _no_wheel(wanted: Wanted, target: Target) -> Problem:
    what = f"{wanted.name}=={wanted.version}"
    fact = f"pip finds no wheel of {what} for {target} with a hash of the lock"
    hint = (
        "does the index have it, and as a wheel? if not, make one where that Python runs, and name "
        f"it in wheels: pip wheel --no-deps --wheel-dir wheels '{what}'"
    )
    return Problem(wanted.place, "", fact, hint)


def _withdrawn(log: Path) -> Iterator[str]:
    """Wheels that their index advises against; who pins one gets it all the same (PEP 592)."""
    if not log.is_file():
        return
    with log.open("rb") as file:
        said = file.read(_LOG_BYTES).decode(errors="replace")
    for found in _YANKED.finditer(said):
        yield f"warning: the index has withdrawn {found[1]} {found[2]}: {found[3]}"
