"""``[archives.NAME]`` in ``reconix.toml``: archives of packages beside Debian's own."""

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from reconix.config.lock.packages import DEBIAN, PROJECT
from reconix.config.options import Option
from reconix.config.schema.values import ArchiveSuite, ArchiveUrl, Name, PackagePattern

FILE = "file:"
RESERVED = frozenset({*DEBIAN, PROJECT})
"""What the lock calls Debian's archives and the files of the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherArchive:
    """An archive of packages beside Debian's own.

    What its `packages` name comes from it, whatever version Debian has; nothing else does, whatever
    it offers.
    """

    url: Annotated[
        ArchiveUrl | None,
        Option(
            "Address of the archive, or `file:` and a folder, relative to the project; without it, "
            "the address of Debian's archive. Who has to log in there, and how, is read from "
            "`/etc/apt/auth.conf` of this machine.",
            '"https://packages.example"',
            "for packages of a vendor or of your own; leave it out for backports",
        ),
    ] = None
    suites: Annotated[
        tuple[ArchiveSuite, ...],
        Option(
            "Suites of it; in an archive without suites, the folder with the index and a `/`.",
            '["stable"]',
            "to what its owner says; `./` is the top of an archive without suites",
        ),
    ]
    components: Annotated[
        tuple[Name, ...],
        Option(
            "Components of these suites; without any, `main`, or for more of Debian's own archive "
            "those of `archive.components`.",
            '["main"]',
            "when its owner says so",
        ),
    ] = ()
    keyring: Annotated[
        Path | None,
        Option(
            "File with the public keys that sign it, armoured or binary; no other key counts. "
            "Debian's own archives need none.",
            '"keys/vendor.asc"',
            "when the archive is not Debian's: it must be signed",
        ),
    ] = None
    trusted: Annotated[
        bool,
        Option(
            "Whether the archive is believed without a signature; only for `file:`.",
            "true",
            "when it is a folder that your own build has just written",
        ),
    ] = False
    packages: Annotated[
        tuple[PackagePattern, ...],
        Option(
            "Names of packages that come from it, `*` and `?` allowed.",
            '["vendor-*"]',
            "to exactly what you want of it: it can never replace anything else",
        ),
    ]

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine, and asked without a network."""
        return self.url is not None and self.url.startswith(FILE)

    def matches(self, name: str) -> bool:
        """Whether a package may come from it."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.packages)


def is_flat(suite: str) -> bool:
    """Whether a suite is a folder with an index in it, and has no components."""
    return suite.endswith("/")
