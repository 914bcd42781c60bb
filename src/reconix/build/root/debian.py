"""A Debian root from exactly the locked packages.

``mmdebstrap`` installs them as Debian means it, maintainer scripts included, from a folder that has
nothing else, cut off from everything (``build/isolation.py``). It hands the root over as a tar
archive, which carries owners and modes whoever runs it; we read that archive once, normalise as we
go (``build/root/normalise.py``), and write a tree for the store.

    packages (cache) → folder with an index → mmdebstrap → tar → root/ + metadata + losses

What asks ``SOURCE_DATE_EPOCH`` is told January 2038: mmdebstrap gives no file a later time than
that, and the times of packages are to be kept (``build/root/metadata.py``).

Source: mmdebstrap(1), variant *custom*.
Tested by ``tests/compat/test_build.py``.
"""

import os
import re
import shutil
import tarfile
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from reconix.base import process, progress
from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.process import CommandFailed
from reconix.build import emulation, isolation
from reconix.build.archive.control import BadPackage, name_in, read_control
from reconix.build.root import losses, metadata, normalise, residue
from reconix.build.root.losses import Loss
from reconix.build.root.new_tree import Kind, NewTree, UnsafeArchive, relative
from reconix.build.root.residue import Build
from reconix.build.root.unpacked_members import repack
from reconix.build.templates import DATA
from reconix.build.users.accounts import Accounts
from reconix.build.users.static_ids import Renumbering, of_packages
from reconix.store.images.nodes import LINK, Metadata
from reconix.store.sidecar import Entries, check_entries, print_entries

_HOST_NAME = 'hostname localhost || :; echo localhost > "$1/etc/hostname"'
"""The host name that maintainer scripts see: no root shows where it was built."""

EPOCH = (1 << 31) - 1
"""No file of a package is newer, in seconds since 1970."""

_ACCOUNTS = ("passwd", "group")
_FOLDERS = ("usr", "usr/bin", "usr/lib", "etc", "var", "home", "opt", "root", "srv")
"""We look into these, and so does the script of the initrd."""

AGENT_COMMAND = DATA / "reconix-device"
"""What administrators call: it leads to the agent of the generation."""


Put = Callable[[Path, Path], None]
"""Brings a package file to a place that does not exist yet."""

_VERBS = {b"Unpacking": "unpacking", b"Setting up": "setting up"}
_PACKAGE = re.compile(rb"(?P<verb>Unpacking|Setting up) (?P<name>[a-z0-9][a-z0-9+.:-]{1,99}) \(")


class RootFailed(ReconixError):
    """The packages of a system could not be installed."""

    exit_code = 60


def build_root(
    packages: Sequence[Path], suite: str, architecture: Architecture, into: Path
) -> None:
    """Install packages into a new folder as a normalised root.

    Args:
        packages: the ``.deb`` files, all of them; nothing else can be installed.
        suite: code name, for mmdebstrap.
        architecture: of the packages; another one than that of this machine is emulated.
        into: a folder that does not exist yet. Its parent also holds the work files.

    Raises:
        RootFailed: mmdebstrap or a maintainer script failed; the end of its log is in the message.
        NotEmulated: programs of the architecture do not run here.
    """
    emulation.own_rule(architecture)
    work = _work_folder(into)
    archive = work / "archive"
    archive.mkdir()
    archive.chmod(0o755)
    put = _put if architecture.is_of_this_machine else repack
    names = make_archive(packages, archive, put)
    room = work / "room"
    isolation.make_room(room)
    began = room.stat().st_mtime  # by the clock that gives files their times
    words = _words(names, suite, architecture, archive, room)
    try:
        with process.reading(*words, hear=_Said(into.name, len(names)).line) as stream:
            whole = _unpack_if_whole(stream, into, began)
    except CommandFailed as error:
        raise RootFailed(
            f"installing {len(names)} packages failed: {error}",
            hint="do the packages install together on a plain Debian of this suite?",
        ) from error
    finally:
        isolation.remove_room(room)
        remove_tree(work)
    if not whole:
        raise RootFailed("cannot read the archive that mmdebstrap wrote")


