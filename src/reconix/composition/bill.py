"""A bill of materials: every part that somebody else made, and what it needs.

Who looks for a known fault in a device asks by name, version and source; who ships it must say what
is in it. The lock knows what was installed, by hash; dpkg's status in the root knows what needs
what and from which source it is built; copyright files, where a machine can read them, know
licences. The formats are in ``cyclonedx.py`` and ``spdx.py``.

    host ─► system ─► what was asked for, what is essential ─► what that needs …
      └───► boot loader, program of the initrd

Parts are named by *package URLs*, with the source package where it is called otherwise. The same
lock gives the same bill: its date is that of the newest list of packages in the lock.

Source: Package URL specification, types ``deb``, ``pypi`` and ``oci`` (ECMA-427).
Tested by ``tests/unit/composition/test_bill.py`` and, against the libraries of both formats,
``tests/unit/composition/test_bill_formats.py``.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packageurl import PackageURL

from reconix.base.digests import Digest
from reconix.base.documents import JsonInput, print_json
from reconix.base.files import read_bounded
from reconix.build.inspect.packages import MAX_STATUS_BYTES, STATUS
from reconix.composition.dependencies import Dependencies
from reconix.composition.installed import parse_installed
from reconix.composition.licences import Licences
from reconix.composition.subject import HostSubject
from reconix.composition.wheels import InstalledWheel, wheels
from reconix.config.image_reference import InRegistry, parse_reference
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.packages import LockedPackage, SourcePackage

_DEBIAN = "debian"
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_MAX_OS_RELEASE_BYTES = 1 << 16
_NO_DATE = "19700101T000000Z"


class Kind(enum.Enum):
    """Which kind of part."""

    FIRMWARE = "firmware"
    """A system, or all of a host."""
    OPERATING_SYSTEM = "operating system"
    PACKAGE = "package"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Component:
    """One part; ``key`` tells it from all others of a bill."""

    key: str
    kind: Kind
    name: str
    version: str = ""
    purl: str = ""
    sha256: Digest | None = None
    """Of the file that it came in."""
    supplier: str = ""
    source: SourcePackage | None = None
    licences: tuple[str, ...] = ()
    """As its copyright file calls them, sorted."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else is known, by name; sorted."""


@dataclass(frozen=True, slots=True)
class Bill:
    """All parts of a host or a system."""

    subject: Component
    components: tuple[Component, ...]
    """Sorted by key."""
    needs: Mapping[str, tuple[str, ...]]
    """For each key, that of the subject included: the keys of what it needs, sorted."""
    date: str
    """As snapshot archives write it: ``20260912T075541Z``."""

    def digest(self) -> Digest:
        """What tells this bill from any other."""
        components = [_spelled(each) for each in (self.subject, *self.components)]
        needs = {key: [*keys] for key, keys in self.needs.items()}
        return Digest.of(print_json({"parts": components, "needs": needs, "date": self.date}))


@dataclass(slots=True)
class _Maker:
    """Puts a bill together."""

    subject: HostSubject
    roots: Mapping[str, Path]
    release: Mapping[str, str]
    found: dict[str, Component] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    dates: set[str] = field(default_factory=set)

    @property
    def project(self) -> str:
        """The name of the project, which brings what no archive has."""
        return self.subject.loaded.configuration.project.name

    def add(self, component: Component, *above: str) -> str:
        """Add a part that others need; gives its key."""
        known = self.found.get(component.key)
        self.found[component.key] = _joined(known, component) if known else component
        for key in above:
            self.needs.setdefault(key, set()).add(component.key)
        return component.key

    def package(self, package: LockedPackage, source: SourcePackage | None) -> Component:
        """A Debian package, as the lock has it."""
        self.dates.add(package.date or _NO_DATE)
        built_from = package.source or source
        is_debian = self.subject.loaded.configuration.project.is_debian(package.archive)
        owner = _DEBIAN if is_debian else self.project if package.is_of_project else package.archive
        qualifiers = {"arch": package.architecture, "distro": self._distro()}
        if built_from and (built_from.name, built_from.version) != (package.name, package.version):
            qualifiers["upstream"] = f"{built_from.name}@{built_from.version}"
        purl = PackageURL("deb", owner, package.name, package.version, qualifiers).to_string()
        return Component(
            purl,
            Kind.PACKAGE,
            package.name,
            package.version,
            purl,
            package.sha256,
            supplier="Debian" if is_debian else owner,
            source=built_from,
            facts=(
                ("archive", package.archive),
                ("architecture", package.architecture),
                ("path", package.path),
            ),
        )

    def _distro(self) -> str:
        return f"{self.release.get('ID', _DEBIAN)}-{self._version()}"

    def _version(self) -> str:
        return self.release.get("VERSION_ID", self.subject.lock.suites[0])

    def system(self, name: str, above: str) -> None:
        """A system with all its parts."""
        subject = self.subject.system(name)
        key = self.add(Component(f"system:{name}", Kind.FIRMWARE, str(subject)), above)
        known = _dependencies(self.roots[name])
        licences = Licences(self.roots[name])
        asked = subject.asked()
        keys: dict[str, str] = {}
        for package in subject.locked.packages:
            component = self.package(package, _source(known, package.name))
            keys[package.name] = self.add(replace(component, licences=licences.of(package.name)))
        for package_name, own in keys.items():
            self._needs_of(known, package_name, own, keys)
            if package_name in asked or known.is_essential(package_name):
                self.needs.setdefault(key, set()).add(own)
        for package in subject.locked.kernel:
            self.add(self.package(package, None), key)
        for wheel in wheels(subject.system, subject.locked):
            self.add(_wheel(wheel, self.project if wheel.is_own else ""), key)
        for place, tree in sorted(subject.system.trees.items()):
            self.add(self.folder(place, tree.source), key)
        for container, locked in sorted(subject.locked.containers.items()):
            self.container(container, locked, key)
        self.add(_AGENT, key)

    def container(self, name: str, locked: ContainerLock, above: str) -> None:
        """A container: an image, of which its maker knows the parts, or packages."""
        made = Component(f"{above}/container:{name}", Kind.APPLICATION, name)
        if locked.is_native:
            key = self.add(made, above)
            for package in locked.packages:
                self.add(self.package(package, None), key)
        else:
            self.add(_image(made, locked), above)

    def folder(self, place: str, source: Path) -> Component:
        """A folder of the project: what is in it, only the project knows."""
        folder = self.subject.path_in_project(source)
        facts = (("folder", folder),)
        key = f"folder:{place} {folder}"
        return Component(key, Kind.APPLICATION, place, supplier=self.project, facts=facts)

    def _needs_of(self, known: Dependencies, name: str, own: str, keys: Mapping[str, str]) -> None:
        if name in known.packages:
            found = {keys[need.needed] for need in known.needs(name) if need.needed in keys}
            self.needs.setdefault(own, set()).update(found)

    def system_of_nix(self, name: str, above: str) -> None:
        """A system of which only the whole is known here."""
        built = self.subject.lock.nix[name]
        facts = (("closure_sha256", built.closure.hex()), ("toplevel", str(built.toplevel)))
        title = f"{self.subject.host.name}:{name}"
        self.add(Component(f"system:{name}", Kind.FIRMWARE, title, facts=facts), above)

    def boot(self, above: str) -> None:
        """What is outside of all systems."""
        lock = self.subject.lock
        for package in (*lock.loader, *lock.initrd):
            self.add(self.package(package, None), above)
        name = self.release.get("ID", _DEBIAN)
        shown = self.release.get("PRETTY_NAME", name)
        facts = (("description", shown),)
        self.add(
            Component(
                "operating-system", Kind.OPERATING_SYSTEM, name, self._version(), facts=facts
            ),
            above,
        )


