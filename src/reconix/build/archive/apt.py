"""apt on a configuration of its own: its solver and its signatures, none of this machine's state.

Which packages a system needs is decided by the program that decides it on every Debian machine.
apt sees nothing of the machine that it runs on: it gets a folder with its own sources, its own
lists and an empty list of installed packages.

    <folder>/apt.conf            the whole configuration, given with APT_CONFIG
    <folder>/etc/sources.list    suites of the target, for its architecture
    <folder>/etc/preferences     what the solver prefers, and what it must not take
    <folder>/state/status        empty: nothing is installed
    <folder>/state, cache        lists and what apt makes of them; nobody else writes there

Some settings are adopted from the machine, because they say how *it* reaches a network: proxies
with their certificates (``Acquire::…``), who logs in and how (``logins.py``), and where the Debian
archives are (``addresses.py``). Whoever uses a frozen copy of an archive has told apt to ignore its
age; that is adopted as well, but only together with the copy's address.

Here are the calls, and parsers for what apt prints; the parsers are pure.

Source: apt.conf(5), sources.list(5), apt-get(8), apt-cache(8).
Tested by ``tests/unit/build/archive/test_apt.py`` and, against the real apt,
``tests/compat/test_apt.py``.
"""

import contextlib
import email.utils
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from reconix.base import process, progress
from reconix.base.digests import BadDigest, Digest
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.base.process import CommandFailed, Hear
from reconix.build.archive.refusals import Asked, refusal
from reconix.config.lock.packages import BadLock, SourcePackage

SECURITY = "-security"
_TIMEOUT_SECONDS = 600
_MAX_IN_RELEASE_BYTES = 4 << 20
_MAX_REASONS_BYTES = 1 << 16
_MAX_ANSWER_BYTES = 1 << 28  # all that apt knows of all packages
_ROUTE = (
    r'Acquire::https?::(?:[^:"\s]+::)?'
    r"(?:Proxy|Proxy-Auto-Detect|ProxyAutoDetect|CaInfo|CaPath|CrlFile|IssuerCert|SslCert|SslKey)"
)
_FRESHNESS = r"Acquire::Check-(?:Valid-Until|Date)"

_LOCAL = "file:"
_STATUS = re.compile(rb"dlstatus:[0-9]+:(?P<percent>[0-9]{1,3}(?:\.[0-9]+)?):(?P<what>.{0,200})")


class AptFailed(ReconixError):
    """apt could not do what was asked, and its own message is all that we know."""

    exit_code = 66


class Unsolvable(ReconixError):
    """No set of packages satisfies the request."""

    exit_code = 65


@dataclass(frozen=True, slots=True)
class Source:
    """One suite at one address."""

    address: str
    suite: str
    components: tuple[str, ...]
    """None: an index in a folder, the suite."""
    keyring: Path | None
    """Whose signature counts; without it, none is asked for."""
    archive: str | None = None
    """What the project calls it, if it is not Debian's; it is asked by an apt of its own."""

    def line(self, architecture: str) -> str:
        """The entry for ``sources.list``."""
        options = [f"arch={architecture}"]
        if self.keyring is None:
            options.append("trusted=yes")
        elif self.archive is None:  # an apt that asks another archive knows no other keys
            options.append(f"signed-by={self.keyring}")
        words = ("deb", f"[{' '.join(options)}]", self.address, self.suite)
        return " ".join([*words, *self.components])


def address_of(folder: Path) -> str:
    """A folder of this machine as an archive."""
    return _LOCAL + urllib.parse.quote(str(folder.absolute()))


def path_of(address: str) -> Path | None:
    """The file at an address, if that is of this machine: the inverse."""
    if not address.startswith(_LOCAL):
        return None
    return Path(urllib.parse.unquote(address.removeprefix(_LOCAL)))


@dataclass(frozen=True, slots=True, order=True)
class Chosen:
    """A package that the solver chose, and where it would fetch it."""

    name: str
    version: str
    architecture: str
    url: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """What an index says about one version of a package."""

    name: str
    version: str
    architecture: str
    path: str
    size_bytes: int
    sha256: Digest
    source: SourcePackage


