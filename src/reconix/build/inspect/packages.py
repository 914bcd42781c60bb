"""Which Debian packages a system has, and what became of them from one generation to the next.

A root carries what dpkg knew when it was built, so two generations can be compared package by
package without the archive they came from::

    <toplevel>/root → <hash>-root-<system>/var/lib/dpkg/status

Parsing and comparing are pure. Versions are ordered as Debian orders them, where ``1.0~rc1`` comes
before ``1.0`` and ``1:0.9`` after it.

Source: deb-control(5), deb-version(7); Debian Policy, section 5.6.12.
Tested by ``tests/unit/build/inspect/test_packages.py``, the order
against ``dpkg --compare-versions``.
"""

import enum
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from debian.debian_support import NativeVersion

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import BadStorePath, StorePath

STATUS = "var/lib/dpkg/status"
MAX_STATUS_BYTES = 256 << 20
_KIB = 1024
_INSTALLED = "installed"


class BadStatus(ReconixError):
    """dpkg's status is malformed."""

    exit_code = 22

    def __init__(self, what: str) -> None:
        super().__init__(f"{STATUS}: {what}", hint="build the system again")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """An installed package."""

    name: str  # with its architecture, as ``libc6:i386``, if the system has several
    version: str
    size_bytes: int  # unpacked, as the package itself says; 0 if it does not

    def __post_init__(self) -> None:
        try:
            NativeVersion(self.version)
        except ValueError as error:
            raise BadStatus(f"{self.name} has the version {self.version[:80]!r}") from error


class Step(enum.Enum):
    """What became of a package."""

    UP = "up"
    DOWN = "down"
    ADDED = "added"
    REMOVED = "removed"
    REBUILT = "rebuilt"  # the same version with another size: not the same package


@dataclass(frozen=True, slots=True)
class PackageChange:
    """The same change of a package in some systems."""

    before: Package | None
    after: Package | None
    systems: tuple[str, ...]  # where it happened, sorted

    @property
    def name(self) -> str:
        """Which package."""
        package = self.after or self.before
        return package.name if package else ""

    @property
    def step(self) -> Step:
        """What became of it."""
        if self.before is None:
            return Step.ADDED
        if self.after is None:
            return Step.REMOVED
        return _STEPS[_order(self.before.version, self.after.version)]


_STEPS = {-1: Step.UP, 0: Step.REBUILT, 1: Step.DOWN}

Packages = Mapping[str, Package]
"""By name."""


def parse_status(content: bytes) -> dict[str, Package]:
    """Read dpkg's status; packages that are not installed are left out.

    Raises:
        BadStatus: it is malformed.
    """
    there = installed_paragraphs(content)
    main = _main_architecture(there)
    packages = [_package(fields, main) for fields in there]
    return {package.name: package for package in packages}


def installed_paragraphs(content: bytes) -> list[dict[str, str]]:
    """The fields of each installed package, but for lines that go on.

    Raises:
        BadStatus: it is malformed.
    """
    texts = content.decode(errors="replace").split("\n\n")
    paragraphs = [_fields(text) for text in texts if text.strip()]
    return [one for one in paragraphs if one.get("Status", "").split(" ")[-1] == _INSTALLED]


def compare(
    before: Mapping[str, Packages], after: Mapping[str, Packages]
) -> tuple[PackageChange, ...]:
    """What became of the packages of each system, sorted by name; the same change stands once.

    Args:
        before: the packages of each system; a system that is missing has none.
        after: likewise.
    """
    found: dict[tuple[Package | None, Package | None], list[str]] = {}
    for system in sorted(before.keys() | after.keys()):
        old, new = before.get(system, {}), after.get(system, {})
        for name in old.keys() | new.keys():
            pair = (old.get(name), new.get(name))
            if pair[0] != pair[1]:
                found.setdefault(pair, []).append(system)
    changes = [PackageChange(*pair, tuple(systems)) for pair, systems in found.items()]
    return tuple(sorted(changes, key=lambda change: (change.name, change.systems)))


def packages_of(store: ChrootStore, toplevel: StorePath) -> dict[str, Package]:
    """The packages of one system; none if it is not Debian's.

    Raises:
        BadStatus: its root has a damaged status.
        NotValid: its root is not here.
    """
    link = store.path(toplevel) / "root"
    if not link.is_symlink():
        return {}
    try:
        root = StorePath.containing(str(link.readlink()))
    except BadStorePath:
        return {}
    store.info(root)
    file = store.path(root) / STATUS
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return parse_status(read_bounded(file, MAX_STATUS_BYTES))


def _fields(paragraph: str) -> dict[str, str]:
    """The fields of a paragraph but for lines that go on."""
    fields = {}
    for line in paragraph.strip("\n").split("\n"):
        if line[:1] not in (" ", "\t"):
            name, colon, value = line.partition(":")
            if not colon:
                raise BadStatus(f"{line[:80]!r} is not a field")
            fields[name] = value.strip()
    return fields


def _main_architecture(paragraphs: list[dict[str, str]]) -> str:
    """The architecture of dpkg itself, which is that of the system."""
    found = (one.get("Architecture", "") for one in paragraphs if one.get("Package") == "dpkg")
    return next(found, "")


def _package(fields: Mapping[str, str], main: str) -> Package:
    name, version = fields.get("Package", ""), fields.get("Version", "")
    if not name or not version:
        raise BadStatus("a package without name or version")
    architecture = fields.get("Architecture", "all")
    if main and architecture not in (main, "all"):
        name = f"{name}:{architecture}"
    size = fields.get("Installed-Size", "0")
    if not size.isdecimal() or len(size) > 15:
        raise BadStatus(f"{name} has the size {size[:80]!r}")
    return Package(name, version, int(size) * _KIB)


def _order(one: str, other: str) -> int:
    """-1, 0 or 1: how two versions are ordered."""
    left, right = NativeVersion(one), NativeVersion(other)
    return -1 if left < right else int(left > right)