_AGENT = Component("agent", Kind.APPLICATION, "reconix-device", supplier="reconix")


def make(subject: HostSubject, roots: Mapping[str, Path], system: str = "") -> Bill:
    """The bill of a host, or of one of its systems.

    Args:
        subject: the host.
        roots: the Debian root of each system that is told.
        system: the only one that is told; by default, all of them.
    """
    release = [_os_release(root) for root in roots.values()]
    maker = _Maker(subject, roots, release[0] if release else {})
    name = f"{subject.host.name}:{system}" if system else subject.host.name
    top = Component("subject", Kind.FIRMWARE, name)
    maker.boot(top.key)
    for each in [system] if system else subject.host.systems:
        maker.system(each, top.key)
    for each in [] if system else subject.lock.nix:
        maker.system_of_nix(each, top.key)
    needs = {key: tuple(sorted(found)) for key, found in sorted(maker.needs.items()) if found}
    components = tuple(sorted(maker.found.values(), key=lambda each: each.key))
    bill = Bill(top, components, needs, max(maker.dates))
    return replace(bill, subject=replace(top, version=bill.digest().hex()[:16]))


def _spelled(component: Component) -> JsonInput:
    """All that is said of a part, in one spelling."""
    source, sha256 = component.source, component.sha256
    return [
        *(component.key, component.kind.value, component.name, component.version, component.purl),
        *(component.supplier, sha256.hex() if sha256 else ""),
        *([source.name, source.version] if source else []),
        [*component.licences],
        dict(component.facts),
    ]


def _joined(one: Component, other: Component) -> Component:
    """The same part as two systems have it: one of them may know more licences."""
    return replace(one, licences=tuple(sorted({*one.licences, *other.licences})))


def _wheel(wheel: InstalledWheel, supplier: str) -> Component:
    """A wheel; one of the project may be a file of a distribution that all know."""
    purl = PackageURL("pypi", None, wheel.name, wheel.version).to_string()
    key = f"{purl}#{wheel.sha256.hex()[:16]}"
    name, version, facts = wheel.name, wheel.version, (("file", wheel.file_name),)
    return Component(key, Kind.PACKAGE, name, version, purl, wheel.sha256, supplier, facts=facts)


def _image(made: Component, locked: ContainerLock) -> Component:
    """An image by the digest that its reference led to.

    Source: Package URL specification, type ``oci``.
    """
    assert locked.top is not None
    facts = (("image", locked.asked),)
    reference = parse_reference(locked.asked)
    if not isinstance(reference, InRegistry):
        return replace(made, version=str(locked.top), facts=facts)
    name = reference.repository.rpartition("/")[2].lower()
    place = {"repository_url": f"{reference.host}/{reference.repository}"}
    purl = PackageURL("oci", None, name, str(locked.top), place).to_string()
    return replace(made, version=str(locked.top), purl=purl, facts=facts)


def _dependencies(root: Path) -> Dependencies:
    return Dependencies(parse_installed(read_bounded(root / STATUS, MAX_STATUS_BYTES)))


def _source(known: Dependencies, name: str) -> SourcePackage | None:
    """What a package is built from, as dpkg says: a lock of version 1 does not."""
    installed = known.packages.get(name)
    return SourcePackage(installed.source, installed.source_version) if installed else None


def _os_release(root: Path) -> dict[str, str]:
    """What the root says it is.

    Source: os-release(5).
    """
    for name in _OS_RELEASE:
        if (root / name).is_file() and not (root / name).is_symlink():
            lines = read_bounded(root / name, _MAX_OS_RELEASE_BYTES).decode(errors="replace")
            return dict(_assignments(lines.splitlines()))
    return {}


def _assignments(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, equals, value = line.partition("=")
        if equals:
            yield name, value.strip("\"'")
