"""A Debian root from exactly the locked packages.

``mmdebstrap`` installs them as Debian means it, maintainer scripts included, from a folder that has
nothing else, with the network cut off. It hands the root over as a tar archive, which carries
owners and modes whoever runs it; we read that archive once, normalise as we go
(``build/normalise.py``), and write a tree for the store.

    packages (cache) → folder with an index → mmdebstrap → tar → root/ + metadata

Source: mmdebstrap(1), variant *custom*.
Proven by ``tests/compat/test_build.py``.
"""

import os
import shutil
import stat
import tarfile
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from reconix.base import process
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.process import CommandFailed
from reconix.build import fresh, losses, normalise
from reconix.build.accounts import Accounts
from reconix.build.fresh import Build
from reconix.build.losses import Entry, Loss
from reconix.build.normalise import Ownership
from reconix.build.numbers import Renumbering, of_packages

_XATTR = "SCHILY.xattr."
"""How a tar archive calls attributes: star(5), *POSIX.1-2001 extended headers*."""
_HOST_NAME = 'hostname localhost || :; echo localhost > "$1/etc/hostname"'
"""What maintainer scripts find as the name of the machine: no root shows where it was built."""

EPOCH = 1
"""Every time stamp in a root, in seconds since 1970."""

METADATA = "metadata"
"""The file beside ``usr`` and ``etc`` that lists unusual owners and modes."""

AGENT_COMMAND = b"""#!/bin/sh
# The agent belongs to the generation, not to this root: the link leads to it.
exec /usr/bin/python3 -I -S /etc/reconix/reconix-device.pyz "$@"
"""


class RootFailed(ReconixError):
    """The packages of a system could not be installed."""

    exit_code = 60


class UnsafeArchive(ReconixError):
    """The archive of a root names a place outside the root."""

    exit_code = 60


def build_root(packages: Sequence[Path], suite: str, architecture: str, into: Path) -> None:
    """Install packages into a new folder as a normalised root.

    Args:
        packages: the ``.deb`` files, all of them; nothing else can be installed.
        suite: code name, for mmdebstrap.
        architecture: Debian's name of it.
        into: a folder that does not exist yet. Its parent also holds the work files.

    Raises:
        RootFailed: mmdebstrap or a maintainer script failed; the end of its log is in the message.
    """
    work = _work_folder(into)
    archive, began = work / "archive", time.time()
    archive.mkdir()
    names = make_archive(packages, archive)
    words = _words(names, suite, architecture, archive, work)
    try:
        with process.reading(*words) as stream:
            whole = _unpack_if_whole(stream, into, began)
    except CommandFailed as error:
        raise RootFailed(
            f"installing {len(names)} packages failed: {error}",
            hint="do the packages install together on a plain Debian of this suite?",
        ) from error
    finally:
        remove_tree(work)
    if not whole:
        raise RootFailed("mmdebstrap wrote an archive that cannot be read")


def _is_root() -> bool:
    return os.geteuid() == 0


def _work_folder(into: Path) -> Path:
    """A new folder that mmdebstrap can use, whoever it is.

    Run by a user, it works under the numbers that ``/etc/subuid`` grants him, and these are
    strangers in his home folder.
    """
    if _is_root():
        work = into.with_name(f"{into.name}.work")
        work.mkdir()
    else:
        work = Path(tempfile.mkdtemp(prefix="reconix-root-"))
        work.chmod(0o755)
    return work


def make_archive(packages: Sequence[Path], archive: Path) -> list[str]:
    """Make a folder that apt can use as an archive and give the names of its packages."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stanzas = sorted(pool.map(lambda package: _stanza(package, archive), packages))
    (archive / "Packages").write_bytes(b"\n".join(stanza for _, stanza in stanzas))
    return [name for name, _ in stanzas]


def _stanza(package: Path, archive: Path) -> tuple[str, bytes]:
    """Put one package into the folder; give its name and its entry for the index."""
    control = process.run("dpkg-deb", "--field", package)
    fields = dict(
        line.split(b": ", 1)
        for line in control.splitlines()
        if line[:1].isalpha() and b": " in line
    )
    name = fields[b"Package"].decode()
    place = archive / f"{name}.deb"
    if _is_root():
        place.symlink_to(package.resolve())
    else:
        shutil.copyfile(package, place)
    facts = (
        f"Filename: ./{place.name}\nSize: {package.stat().st_size}\n"
        f"SHA256: {Digest.of_file(package).hex()}\n"
    )
    return name, control + facts.encode()


def _words(
    names: Sequence[str], suite: str, architecture: str, archive: Path, work: Path
) -> list[str]:
    """The command line that installs ``names`` and writes the root to standard output.

    Only root can cut off the network: the namespaces that mmdebstrap makes for a user share it.
    """
    cut_off = ["unshare", "--net", "--uts"] if _is_root() else []
    clean = [
        "env",
        "-i",
        f"PATH={process.clean_environment()['PATH']}",
        "LC_ALL=C.UTF-8",
        "TZ=UTC",
        "HOME=/root",
    ]
    return [
        *cut_off,
        *clean,
        f"SOURCE_DATE_EPOCH={EPOCH}",
        f"TMPDIR={work}",
        "mmdebstrap",
        "--quiet",
        f"--mode={'root' if _is_root() else 'unshare'}",
        f"--setup-hook={_HOST_NAME}",
        "--variant=custom",
        "--format=tar",
        f"--architectures={architecture}",
        f"--include={','.join(names)}",
        suite,
        "-",
        f"deb [trusted=yes] copy:{urllib.parse.quote(str(archive))} ./",
    ]


def _unpack_if_whole(stream: "tarfile._Fileobj", into: Path, began: float) -> bool:
    """Unpack; an archive that is cut short has its reason elsewhere, in the program's exit."""
    try:
        unpack(stream, into, began)
    except tarfile.ReadError:
        return False
    return True