@dataclass(frozen=True, slots=True)
class Target:
    """An index that apt is configured to use."""

    file: Path
    address: str
    suite: str
    origin: str
    key: str = ""
    """What the index is called in the signed file, such as ``main/binary-amd64/Packages``."""

    @property
    def release(self) -> Path:
        """The signed file with the hashes of the index; apt names both after their addresses."""
        prefix = self.file.name.removesuffix(self.key.replace("/", "_"))
        found = (self.file.with_name(f"{prefix}{name}") for name in ("InRelease", "Release"))
        return next((path for path in found if path.exists()), self.file.with_name(prefix))


@dataclass(frozen=True, slots=True, order=True)
class Listing:
    """A version of a package stands in the index of a suite."""

    name: str
    version: str
    address: str
    suite: str


def _tell(line: bytes) -> None:
    """Report how far apt is, which it says like ``dlstatus:7:90.0795:Retrieving file 7 of 9``.

    Source: apt, doc/progress-reporting.md.
    """
    found = _STATUS.match(line)
    if found:
        what = found["what"].decode(errors="replace").strip()
        progress.doing(f"{float(found['percent']):.0f} %, {what}")


def machine_settings(*, with_freshness: bool = False) -> str:
    """How this machine's apt reaches the world: proxies and certificates.

    Args:
        with_freshness: also whether it minds the age of its archives.
    """
    return parse_settings(process.run("apt-config", "dump"), with_freshness=with_freshness)


def parse_settings(dump: bytes, *, with_freshness: bool) -> str:
    """The lines of an ``apt-config dump`` that we take over."""
    keys = f"{_ROUTE}|{_FRESHNESS}" if with_freshness else _ROUTE
    found = re.findall(rf'^({keys}) "([^"\n]*)";$', dump.decode(errors="replace"), re.M | re.I)
    return "".join(f'{key} "{value}";\n' for key, value in found)


def setting(settings: str, key: str) -> str | None:
    """The value of one setting, if there is one."""
    found = re.search(rf'^{re.escape(key)} "([^"]*)";$', settings, re.M | re.I)
    return found[1] if found and found[1] else None


def machine_targets() -> list[Target]:
    """The indexes that this machine's apt is configured to use."""
    return parse_targets(process.run("apt-get", "indextargets", "--format", _TARGET_FORMAT))


_TARGET_FORMAT = "$(FILENAME)|$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(CREATED_BY)|$(METAKEY)"


def parse_targets(said: bytes) -> list[Target]:
    """Read what ``apt-get indextargets`` prints in our format; package indexes only."""
    rows = [line.split("|") for line in said.decode(errors="replace").splitlines()]
    return [
        Target(Path(row[0]), row[1].rstrip("/"), row[2], row[3], row[5])
        for row in rows
        if len(row) == 6 and row[4] == "Packages"
    ]


