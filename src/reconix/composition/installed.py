"""Installed packages as dpkg knows them: what each needs, what it provides, what it is made from.

A root carries dpkg's status (``build/inspect/packages.py``). Here its paragraphs become values that
say who needs whom. A package *needs* what its ``Depends`` and ``Pre-Depends`` name; ``Recommends``
are never installed for their own sake, so they explain nothing.

A relation is satisfied by a package of that name, or by one that provides the name. A version that
is asked for must fit, also that of a provided name; a name that is provided without a version fits
no question about versions.

Source: Debian Policy, sections 5.6.1 (*Source*), 7.1 and 7.5; deb-control(5).
Tested by ``tests/unit/composition/test_installed.py`` and, against dpkg and apt,
``tests/compat/test_build.py``.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from debian.debian_support import NativeVersion

from reconix.build.inspect.packages import BadStatus, installed_paragraphs

_SOURCE = re.compile(r"(?P<name>[^ ()]+)(?: \((?P<version>[^()]+)\))?")
_NAMED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<architecture>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<order><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
)
_APT = "apt"
"""apt counts itself among what is essential, and so it is installed with that."""
_BEFORE = "Pre-Depends"
_NEEDS = (_BEFORE, "Depends")
_ORDERS: Mapping[str, Callable[[NativeVersion, NativeVersion], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "<": operator.le,  # as dpkg still reads it
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.ge,
    ">>": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A package as another one names it, perhaps with a version."""

    name: str
    order: str = ""
    """One of ``<< <= = >= >>``; empty if any version will do."""
    version: str = ""

    def accepts(self, version: str) -> bool:
        """Whether a package of that version will do."""
        if not self.order:
            return True
        return bool(version) and _ORDERS[self.order](
            NativeVersion(version), NativeVersion(self.version)
        )


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing that a package needs: any of the named ones will do."""

    choices: tuple[Named, ...]
    text: str
    """As the package says it."""
    is_before: bool = False
    """Whether it must be there before the package is installed (``Pre-Depends``)."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package."""

    name: str
    version: str
    architecture: str
    source: str
    """The source package that it is built from: security notices are about sources."""
    source_version: str
    is_essential: bool
    relations: tuple[Relation, ...]
    provides: tuple[Named, ...]

    def is_what(self, wanted: Named) -> bool:
        """Whether it satisfies a relation, by its name or by one that it provides."""
        if self.name == wanted.name and wanted.accepts(self.version):
            return True
        return any(
            each.name == wanted.name and wanted.accepts(each.version) for each in self.provides
        )


def parse_installed(content: bytes) -> tuple[Installed, ...]:
    """The packages that dpkg's status calls installed, sorted by name.

    Raises:
        BadStatus: it is malformed.
    """
    found = [_installed(fields) for fields in installed_paragraphs(content)]
    return tuple(sorted(found, key=lambda each: (each.name, each.architecture)))


def _installed(fields: Mapping[str, str]) -> Installed:
    name, version = fields.get("Package", ""), fields.get("Version", "")
    if not name or not version:
        raise BadStatus("a package without name or version")
    _check_version(name, version)
    source, source_version = _source(fields.get("Source", ""))
    return Installed(
        name=name,
        version=version,
        architecture=fields.get("Architecture", "all"),
        source=source or name,
        source_version=source_version or version,
        is_essential=fields.get("Essential") == "yes" or name == _APT,
        relations=tuple(
            relation
            for field in _NEEDS
            for relation in _relations(name, field, fields.get(field, ""))
        ),
        provides=tuple(_named(name, text) for text in _split(fields.get("Provides", ""), ",")),
    )


def _source(text: str) -> tuple[str, str]:
    """Name and version of a source package; empty where it is as the binary package."""
    found = _SOURCE.fullmatch(text)
    return (found["name"], found["version"] or "") if found else ("", "")


def _relations(package: str, field: str, text: str) -> Iterator[Relation]:
    for part in _split(text, ","):
        choices = tuple(_named(package, choice) for choice in _split(part, "|"))
        yield Relation(choices, part, is_before=field == _BEFORE)


def _named(package: str, text: str) -> Named:
    found = _NAMED.fullmatch(text)
    if found is None:
        raise BadStatus(f"{package} names {text[:80]!r}, which is no package")
    if found["version"]:
        _check_version(package, found["version"])
    return Named(found["name"], found["order"] or "", found["version"] or "")


def _split(text: str, by: str) -> list[str]:
    return [part.strip() for part in text.split(by) if part.strip()]


def _check_version(package: str, version: str) -> None:
    try:
        NativeVersion(version)
    except ValueError as error:
        raise BadStatus(f"{package} has or names the version {version[:80]!r}") from error
