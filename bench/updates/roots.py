"""Debian roots to make updates from: what a team's image would contain, as a plain tree.

mmdebstrap installs the packages from the archives that apt of this machine uses. Its archive is
read once and normalised with the rules of the product (``build/root/normalise.py``), so that two
roots differ in what Debian changed and in nothing else: no caches, no logs, no keys, no devices.
Owners and times are the same everywhere, because only some of the programs compared could carry
them.

Two things differ from a root that ``reconix build`` makes: the kernel lies in it, since most teams
ship it in their image, and the initrd that Debian's scripts would make does not.
"""

import shutil
import tarfile
from pathlib import Path
from typing import IO

from reconix.base import process
from reconix.build.archive import apt
from reconix.build.archive.addresses import choose_addresses
from reconix.build.root import normalise

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "openssh-server"),
    *("python3-minimal", "mosquitto", "nginx-light", "ca-certificates", "linux-image-cloud-amd64"),
)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
EPOCH = 1
_KERNEL = ("boot/vmlinuz-", "boot/config-", "boot/System.map-")


def build(suites: tuple[str, ...], packages: tuple[str, ...], into: Path) -> None:
    """Make a root at a place that does not exist yet; its suites' first is the release."""
    addresses = choose_addresses(apt.machine_targets())
    lines = [f"deb [signed-by={KEYRING}] {addresses.of(suite)} {suite} main" for suite in suites]
    settings = apt.machine_settings(with_freshness=True).splitlines()
    words = (
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--format=tar"),
        *("--architectures=amd64", f"--include={','.join(packages)}"),
        *(f"--aptopt={setting}" for setting in settings),
        *(suites[0], "-", *lines),
    )
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    with process.reading(*words, environment=environment) as stream:
        unpack(stream, into)


def unpack(stream: IO[bytes], into: Path) -> None:
    """Write a tar archive of a root as a tree of plain files, folders and links."""
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = member.name.removeprefix("./").strip("/")
            if path and path != "." and keep(path, folder=member.isdir()):
                _unpack_member(archive, member, path, into)


def keep(path: str, *, folder: bool) -> bool:
    """Whether an entry of the archive belongs to the root."""
    return path.startswith(_KERNEL) or normalise.keep(path, folder=folder)


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, into: Path
) -> None:
    place = into / path
    if member.isdir():
        place.mkdir(exist_ok=True)
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        # Not a link: an archive for the store has none, nor does every program compared.
        shutil.copy2(into / member.linkname.removeprefix("./"), place)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        place.write_bytes(normalise.content(path, source.read()))
        place.chmod(0o755 if member.mode & 0o111 else 0o644)


def copy_without(root: Path, place: Path, left_out: tuple[str, ...]) -> None:
    """Copy a root but for some of its entries."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).relative_to(root)
        return [name for name in names if str(inside / name) in left_out]

    shutil.copytree(root, place, symlinks=True, ignore=ignored)
