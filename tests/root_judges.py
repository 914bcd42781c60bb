"""What Debian's own programs say of the packages of a real root, beside what we say.

dpkg and apt are asked about the status in the root, and about nothing of this machine.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.project_files import enough

from reconix.base.files import read_bounded
from reconix.base.process import Word, run
from reconix.build.inspect.packages import MAX_STATUS_BYTES, STATUS
from reconix.build.software.owners import How, Owners
from reconix.composition.dependencies import Dependencies
from reconix.composition.installed import Installed, parse_installed

_ALL = 1 << 26
_FORMAT = "${Package}|${Version}|${source:Package}|${source:Version}\\n"
_RELATIONS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


def installed(root: Path) -> tuple[Installed, ...]:
    return parse_installed(read_bounded(root / STATUS, MAX_STATUS_BYTES))


def _dpkg(root: Path, *words: Word) -> list[str]:
    said = run("dpkg-query", f"--admindir={root}/var/lib/dpkg", *words, limit_bytes=_ALL)
    return said.decode().splitlines()


def check_sources(root: Path) -> None:
    """Each package is built from the source that dpkg names."""
    ours = {
        f"{each.name}|{each.version}|{each.source}|{each.source_version}"
        for each in enough(installed(root), at_least=50, what="packages")
    }
    assert ours == {*_dpkg(root, "--show", f"--showformat={_FORMAT}")}


def check_owners(root: Path) -> None:
    """Each file that dpkg can attribute has the owner that dpkg names."""
    owners = Owners.read(root)
    real = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    ours = {
        f"{', '.join(owner.packages)}: /{path}"
        for path in (file.relative_to(root).as_posix() for file in real)
        if (owner := owners.of(path)).how is How.LISTED
    }
    paths = [line.partition(": ")[2] for line in enough(ours, at_least=1000, what="owned files")]
    said = _dpkg(root, "--search", *sorted(paths))
    assert ours == {line.replace(":amd64", "") for line in said if "diversion" not in line}


def check_needs(root: Path, work: Path) -> None:
    """What each package needs of what is there is as apt finds it, provided names included."""
    known = Dependencies(installed(root))
    apt = _depends(root, work, known.packages)
    for name in known.packages:
        ours = {need.needed for need in known.needs(name)}
        assert ours == apt[name] & known.packages.keys() - {name}, f"what {name} needs"


def _depends(root: Path, work: Path, names: Iterable[str]) -> dict[str, set[str]]:
    """What packages need: a line for each, those that provide a name stand below it."""
    configuration = work / "apt.conf"
    nothing = ("main", "parts", "sourcelist", "sourceparts", "preferences", "preferencesparts")
    configuration.write_text(
        f'Dir "{work}";\nDir::State::status "{root}/{STATUS}";\n'
        + "".join(f'Dir::Etc::{each} "/dev/null";\n' for each in nothing)
        + 'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n'
    )
    switches = [f"--no-{each}" for each in _RELATIONS]
    words = ("apt-cache", *switches, "depends", *sorted(names))
    said = run(*words, environment={"APT_CONFIG": str(configuration)}, limit_bytes=_ALL)
    found: dict[str, set[str]] = {}
    name = ""
    for line in enough(said.decode().splitlines(), at_least=100, what="lines of apt"):
        if line.startswith(" "):
            found[name].add(line.rpartition(" ")[2])
        else:
            name = line
            found[name] = set()
    return found


def check_reasons(root: Path, asked: Iterable[str]) -> None:
    """Every package is there because of one that was asked for, or that is essential."""
    known = Dependencies(installed(root))
    causes = {each.name for each in known.packages.values() if each.is_essential} | {*asked}
    for name in known.packages:
        assert causes & known.chains(name).keys(), f"nothing leads to {name}"