def unpack(stream: "tarfile._Fileobj", into: Path, began: float | None = None) -> None:
    """Write a tar archive of a root to a new folder, normalised.

    Args:
        stream: the archive; it is read once, front to back.
        into: a folder that does not exist yet.
        began: when it began to be made, in seconds since 1970; without it, just now.

    Raises:
        UnsafeArchive: a name or a hard link points out of the root.
    """
    into.mkdir()
    ownerships: list[Ownership] = []
    entries: list[Entry] = []
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = _relative(member.name)
            if path and normalise.keep(path, folder=member.isdir()):
                _unpack_member(archive, member, path, into)
                ownerships.extend(_ownership(member, path))
                entries.extend(_entry(member, path))
    build = Build.now(time.time() if began is None else began)
    (into / losses.FILE).write_bytes(losses.print_losses(_losses(into, entries, build)))
    (into / METADATA).write_bytes(normalise.print_ownerships(_renumber(into / "etc", ownerships)))
    _add_ours(into)


def _entry(member: tarfile.TarInfo, path: str) -> Iterator[Entry]:
    if not member.issym():
        mode = member.mode | (stat.S_IFDIR if member.isdir() else stat.S_IFREG)
        attributes = (name.removeprefix(_XATTR) for name in member.pax_headers if _XATTR in name)
        yield Entry(path, mode, member.uid, member.gid, tuple(attributes))


def _losses(root: Path, entries: Sequence[Entry], build: Build) -> list[Loss]:
    """What a root is without, once what no two roots may share is taken out."""
    private = {entry.path for entry in entries if not entry.mode & 0o004}
    found = list(fresh.find(root, private, build))
    fresh.take_out(root, found)
    accounts = _accounts(root / "etc")
    gone = [Loss(each.path, each.what) for each in found]
    return gone + [loss for entry in entries for loss in entry.losses(accounts)]


def _accounts(etc: Path) -> Accounts:
    is_there = (etc / "passwd").is_file() and (etc / "group").is_file()
    return Accounts.read(etc) if is_there else Accounts((), ())


def _renumber(etc: Path, ownerships: list[Ownership]) -> list[Ownership]:
    """Number users and groups by their names, so that the order of packages does not show.

    A system may give them others: those that devices know (``host.py``).
    """
    if not (etc / "passwd").is_file() or not (etc / "group").is_file():
        return ownerships
    found = Accounts.read(etc)
    renumbering = Renumbering.of(found, of_packages(found))
    files = renumbering.accounts(found).files()
    for name in ("passwd", "group"):
        (etc / name).write_bytes(files[name])
    return [renumbering.ownership(each) for each in ownerships]


def _add_ours(root: Path) -> None:
    """What the script of the initrd and the generated files expect to find in every root."""
    command = root / "usr/bin/reconix-device"
    command.write_bytes(AGENT_COMMAND)
    command.chmod(0o755)
    (root / "usr/lib/modules").mkdir(exist_ok=True)
    (root / "var/.updated").write_bytes(b"TIMESTAMP_NSEC=1000000000\n")


def _relative(name: str) -> str:
    path = name.removeprefix("./").strip("/")
    if ".." in path.split("/") or name.startswith("/"):
        raise UnsafeArchive(f"the root's archive has an entry {name!r}")
    return "" if path == "." else path


def _ownership(member: tarfile.TarInfo, path: str) -> list[Ownership]:
    if member.issym():
        return []
    mode = member.mode | (0o040000 if member.isdir() else 0o100000)
    found = normalise.ownership(path, mode=mode, user=member.uid, group=member.gid)
    return [found] if found else []


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, into: Path
) -> None:
    place = into / path
    if member.isdir():
        place.mkdir(exist_ok=True)
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        place.hardlink_to(into / _relative(member.linkname))
    elif member.isreg():
        _unpack_file(archive, member, path, place)


def _unpack_file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, place: Path) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(archive.extractfile(member))  # type: ignore[arg-type] # a file
        target = stack.enter_context(place.open("wb"))
        if normalise.needs_content(path):
            target.write(normalise.content(path, source.read()))
        else:
            while chunk := source.read(1 << 20):
                target.write(chunk)
    place.chmod(0o755 if member.mode & 0o111 else 0o644)
