"""Copying files to a device and from it, over the ssh that is there anyway.

``scp`` will not do: its protocol needs a program on the device that dropbear does not bring.
``tar`` is on every Debian; a minified system has Python's instead, which takes less. A copy appears
under its final name when it is whole.

What comes from a device is not trusted. It is unpacked into a folder of its own, and only if it is
one tree of files, folders and links, and has the name that was asked for, it gets its final name;
what sets a user or group is dropped.

Tested by ``tests/unit/fleet/test_copying.py``.
"""

import io
import stat
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES, remove_tree
from reconix.base.process import feeding
from reconix.base.progress import Stage
from reconix.fleet.remote import Remote

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_COPY = "copy"

_UNPACK = (
    "import sys, tarfile; "
    'tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(sys.argv[1], filter="tar")'
)
_PACK = (
    "import sys, tarfile; "
    'archive = tarfile.open(fileobj=sys.stdout.buffer, mode="w|"); '
    "archive.add(sys.argv[1]); archive.close()"
)
"""Without an apostrophe: they stand in a script of the shell."""

_TAKE = f"""\
set -eu
target=${{1:-.}}
if [ -d "$target" ]; then target=${{target%/}}/$2
elif [ "${{target%/}}" != "$target" ]; then echo "there is no folder $target" >&2; exit 1; fi
if [ -d "$target" ]; then echo "there is a folder $target already" >&2; exit 1; fi
work=$(mktemp -d "$(dirname "$target")/.reconix-XXXXXX")
trap 'rm -rf "$work"' EXIT
if command -v tar > /dev/null; then tar -xf - -C "$work"
else python3 -I -S -c '{_UNPACK}' "$work"
fi
mv -f "$work/{_COPY}" "$target"
"""
"""Takes a copy: into a folder, or under the name that it shall have."""

_GIVE = f"""\
set -eu
[ -e "$1" ] || {{ echo "there is no $1" >&2; exit 1; }}
cd "$(dirname "$1")"
set -- "./$(basename "$1")"
if command -v tar > /dev/null; then exec tar -cf - "$1"; fi
exec python3 -I -S -c '{_PACK}' "$1"
"""


class CannotCopy(ReconixError):
    """Something is in the way of a copy, or is not what was asked for."""


def to_device(device: Remote, source: Path, target: str) -> None:
    """Copy a file or folder to a device; there it belongs to whoever logs in.

    Args:
        device: where to.
        source: what.
        target: a folder there, or the name that the copy shall have; empty: the home.
    """
    if not source.exists():
        raise CannotCopy(f"there is no {source}")
    size = sum(file.stat().st_size for file in _files(source))
    name = source.resolve().name
    with (
        progress.stage(f"copy {name}", total=size) as stage,
        device.telling("sh", "-c", _TAKE, "sh", target, name) as sink,
        tarfile.open(fileobj=_Counted(sink, stage), mode="w|") as archive,
    ):
        archive.add(source.resolve(), arcname=_COPY, filter=_of_nobody)


def _files(source: Path) -> list[Path]:
    inside = [source] if source.is_file() else list(source.rglob("*"))
    return [path for path in inside if path.is_file() and not path.is_symlink()]


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


class _Counted(io.RawIOBase):
    """A file to write to that tells how much was written."""

    def __init__(self, sink: BinaryIO, stage: Stage) -> None:
        self._sink, self._stage = sink, stage

    def write(self, data: "ReadableBuffer") -> int:
        """Write all of it."""
        content = bytes(data)
        self._stage.advance(len(content))
        return self._sink.write(content)


def from_device(device: Remote, source: str, target: Path) -> Path:
    """Copy a file or folder from a device; gives where it is.

    Args:
        device: where from.
        source: its path there.
        target: a folder here, or the name that the copy shall have.

    Raises:
        CannotCopy: it is in the way of another one, or is not one tree of plain files.
    """
    name = PurePosixPath(source).name
    if not name or name == "..":
        raise CannotCopy(
            f"the copy of {source or 'nothing'} would have no name", hint="name a file"
        )
    place = target / name if target.is_dir() else target
    if place.is_dir():
        raise CannotCopy(f"there is a folder {place} already")
    work = Path(tempfile.mkdtemp(prefix=".reconix-", dir=place.parent))
    try:
        with (
            progress.stage(f"copy {name}") as stage,
            feeding("tar", "-xf", "-", "-C", work, "--no-same-owner") as sink,
            device.hearing("sh", "-c", _GIVE, "sh", source) as heard,
        ):
            _pour(heard, sink, stage)
        _expect_one_tree(work, name)
        (work / name).replace(place)
    finally:
        remove_tree(work)
    return place


def _pour(source: BinaryIO, sink: BinaryIO, stage: Stage) -> None:
    while chunk := source.read(COPY_BYTES):
        sink.write(chunk)
        stage.advance(len(chunk))


def _expect_one_tree(folder: Path, name: str) -> None:
    """Refuse what is not the one thing that was asked for, and take its special powers.

    Raises:
        CannotCopy: it is something else.
    """
    if [path.name for path in folder.iterdir()] != [name]:
        raise CannotCopy(f"the device sent something else than {name}")
    for path in (folder / name, *(folder / name).rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CannotCopy(f"{name}: {path.relative_to(folder)} is no file, folder or link")
        path.chmod(stat.S_IMODE(mode) & 0o777)