class _Said:
    """Hears which package dpkg works on: ``Setting up nginx (1.26.3-3) ...``."""

    def __init__(self, what: str, count: int) -> None:
        self._what, self._count = what, count
        self._seen = {verb: 0 for verb in _VERBS}

    def line(self, said: bytes) -> None:
        """Report it."""
        found = _PACKAGE.match(said)
        if found:
            verb = found["verb"]
            self._seen[verb] += 1
            name = found["name"].decode(errors="replace")
            number = f"{self._seen[verb]} of {self._count}"
            progress.doing(f"{self._what}: {_VERBS[verb]} {name}, {number}")


def _work_folder(into: Path) -> Path:
    """A new folder that mmdebstrap can use, whoever it is.

    Run by a user, it works under the numbers that ``/etc/subuid`` grants him, and these are
    strangers in his home folder.
    """
    if isolation.is_root():
        work = into.with_name(f"{into.name}.work")
        work.mkdir()
    else:
        work = Path(tempfile.mkdtemp(prefix="reconix-root-"))
        work.chmod(0o755)
    return work


def make_archive(packages: Sequence[Path], archive: Path, put: Put | None = None) -> list[str]:
    """Make a folder that apt can use as an archive and give the names of its packages.

    Args:
        packages: their files.
        archive: the folder, empty.
        put: puts a file into it; without it, a link or a copy.

    Raises:
        BadPackage: a file is not a package, or two have the same name.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stanzas = sorted(pool.map(lambda each: _stanza(each, archive, put or _put), packages))
    (archive / "Packages").write_bytes(b"\n".join(stanza for _, stanza in stanzas))
    return [name for name, _ in stanzas]


def _stanza(package: Path, archive: Path, put: Put) -> tuple[str, bytes]:
    """Put one package into the folder; give its name and its entry for the index."""
    control = read_control(package)
    name = name_in(control, package)
    place = archive / f"{name}.deb"
    try:
        put(package, place)
    except FileExistsError as error:
        raise BadPackage(package, f"is a second package called {name}") from error
    facts = (
        f"Filename: ./{place.name}\nSize: {place.stat().st_size}\n"
        f"SHA256: {Digest.of_file(place).hex()}\n"
    )
    return name, control + facts.encode()


def _put(package: Path, place: Path) -> None:
    """A link, or, for a user who becomes somebody else, a copy."""
    place.symlink_to(package.resolve())
    if not isolation.is_root():
        place.unlink()
        shutil.copyfile(package, place)
        place.chmod(0o644)


def _words(
    names: Sequence[str], suite: str, architecture: Architecture, archive: Path, room: Path
) -> list[str]:
    """The command line that installs ``names`` and writes the root to standard output."""
    clean = [
        "env",
        "-i",
        f"PATH={process.clean_environment()['PATH']}",
        "LC_ALL=C.UTF-8",
        "TZ=UTC",
        "HOME=/root",
        *emulation.environment(architecture),
    ]
    install = [
        *clean,
        f"SOURCE_DATE_EPOCH={EPOCH}",
        f"TMPDIR={room}",
        "mmdebstrap",
        "--verbose",
        "--mode=unshare",
        "--skip=check/qemu",
        f"--setup-hook={_HOST_NAME}",
        "--variant=custom",
        "--format=tar",
        f"--architectures={architecture.value}",
        f"--include={','.join(names)}",
        suite,
        "-",
        f"deb [trusted=yes] copy:{urllib.parse.quote(str(archive))} ./",
    ]
    return isolation.isolated(install, emulation.own_rule(architecture))


def _unpack_if_whole(stream: "tarfile._Fileobj", into: Path, began: float) -> bool:
    """Unpack; an archive that is cut short has its reason elsewhere, in the program's exit."""
    try:
        unpack(stream, into, began)
    except tarfile.TarError:
        return False
    return True


def unpack(stream: "tarfile._Fileobj", into: Path, began: float | None = None) -> None:
    """Write a tar archive of a root to a new folder, normalised.

    Args:
        stream: the archive; it is read once, front to back.
        into: a folder that does not exist yet.
        began: when it began to be made, in seconds since 1970; without it, just now.

    Raises:
        UnsafeArchive: an entry does not belong in a root.
    """
    tree, began = NewTree(into), time.time() if began is None else began
    found: dict[str, Metadata] = {}
    gone: list[Loss] = []
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = relative(member.name)
            if not path or not normalise.keep(path, folder=member.isdir()):
                continue
            if member.isfifo():
                gone.append(Loss(path, "a pipe"))
                continue
            _unpack_member(archive, member, path, tree)
            found[path] = _metadata(member, found, began)
            gone += [Loss(path, f"attribute {name}") for name in metadata.lost(member)]
    _expect_folders(tree)
    gone += _take_out(tree, found, Build.now(began))
    renumbering = _renumber(tree, found)
    _add_ours(tree, found)
    entries = renumbering.entries(_entries(tree, found))
    check_entries(entries)
    _put_lists(
        tree, {losses.FILE: losses.print_losses(gone), metadata.FILE: print_entries(entries)}
    )


