"""A minified root as an object of a store: made once for what it is made from.

    full root, etc, trees, agent, configuration ──► reasons      why each path stays or goes
    full root, reasons                          ──► minimal root

Both have recipes, so a build without changes makes neither. The reasons stay on the build machine,
where ``reconix why`` reads them. A changed port makes new reasons, but no new root. What a minimal
root came from is written down beside the recipes, so that it can be told of each that is kept.

Tested by ``tests/unit/build/minify/test_minified.py``; with boots, by hand so far, by
``examples/demo.py --minify``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from reconix.base import progress
from reconix.base.architecture import Architecture
from reconix.build import recipes
from reconix.build.agent import bytecode
from reconix.build.minify import (
    checks,
    minimal_root,
    named,
    plan,
    reasons,
    start_tests,
)
from reconix.build.minify.checks import Roots
from reconix.build.minify.files import MAX_READ_BYTES, Files
from reconix.build.minify.minimal_root import Minimal
from reconix.build.minify.origin import Origin
from reconix.build.minify.plan import Wanted
from reconix.build.minify.reasons import Reasons
from reconix.build.recipes import Recipe
from reconix.build.software.device_files import Part
from reconix.build.software.owners import INFO, Owners
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar

NAME = "minimal-root"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a minimal root is made from.

    Attributes:
        root: the full root.
        above: what is laid over it, or beside it, with its place; the uppermost first.
        wanted: what the configuration says.
    """

    root: StorePath
    above: tuple[tuple[str, StorePath], ...]
    wanted: Wanted

    def recipe(self) -> Recipe:
        """How the reasons come about."""
        above = [
            (f"at {place or '/'} {number}", str(path))
            for number, (place, path) in enumerate(self.above)
        ]
        wanted = [(each.name, repr(getattr(self.wanted, each.name))) for each in fields(Wanted)]
        inputs = (("root", str(self.root)), *above, *wanted)
        return Recipe("reasons", "reasons", inputs, recipes.sources(plan, reasons, named))


def minify(store: ChrootStore, inputs: Inputs, sidecar: Sidecar, architecture: str) -> Sidecar:
    """Make the minimal root, and check it; gives what is to be said about its files.

    Args:
        store: has the full root and what is above it.
        inputs: what it is made from.
        sidecar: of the full root.
        architecture: as Debian calls it.

    Raises:
        NamedButGone: a file that stays names what went, and no sentence is about that.
        BrokenPrograms: it lacks what a file of it needs.
    """
    why = recipes.realise(store, inputs.recipe(), lambda into: _write_reasons(store, inputs, into))
    found = reasons.read_reasons(store.path(why))
    root = store.path(inputs.root)
    for line in (*useless(inputs.wanted, found, root), *too_large(found.stays, root)):
        progress.note(line)
    kept = {path for path, because in found.stays.items() if because.how == plan.KEPT}
    minimal = Minimal.of(root, found.stays, kept)
    given = (("root", str(inputs.root)), ("reasons", str(why)))
    code = (*recipes.sources(minimal_root, checks), bytecode.SCRIPT)
    recipe = Recipe("minimal root", NAME, given, code)

    def make(into: Path) -> None:
        minimal.write(root, into, Architecture(architecture) if found.is_python_ours else None)
        *above, _ = _parts(store, inputs)
        roots = Roots(into, root, above, architecture)
        roots.check()
        for line in roots.never_there():
            progress.note(line)

    path = recipes.realise(store, recipe, make)
    _try_starts(store, inputs, path, architecture)
    Origin(inputs.root, why).remember(store, path)
    return Sidecar(path, minimal.entries(sidecar.entries), minimal_root.OMITTED)


def _try_starts(store: ChrootStore, inputs: Inputs, minimal: StorePath, architecture: str) -> None:
    """Run what services test before they start, once for what they are made of.

    Raises:
        BrokenPrograms: a test fails for lack of what went.
    """
    above = tuple((f"{number} {at}", str(path)) for number, (at, path) in enumerate(inputs.above))
    given = (("minimal", str(minimal)), ("root", str(inputs.root)), *above)

    def make(into: Path) -> None:
        *parts, _ = _parts(store, inputs)
        start_tests.check(store.path(minimal), store.path(inputs.root), parts)
        into.write_bytes(b"")

    if Architecture(architecture).is_of_this_machine:
        recipe = Recipe("start tests", "start-tests", given, recipes.sources(start_tests))
        recipes.realise(store, recipe, make)


def _stays(found: Reasons, path: str) -> bool:
    """Whether a path stays; the folders at the top are links into ``usr``."""
    return path in found.stays or f"usr/{path}" in found.stays


def useless(wanted: Wanted, found: Reasons, root: Path) -> Iterator[str]:
    """What the configuration names and what is not there, so that it keeps nothing.

    It is told and no error: a machine has one list for all its systems.
    """
    names = {path.rpartition("/")[2] for path in found.stays}
    features = {each.how.rpartition(" for ")[2] for each in found.stays.values()}
    for each in wanted.keep:
        kind, _, name = each.partition(":")
        there = {
            "package": any((root / INFO).glob(f"{name}.list"))
            or any((root / INFO).glob(f"{name}:*.list")),
            "suggested": name in features,
            "module": True,  # told by whoever has the kernel
        }.get(kind, _stays(found, each.strip("/")))
        if not there:
            yield f"minify.keep: {each} keeps nothing, it is not there"
    for each in wanted.without:
        if each.strip("/") not in found.goes:
            yield f"minify.without: {each} did not go"
    for program in wanted.programs:
        if program not in names:
            yield f"minify.programs: {program} is not there"


def too_large(stays: Iterable[str], root: Path) -> Iterator[str]:
    """What stays and is so large that what it names at its end was not looked for."""
    for path in sorted(stays):
        place = root / path
        if place.is_file() and place.lstat().st_size > MAX_READ_BYTES:
            read = MAX_READ_BYTES >> 20
            yield f"minify: of /{path} only the first {read} MiB were searched for what it names"


def _write_reasons(store: ChrootStore, inputs: Inputs, into: Path) -> None:
    root = store.path(inputs.root)
    files = Files.read(_parts(store, inputs))
    found = plan.make_plan(files, Owners.read(root), inputs.wanted)
    named.check(files, found, inputs.wanted.without)
    into.write_bytes(reasons.print_reasons(found))


def _parts(store: ChrootStore, inputs: Inputs) -> Iterator[Part]:
    for place, path in inputs.above:
        yield Part(place, store.path(path), hides=place not in ("", "/etc"))
    yield Part("", store.path(inputs.root))


def above(
    etc: StorePath,
    agent: StorePath,
    bound: Sequence[tuple[str, StorePath]],
    layers: Sequence[StorePath],
) -> tuple[tuple[str, StorePath], ...]:
    """What lies over a root, in the order in which a device looks."""
    trees = (*sorted(bound), (str(agent), agent))
    return (*trees, ("/etc", etc), *(("", layer) for layer in layers))