@dataclass(frozen=True, slots=True)
class Apt:
    """One private configuration of apt."""

    folder: Path
    architecture: str
    sources: tuple[Source, ...]

    @classmethod
    def prepare(
        cls, folder: Path, architecture: str, sources: Sequence[Source], settings: str
    ) -> "Apt":
        """Write the configuration; lists that are there already are kept.

        Args:
            folder: used by nobody else; made if it is not there.
            architecture: of the target.
            sources: where packages come from.
            settings: further lines for ``apt.conf``, see ``machine_settings``.
        """
        folder = folder.absolute()
        for name in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{source.line(architecture)}\n" for source in sources)
        write_durably(folder / "etc/sources.list", lines.encode())
        write_durably(folder / "state/status", b"")
        write_durably(folder / "apt.conf", _configuration(folder, architecture, settings).encode())
        return cls(folder, architecture, tuple(sources))

    @property
    def _environment(self) -> Mapping[str, str]:
        return {"APT_CONFIG": str(self.folder / "apt.conf")}

    def _run(self, *words: str, hear: Hear | None = None) -> bytes:
        return process.run(
            *words,
            hear=hear,
            environment=self._environment,
            timeout_seconds=_TIMEOUT_SECONDS,
            limit_bytes=_MAX_ANSWER_BYTES,
        )

    def update(self) -> None:
        """Fetch the lists of all sources, or find that those we have are current.

        Raises:
            ArchiveUnreachable: an address does not answer, or does not have the suite.
            BadSignature: what it has is not signed by the keys that the source names.
        """
        try:
            words = ("apt-get", "update", "-qq", "--error-on=any", "-o", "APT::Status-Fd=1")
            self._run(*words, hear=_tell)
        except CommandFailed as error:
            raise refusal(error.output.decode(errors="replace"), self._asked()) from error

    def _asked(self) -> Asked:
        """Those that others than ourselves have written."""
        sources = [source for source in self.sources if source.keyring or source.archive]
        return Asked(
            archive=next((source.archive for source in sources if source.archive), None),
            addresses=_listed(source.address for source in sources),
            keyrings=_listed(str(source.keyring) for source in sources if source.keyring),
        )

    def names(self) -> frozenset[str]:
        """The names of all packages."""
        return frozenset(self._run("apt-cache", "pkgnames").decode(errors="replace").split())

    def providers(self, name: str) -> list[str]:
        """The names of packages that provide another name."""
        said = self._run("apt-cache", "showpkg", "--", name).decode(errors="replace")
        lines = said.partition("Reverse Provides:")[2].splitlines()
        return sorted({line.split()[0] for line in lines if line.strip()})

    def solve(self, wanted: Sequence[str], preferences: str = "") -> list[Chosen]:
        """What has to be installed on an empty machine to get ``wanted``.

        Args:
            wanted: names of packages, and patterns of apt such as ``?essential``.
            preferences: what the solver prefers, see apt_preferences(5).

        Raises:
            Unsolvable: they cannot be installed together; the message has apt's reasons.
        """
        write_durably(self.folder / "etc/preferences", preferences.encode())
        words = ("apt-get", "install", "-y", "--print-uris")
        try:
            return parse_uris(self._run(*words, "-qq", "--", *wanted))
        except CommandFailed as error:
            reasons = self._reasons(*words, "--", *wanted) or error.output.decode(errors="replace")
            raise Unsolvable(
                f"apt cannot install what was asked for: {' '.join(reasons.split())}",
                hint="which packages conflict? remove one of them",
            ) from error

    def _reasons(self, *words: str) -> str:
        """Run apt again for the explanation, which it prints neither with -qq nor as an error."""
        said = b""
        with (
            contextlib.suppress(CommandFailed),
            process.reading(*words, environment=self._environment) as output,
        ):
            said = output.read(_MAX_REASONS_BYTES)
        return said.decode(errors="replace").partition("unmet dependencies:")[2]

    def records(self, chosen: Iterable[Chosen]) -> list[Record]:
        """What the indexes say about packages."""
        names = sorted({f"{package.name}={package.version}" for package in chosen})
        return parse_records(self._run("apt-cache", "show", *names)) if names else []

    def listings(self, names: Iterable[str]) -> list[Listing]:
        """In which suites the versions of packages stand."""
        words = sorted(set(names))
        return parse_listings(self._run("apt-cache", "madison", *words)) if words else []

    def dates(self) -> Mapping[tuple[str, str], str]:
        """When each index was made, by address and suite, as snapshot archives write it.

        Folders of this machine are left out.
        """
        return {
            (target.address, target.suite): parse_date(read_release(target))
            for target in self.targets()
            if not target.address.startswith(_LOCAL)
        }

    def targets(self) -> list[Target]:
        """The indexes that were fetched."""
        return parse_targets(self._run("apt-get", "indextargets", "--format", _TARGET_FORMAT))


def read_release(target: Target) -> bytes:
    """The signed file with the hashes of an index; empty if there is none, where none is needed."""
    try:
        return read_bounded(target.release, _MAX_IN_RELEASE_BYTES)
    except FileNotFoundError:
        return b""


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted({*texts}))


