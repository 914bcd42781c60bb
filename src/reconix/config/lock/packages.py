"""One package of the lock: what it is, and where it can be had.

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/lock/test_document.py``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError

LOADER = "systemd-boot-efi"
INITRD = "busybox-static"
DEBIAN = ("debian", "debian-security")
"""Debian's own archives: whatever they had stays in dated archives."""
PROJECT = "project"
"""Stands for the archive of a package that is a file of the project."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_VERSION = re.compile(r"[0-9A-Za-z.+~:-]+")
_ARCHITECTURE = re.compile(r"[a-z0-9-]+")
_ARCHIVE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PATH = re.compile(r"(?!/)[A-Za-z0-9._+~%:=@,/-]{1,1024}\.deb")
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATE_FORM = "%Y%m%dT%H%M%SZ"


AGAIN = "take it as one commit has it, and write it again: reconix lock"
"""A lock is never made out of one that is damaged: it knows numbers that nothing else does."""


class BadLock(ReconixError):
    """The lock file was not written by reconix, or was changed since."""

    exit_code = 64

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=AGAIN)


def _is_date(text: str) -> bool:
    """Whether there is such a day, and one after it."""
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.strptime(text, _DATE_FORM).replace(tzinfo=UTC) + timedelta(days=1)
    except (OverflowError, ValueError):
        return False
    return True


def is_package_path(text: str) -> bool:
    """Whether a package can be found under a path, below an archive or a project."""
    return bool(_PATH.fullmatch(text)) and not {"", ".", ".."} & set(text.split("/"))


@dataclass(frozen=True, slots=True, order=True)
class SourcePackage:
    """What a package was built from: faults are filed on sources."""

    name: str
    version: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not _VERSION.fullmatch(self.version):
            raise BadLock(f"{self.name!r} {self.version!r} is not a valid source package")


@dataclass(frozen=True, slots=True, order=True)
class LockedPackage:
    """One Debian package; valid by construction."""

    name: str
    version: str
    architecture: str
    """As the package says: ``all`` is possible."""
    size_bytes: int
    sha256: Digest
    archive: str
    """``debian``, ``debian-security``, the name of another archive, or ``PROJECT``."""
    path: str
    """Below the archive, ``pool/main/…/….deb``, or below the folder of the project."""
    date: str
    """When an archive had it, as snapshot archives write it: ``20260912T075541Z``.

    Empty for a file of the project, and where an archive beside Debian's does not say.
    """
    source: SourcePackage | None = None
    """Nothing in a lock of version 1."""

    def __post_init__(self) -> None:
        for what, value, form in (
            ("name", self.name, _NAME),
            ("version", self.version, _VERSION),
            ("architecture", self.architecture, _ARCHITECTURE),
            ("archive", self.archive, _ARCHIVE),
        ):
            if not form.fullmatch(value):
                raise BadLock(f"{value!r} is not a valid package {what}")
        if not is_package_path(self.path):
            raise BadLock(f"{self.path!r} is not a valid package path")
        wrong = self.date and (self.is_of_project or not _is_date(self.date))
        if wrong or (self.archive in DEBIAN and not self.date):
            raise BadLock(f"{self.date!r} is not a valid date")

    @property
    def is_of_project(self) -> bool:
        """Whether it is a file of the project."""
        return self.archive == PROJECT

    @property
    def id(self) -> str:
        """What the package is called within a lock, and in messages."""
        return f"{self.name}_{self.version}_{self.architecture}"

    @property
    def file_name(self) -> str:
        """The name of its file as apt spells it."""
        return f"{self.id.replace(':', '%3a')}.deb"
