"""A system partition with real images, and a small root in which scripts find their own paths.

Where a script runs, ``/mnt/system`` is the partition, ``/mnt/data`` a folder beside it, ``/new``
the place of the new root. Programs are those of this machine, or of busybox as in the initrd.
Whatever is mounted is gone when the script ends.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.boot import initrd
from reconix.image.pack import make_pack
from reconix.store.images.erofs import write_image
from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    MAX_INLINE_BYTES,
    READ_ONLY,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
)
from reconix.store.images.verity import digest
from reconix.store.pool import Pool

TOPLEVEL = f"/nix/store/{'0' * 32}-system-default"
SHELLS = {
    "initrd": "mkdir /applets && busybox --install -s /applets && PATH=/applets exec busybox sh",
    "soft reboot": "exec sh",
}
"""Which programs a script has, by where it runs."""

_ENTER = """
mount -t tmpfs root {root} && cd {root} || exit 1
mkdir -p usr dev proc sys etc tmp run/reconix mnt/system mnt/data mnt/peek nix new
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
for name in usr dev proc sys; do mount --rbind /$name $name || exit 1; done
mount --bind {place}/system mnt/system && mount --bind {place}/data mnt/data || exit 1
cp {place}/scripts/* .
exec chroot . sh -c '{shell} /script'
"""


def file(content: bytes, metadata: Metadata = READ_ONLY) -> ImageFile:
    """A file; its content must be in the pool if it is large."""
    is_inline = len(content) <= MAX_INLINE_BYTES
    return ImageFile(metadata, len(content), content if is_inline else digest(content))


def link(target: str) -> ImageLink:
    """A link."""
    return ImageLink(LINK, target.encode())


def folder(entries: Mapping[str, Node], metadata: Metadata = EXECUTABLE) -> ImageFolder:
    """A folder."""
    return ImageFolder(metadata, tuple(sorted((n.encode(), e) for n, e in entries.items())))


@dataclass(frozen=True)
class SystemPartition:
    """The partition, as it would be on a disk.

    Attributes:
        place: of it and of what scripts need besides.
    """

    place: Path

    @classmethod
    def make(cls, place: Path) -> "SystemPartition":
        """A new one of this layout, without a system."""
        for name in ("system/pool", "system/images", "system/reconix", "data", "scripts", "root"):
            (place / name).mkdir(parents=True)
        (place / "system/reconix/layout").write_text("2\n")
        return cls(place)

    @property
    def system(self) -> Path:
        return self.place / "system"

    def content(self, content: bytes) -> Path:
        """Put a content into the pool."""
        name = digest(content).hex()
        path = self.system / "pool" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o400)
        return path

    def pack(self) -> str:
        """Move all contents of the pool into a pack; its name."""
        Need()("mkfs.erofs")
        pool, made = Pool(self.system / "pool"), self.place / "pack"
        make_pack({found: pool.path(found) for found in pool.digests()}, made, self.place)
        name = sha256(made.read_bytes()).hexdigest()
        (self.system / "packs").mkdir(exist_ok=True)
        made.rename(self.system / "packs" / name)
        for found in list(pool.digests()):
            pool.path(found).unlink()
        return name

    def image(self, objects: Mapping[str, Node]) -> str:
        """Write an image of objects, by their names in the store; its name."""
        written = bytearray()
        trees: Iterable[tuple[bytes, Node]] = ((n.encode(), e) for n, e in objects.items())
        name = write_image(trees, written.extend).sha256.hex()
        path = self.system / "images" / name
        path.write_bytes(written)
        return name

    def do(self, text: str, *, where: str = "initrd") -> str:
        """Run a script that may use ``/root.sh`` and the others; what it prints.

        Raises:
            CommandFailed: it exits with another status than 0.
        """
        return run(*self._words(text, where)).decode()

    def complaint(self, text: str, *, where: str = "initrd") -> str:
        """Run a script that must fail; all that it prints."""
        words = self._words(text, where)
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout.decode()

    def _words(self, text: str, where: str) -> tuple[str, ...]:
        Need()("unshare", "busybox", "mount")
        if os.geteuid() != 0:
            pytest.skip("only root can mount images")
        scripts = self.place / "scripts"
        for path in (*initrd.SCRIPTS, initrd.SCRIPT.with_name("switch")):
            (scripts / path.name).write_text(path.read_text())
        (scripts / "script").write_text(text)
        enter = _ENTER.format(root=self.place / "root", place=self.place, shell=SHELLS[where])
        return ("unshare", "--mount", "sh", "-c", enter)
