"""Ways that look at one file after the other: whole files that are new, or one patch for each.

What changed travels as a tar archive, compressed as a whole. Its members stand for the entries of
the target that the base does not have under the same name:

    a hard link              has the content of that file of the base
    a file                   its content
    a file with a link name  a patch against that file of the base
    ``.removed``             names of the base that go, each ended by a zero byte

Nothing is sent for what stays as it is; a list of all files would cost 290 kB.
"""

import io
import os
import re
import shutil
import tarfile
from collections import defaultdict
from pathlib import Path

import bsdiff4.core
from bench.updates import trees
from bench.updates.peers.peer import Peer

from reconix.base.files import remove_tree
from reconix.base.process import feeding, reading

_REMOVED = ".removed"
_LENGTH = 8


class PerFile(Peer):
    """Sends what changed, file by file; a subclass says what a file is compared with."""

    itself = frozenset({"create", "apply"})

    def prepare(self) -> None:
        shutil.copytree(self.pair.old, self.work / "device", symlinks=True)

    def create(self) -> None:
        words = ("zstd", "-q", "-19", "--ultra", "--long=27", "-T2", "-o", self.update)
        self.known = trees.content_digests(self.pair.old)
        self.start()
        with (
            feeding(*words) as compressor,
            tarfile.open(fileobj=compressor, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            self._write(archive)

    def start(self) -> None:
        """Look at the base before the first file."""

    def source(self, name: str) -> Path | None:
        """The file of the base to make a patch against, if any."""
        return None

    def _write(self, archive: tarfile.TarFile) -> None:
        old, new = self.pair.old, self.pair.new
        names = {str(path.relative_to(new)) for path in trees.entries(new)}
        gone = [str(path.relative_to(old)) for path in trees.entries(old)]
        removed = b"".join(os.fsencode(name) + b"\0" for name in gone if name not in names)
        _add(archive, tarfile.TarInfo(_REMOVED), removed)
        for path in trees.entries(new):
            name = str(path.relative_to(new))
            member = trees.member(path, name)
            if not _same(old / name, path):
                self._write_entry(archive, member, path)

    def _write_entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        if not member.isreg():
            archive.addfile(member)
            return
        content = path.read_bytes()
        known = self.known.get(trees.content_digest(path))
        if known is not None:
            member.type, member.size = tarfile.LNKTYPE, 0
            member.linkname = str(known.relative_to(self.pair.old))
            archive.addfile(member)
        elif source := self.source(member.name):
            member.linkname = str(source.relative_to(self.pair.old))
            _add(archive, member, _patch(source.read_bytes(), content))
        else:
            _add(archive, member, content)

    def apply(self) -> None:
        device, staged = self.work / "device", self.work / "staged"
        with (
            reading("zstd", "-q", "-d", "--long=27", "-c", self.update) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            members = [member for member in archive if _stage(archive, member, device, staged)]
        for name in (staged / _REMOVED).read_bytes().split(b"\0")[:-1]:
            remove_tree(device / os.fsdecode(name))
        for member in members:
            _place(member, staged, device)

    def check(self) -> None:
        self.expect_target(self.work / "device")


class WholeFiles(PerFile):
    """Whole-file deduplication: a content that the base has anywhere is not sent."""

    name = "whole-file dedup + zstd -19"


class SamePath(PerFile):
    """The best mode of reUpNix: bsdiff against the file of the same name, raw, then zstd."""

    name = "bsdiff same path + zstd -19 (reUpNix)"

    def source(self, name: str) -> Path | None:
        path = self.pair.old / name
        return path if path.is_file() and not path.is_symlink() else None


class NormalisedPath(SamePath):
    """The same, but a name may differ in its version numbers."""

    name = "bsdiff version-normalised path + zstd -19"

    def start(self) -> None:
        self._like: dict[str, list[Path]] = defaultdict(list)
        for path in trees.files(self.pair.old):
            self._like[without_versions(str(path.relative_to(self.pair.old)))].append(path)

    def source(self, name: str) -> Path | None:
        like = self._like.get(without_versions(name), [])
        return super().source(name) or (like[0] if len(like) == 1 else None)


def without_versions(name: str) -> str:
    """A path with a mark in place of every version number."""
    return re.sub(r"\d+([.+~-]\d+)*", "#", name)


def _same(old: Path, new: Path) -> bool:
    """Whether an entry stays as it is."""
    if not os.path.lexists(old):
        return False
    before, after = trees.member(old, "x"), trees.member(new, "x")
    kind = (before.type, before.mode, before.linkname, before.size)
    if kind != (after.type, after.mode, after.linkname, after.size):
        return False
    return not after.isreg() or trees.content_digest(old) == trees.content_digest(new)


def _add(archive: tarfile.TarFile, member: tarfile.TarInfo, content: bytes) -> None:
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _patch(old: bytes, new: bytes) -> bytes:
    parts: tuple[bytes, bytes, bytes] = bsdiff4.core.diff(old, new)
    control, difference, extra = parts
    lengths = (len(new), len(control), len(difference))
    return b"".join(n.to_bytes(_LENGTH, "little") for n in lengths) + control + difference + extra


def _patched(old: bytes, patch: bytes) -> bytes:
    size, control, difference = (
        int.from_bytes(patch[at : at + _LENGTH], "little") for at in range(0, 3 * _LENGTH, _LENGTH)
    )
    one = 3 * _LENGTH + control
    two = one + difference
    patched: bytes = bsdiff4.core.patch(
        old, size, patch[3 * _LENGTH : one], patch[one:two], patch[two:]
    )
    return patched


def _stage(archive: tarfile.TarFile, member: tarfile.TarInfo, device: Path, staged: Path) -> bool:
    """Make a file of the target beside the base; tell whether it has to be placed."""
    place = staged / member.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.islnk():
        shutil.copyfile(device / member.linkname, place)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        content = source.read()
        if member.linkname:
            content = _patched((device / member.linkname).read_bytes(), content)
        place.write_bytes(content)
    return member.name != _REMOVED


def _place(member: tarfile.TarInfo, staged: Path, device: Path) -> None:
    place = device / member.name
    if os.path.lexists(place) and not (member.isdir() and place.is_dir()):
        remove_tree(place)
    if member.isdir():
        place.mkdir(exist_ok=True)
    elif member.issym():
        place.symlink_to(member.linkname)
    else:
        (staged / member.name).rename(place)
        place.chmod(member.mode)


PEERS: tuple[type[Peer], ...] = (WholeFiles, SamePath, NormalisedPath)