def _metadata(member: tarfile.TarInfo, found: Mapping[str, Metadata], began: float) -> Metadata:
    """What is said about an entry; a further name of a file says nothing by itself."""
    if member.islnk():
        return found[relative(member.linkname)]
    return metadata.of_member(member, began)


def _expect_folders(tree: NewTree) -> None:
    """Refuse a root whose folders are links: what follows looks into them."""
    for name in _FOLDERS:
        if tree.kind(name) in (Kind.FILE, Kind.LINK):
            raise UnsafeArchive(name, "which must be a folder")


def _put_lists(tree: NewTree, lists: Mapping[str, bytes]) -> None:
    for name, content in lists.items():
        if tree.kind(name):
            raise UnsafeArchive(name, "where we write a list")
        tree.put(name, content)


def _take_out(tree: NewTree, found: dict[str, Metadata], build: Build) -> Iterator[Loss]:
    """Remove what no two roots may share; give what a root lacks."""
    private = {path for path, said in found.items() if not said.mode & 0o004}
    known = list(residue.find(tree.root, private, build))
    residue.take_out(tree.root, known)
    for each in known:
        if each.is_secret:
            del found[each.path]
        yield Loss(each.path, each.what)
    yield from losses.never_started(tree.root)


def _accounts(tree: NewTree) -> Accounts:
    is_there = all(tree.kind(f"etc/{name}") is Kind.FILE for name in _ACCOUNTS)
    return Accounts.read(tree.root / "etc") if is_there else Accounts((), ())


def _renumber(tree: NewTree, found: dict[str, Metadata]) -> Renumbering:
    """Number users and groups by their names, so that the order of packages does not show.

    A system may give them others: those that devices know (``build/host.py``).
    """
    accounts = _accounts(tree)
    renumbering = Renumbering.of(accounts, of_packages(accounts))
    if accounts.users:
        files = renumbering.accounts(accounts).files()
        for name in _ACCOUNTS:
            tree.put(f"etc/{name}", files[name])
            found[f"etc/{name}"] = metadata.OURS
    return renumbering


def _add_ours(tree: NewTree, found: dict[str, Metadata]) -> None:
    """What the script of the initrd and the generated files expect to find in every root."""
    tree.put("usr/bin/reconix-device", AGENT_COMMAND.read_bytes())
    (tree.root / "usr/bin/reconix-device").chmod(0o755)
    tree.folder("usr/lib/modules")
    tree.put("var/.updated", b"TIMESTAMP_NSEC=1000000000\n")
    found["usr/bin/reconix-device"] = metadata.PROGRAM
    found.setdefault("usr/lib/modules", metadata.PROGRAM)
    found["var/.updated"] = metadata.OURS


def _entries(tree: NewTree, found: Mapping[str, Metadata]) -> Entries:
    """The list, without the links, of which nearly all are as all links are."""
    told = (
        (path.encode(), said)
        for path, said in found.items()
        if said != LINK or tree.kind(path) is not Kind.LINK
    )
    return tuple(sorted(told))


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, tree: NewTree
) -> None:
    if member.isdir():
        tree.folder(path)
    elif member.issym():
        tree.link(path, member.linkname)
    elif member.islnk():
        tree.hard_link(path, relative(member.linkname))
    elif member.isreg():
        _unpack_file(archive, member, path, tree)
    else:
        raise UnsafeArchive(path, "which is not a file, folder or link")


def _unpack_file(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, tree: NewTree
) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(archive.extractfile(member))  # type: ignore[arg-type] # a file
        target = stack.enter_context(tree.file(path))
        if normalise.needs_content(path):
            target.write(normalise.content(path, source.read()))
        else:
            while chunk := source.read(1 << 20):
                target.write(chunk)
    (tree.root / path).chmod(0o755 if member.mode & 0o111 else 0o644)
