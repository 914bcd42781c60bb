"""Where each package that the solver chose comes from, and what it is to the byte.

apt says the address of a file, an index its hash, another command in which suites a version stands.
Put together they are one package of the lock. What came from beside Debian's archives is known
already (``offers.py``); its address only says who offered it.

Two archives may have one version of a package with two contents. apt sees one package then, as long
as the control files look alike, and which file it names is chance. So they are compared here.

Tested by ``tests/unit/build/archive/test_attribution.py`` and ``tests/compat/test_archives.py``.
"""

import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

from debian.debian_support import NativeVersion

from reconix.base import progress
from reconix.build.archive.apt import (
    SECURITY,
    Apt,
    AptFailed,
    Chosen,
    Listing,
    Record,
)
from reconix.build.archive.offers import Offers, TwoContents, place_of
from reconix.build.archive.others import contents_in
from reconix.config.lock.packages import LockedPackage


class Attribution:
    """Says of the answers of one solver where they come from."""

    def __init__(self, solver: Apt, offers: Offers) -> None:
        self._apt, self._offers = solver, offers
        self._dates = solver.dates()
        self._told = set[str]()

    def locked(
        self, chosen: Sequence[Chosen], debs: Iterable[LockedPackage]
    ) -> tuple[LockedPackage, ...]:
        """What is to stand in the lock.

        Args:
            chosen: what the solver answered.
            debs: files of the project that were asked for; Debian may have the same.

        Raises:
            TwoContents: Debian has the same version with another content.
            AptFailed: the answers do not fit together.
        """
        listings = self._apt.listings(package.name for package in chosen)
        self._expect_one_content(chosen, listings)
        mine = {(deb.name, deb.version): deb for deb in debs}
        offered = {
            each: mine.get((each.name, each.version)) or self._offered(each) for each in chosen
        }
        ours = [package for package in offered.values() if package]
        self._tell_of_others(ours, listings)
        debian = [each for each, package in offered.items() if not package]
        records = self._apt.records(debian)
        return tuple(sorted([*ours, *lock_packages(debian, records, listings, self._dates)]))

    def _offered(self, chosen: Chosen) -> LockedPackage | None:
        """The package of the archive or project that offered it; None: it is Debian's."""
        if not chosen.url.startswith("file:"):
            return None
        archive = chosen.url.rpartition("/./")[0].rpartition("/")[2]
        for package in self._offers.of(chosen.name, chosen.version):
            if package.archive == archive:
                return package
        raise AptFailed(f"apt found {chosen.name} {chosen.version} where nobody offers it")

    def _expect_one_content(self, chosen: Iterable[Chosen], listings: Iterable[Listing]) -> None:
        listed = {(listing.name, listing.version) for listing in listings}
        versions = {(each.name, each.version) for each in chosen}
        both = sorted(each for each in versions & listed if self._offers.of(*each))
        if not both:
            return
        servers = [t for t in self._apt.targets() if not t.address.startswith("file:")]
        debians = contents_in(servers, {name for name, _ in both})
        for name, version in both:
            contents = [("Debian's archive", digest) for digest in debians.get((name, version), ())]
            if not contents:
                raise AptFailed(f"apt's package lists disagree about {name} {version}")
            contents += [(place_of(p), p.sha256) for p in self._offers.of(name, version)]
            if len({digest for _, digest in contents}) > 1:
                raise TwoContents(name, version, contents)

    def _tell_of_others(
        self, offered: Iterable[LockedPackage], listings: Iterable[Listing]
    ) -> None:
        """A package that Debian has too is not updated by Debian any more."""
        versions: dict[str, list[str]] = {}
        for listing in listings:
            versions.setdefault(listing.name, []).append(listing.version)
        for package in sorted(offered):
            if there := versions.get(package.name):
                self._tell(package, max(there, key=NativeVersion))

    def _tell(self, package: LockedPackage, debians: str) -> None:
        ours, theirs = NativeVersion(package.version), NativeVersion(debians)
        if ours == theirs or (ours > theirs and not package.is_of_project):
            return
        text = (
            f"{package.name} {package.version} comes from {place_of(package)}; "
            f"Debian's {debians} is {'newer' if theirs > ours else 'older'}"
        )
        if text not in self._told:
            self._told.add(text)
            progress.note(text)


def lock_packages(
    chosen: Iterable[Chosen],
    records: Iterable[Record],
    listings: Iterable[Listing],
    dates: Mapping[tuple[str, str], str],
) -> tuple[LockedPackage, ...]:
    """Put together what apt says about packages in several answers.

    Args:
        chosen: the packages, with the addresses of their files.
        records: what indexes say about them; a version may be in several indexes.
        listings: in which suites their versions stand.
        dates: when the index of a suite at an address was made.

    Raises:
        AptFailed: the answers do not fit together.
    """
    by_version: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_version.setdefault((record.name, record.version), []).append(record)
    by_name: dict[str, list[Listing]] = {}
    for listing in listings:
        by_name.setdefault(listing.name, []).append(listing)
    return tuple(
        sorted(
            _locked(
                package,
                by_version.get((package.name, package.version), []),
                by_name.get(package.name, []),
                dates,
            )
            for package in chosen
        )
    )


def _locked(
    package: Chosen,
    records: Iterable[Record],
    listings: Iterable[Listing],
    dates: Mapping[tuple[str, str], str],
) -> LockedPackage:
    """One package: its address names the archive, its index the hash, its suite the date."""
    places = [
        (dates[listing.address, listing.suite], listing)
        for listing in listings
        if listing.version == package.version
        and package.url.startswith(listing.address + "/")
        and (listing.address, listing.suite) in dates
    ]
    fitting = {
        record.sha256: record for record in records if record.size_bytes == package.size_bytes
    }
    if not places or len(fitting) != 1:
        raise AptFailed(f"apt's package lists disagree about {package.name} {package.version}")
    (record,) = fitting.values()
    date, listing = min(places, key=lambda place: (place[0], place[1].suite))
    return LockedPackage(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        size_bytes=package.size_bytes,
        sha256=record.sha256,
        archive="debian-security" if listing.suite.endswith(SECURITY) else "debian",
        path=urllib.parse.unquote(package.url.removeprefix(listing.address + "/")),
        date=date,
        source=record.source,
    )