def _configuration(folder: Path, architecture: str, settings: str) -> str:
    # Packages that lie in Dir::Cache::archives are left out by --print-uris; that folder stays
    # empty, for nothing is ever installed here.
    sandbox = f'Dir "{folder}";\n' + 'APT::Sandbox::User "root";\n'
    return sandbox + _CONFIGURATION.format(architecture=architecture) + settings


_CONFIGURATION = """\
Dir::State "state";
Dir::State::status "status";
Dir::Cache "cache";
Dir::Etc "etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Etc::preferences "preferences";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""


_URI = re.compile(r"'([^']+)' (\S+)_(\S+)_([a-z0-9-]+)\.deb (\d{1,18}) \S*")


def parse_uris(said: bytes) -> list[Chosen]:
    """Read what ``apt-get install --print-uris -qq`` prints.

    Raises:
        AptFailed: a line is not as we know it.
    """
    lines = said.decode(errors="replace").splitlines()
    return [_parse_uri(line) for line in lines if line.strip()]


def _parse_uri(line: str) -> Chosen:
    found = _URI.fullmatch(line)
    if found is None:
        raise _not_understood(line)
    url, name, version, architecture, size = found.groups()
    return Chosen(name, urllib.parse.unquote(version), architecture, url, int(size))


def _not_understood(line: str) -> AptFailed:
    return AptFailed(f"apt printed a line that cannot be parsed: {line[:200]!r}")


def parse_records(said: bytes) -> list[Record]:
    """Read what ``apt-cache show`` prints.

    Raises:
        AptFailed: a package lacks a field, or has a malformed one.
    """
    from debian.deb822 import Deb822  # late: slow to import, and an unchanged build needs none

    return [
        parse_record(paragraph) for paragraph in Deb822.iter_paragraphs(said, use_apt_pkg=False)
    ]


def parse_record(paragraph: Mapping[str, str]) -> Record:
    """Read one paragraph of an index.

    Raises:
        AptFailed: it lacks a field, or has a malformed one.
    """
    try:
        return Record(
            name=paragraph["Package"],
            version=paragraph["Version"],
            architecture=paragraph["Architecture"],
            path=paragraph["Filename"],
            size_bytes=int(paragraph["Size"]),
            sha256=Digest.parse(paragraph["SHA256"]),
            source=source_of(paragraph),
        )
    except (BadDigest, BadLock, KeyError, ValueError) as error:
        name = str(paragraph.get("Package", ""))[:80]
        lacks = f": it lacks {error.args[0]}" if isinstance(error, KeyError) else ""
        raise AptFailed(f"a package list has a malformed entry for {name!r}{lacks}") from error


def source_of(control: Mapping[str, str]) -> SourcePackage:
    """What a package was built from; without a word about it, what it is called itself.

    Source: Debian Policy, section 5.6.1.
    """
    said = control.get("Source") or control["Package"]
    name, _, version = said.partition(" ")
    return SourcePackage(name, version.strip(" ()") or control["Version"])


def parse_listings(said: bytes) -> list[Listing]:
    """Read what ``apt-cache madison`` prints; binary packages of servers only."""
    listings = []
    for line in said.decode(errors="replace").splitlines():
        try:
            name, version, place = (part.strip() for part in line.split("|"))
            if place.startswith(_LOCAL):
                continue
            address, suite, *_, kind = place.split()
        except ValueError as error:
            raise _not_understood(line) from error
        if kind == "Packages":
            listings.append(Listing(name, version, address.rstrip("/"), suite.partition("/")[0]))
    return listings


def parse_date(in_release: bytes) -> str:
    """When an archive's index was made: ``20260912T075541Z``.

    Raises:
        AptFailed: it does not say when.
    """
    found = re.search(rb"^Date: ([^\n]{1,100})$", in_release, re.M)
    try:
        date = email.utils.parsedate_to_datetime(found[1].decode() if found else "")
        return date.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (OverflowError, ValueError) as error:
        raise AptFailed("a package list has no date") from error
