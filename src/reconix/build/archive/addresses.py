"""Where archives are: their addresses need not be written down.

Debian's are those that apt of the build machine uses for Debian, unless ``reconix.toml`` names
others. Those beside them have theirs in ``reconix.toml``; one without is more of Debian's own.

Tested by ``tests/unit/build/archive/test_addresses.py``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.archive import apt
from reconix.build.archive.apt import SECURITY, Target, address_of
from reconix.config.project_paths import whole
from reconix.config.schema.archives import FILE, OtherArchive
from reconix.config.schema.project import Archive

_DEBIAN_SUITE = re.compile(
    r"(stable|oldstable|oldoldstable|testing|unstable|sid|experimental|"
    r"buster|bullseye|bookworm|trixie|forky|duke)(-updates|-backports|-security|/updates)?"
)


class NoArchive(ReconixError):
    """The address of the Debian archive is not known."""

    exit_code = 66


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the Debian archives are; ``None``: not known."""

    main: str | None
    security: str | None

    def of(self, suite: str) -> str:
        """The archive that has a suite.

        Raises:
            NoArchive: its address is not known.
        """
        option = "security" if suite.endswith(SECURITY) else "main"
        address = self.security if suite.endswith(SECURITY) else self.main
        if address is None:
            raise NoArchive(
                f"apt on this machine has no archive for the suite {suite}",
                hint="where apt has not looked yet, `apt-get update` helps; else write its "
                f'address into reconix.toml: [archive] {option} = "http://…"',
            )
        return address


def addresses(archive: Archive) -> Addresses:
    """Where the archives are: from ``reconix.toml``, or else from apt of this machine."""
    if archive.main and archive.security:
        return Addresses(archive.main.rstrip("/"), archive.security.rstrip("/"))
    found = choose_addresses(apt.machine_targets())
    main, security = archive.main or found.main, archive.security or found.security
    return Addresses(main and main.rstrip("/"), security and security.rstrip("/"))


def choose_addresses(targets: Iterable[Target]) -> Addresses:
    """The Debian archives among those that apt uses: the first of each kind that has HTTP."""
    debian = [
        target
        for target in targets
        if _DEBIAN_SUITE.fullmatch(target.suite)
        and target.origin in ("Debian", "")
        and target.address.startswith(("http://", "https://"))
    ]
    security = [t.address for t in debian if t.suite.endswith((SECURITY, "/updates"))]
    main = [t.address for t in debian if not t.suite.endswith((SECURITY, "/updates"))]
    return Addresses(next(iter(main), None), next(iter(security), None))


def address_of_other(archive: OtherArchive, project: Path, debian: Addresses) -> str:
    """Where an archive beside Debian's is.

    Raises:
        NoArchive: it is more of Debian's own, of which the address is not known.
    """
    if archive.url is None:
        return debian.of(archive.suites[0])
    if archive.is_folder:
        return address_of(folder_of(archive, project))
    return archive.url.rstrip("/")


def folder_of(archive: OtherArchive, project: Path) -> Path:
    """The folder of an archive that is one."""
    assert archive.url is not None
    path = archive.url.removeprefix(FILE).removeprefix("//")
    return whole(project / path)
