"""What `reconix size --minify` shows: what was taken by which rule, and of which package.

Tested by ``tests/unit/cli/test_size_minify.py``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconix.base.documents import JsonInput
from reconix.base.sizes import human
from reconix.build.minify import rules
from reconix.build.pins import Pin
from reconix.cli.sizes import table
from reconix.composition import minify_sizes
from reconix.composition.minify_sizes import STAYS, PackageSize, Removal, RuleSize
from reconix.nix.chroot import ChrootStore
from reconix.pictures import size_page, treemap
from reconix.pictures.treemap import Group, Tile
from reconix.store.generation import Generation, read_generation

_BECAUSE = {rule.name: rule.because for rule in rules.ALL}
_HEAD = ("before", "after", "package")


@dataclass(frozen=True, slots=True)
class MinifyReport:
    """What is told about the minified systems of a generation, or one of them.

    Attributes:
        generation: that is asked about.
        number: of it.
        system: empty if it is about all of them.
        minified: the systems that are.
        removal: what went.
    """

    generation: Generation
    number: int
    system: str
    minified: tuple[str, ...]
    removal: Removal

    @classmethod
    def make(cls, store: ChrootStore, pin: Pin, system: str) -> "MinifyReport":
        """Read a generation.

        Raises:
            UsageError: nothing of it is minified.
            NotBuilt: what it was made from was collected.
        """
        generation = read_generation(store.store_dir, pin.path)
        roots = minify_sizes.minimal_roots(store, generation, system)
        return cls(generation, pin.number, system, tuple(roots), Removal.of(store, roots.values()))

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        name = f"{self.generation.host}:{self.system}" if self.system else self.generation.host
        found = self.removal
        sizes = f"{human(found.before_bytes)} → {human(found.after_bytes)}"
        files = f"{found.before_files} → {found.after_files} different files"
        return f"{name}, generation {self.number}, minified: {sizes}, {files}"

    def lines(self, most: int | None) -> Iterator[str]:
        """All of it as text.

        Args:
            most: how many packages at most, if not all.
        """
        yield self.title
        yield from self._others()
        yield ""
        yield from table([("taken", "files", "rule"), *map(_of_rule, self._taken())])
        yield ""
        packages = self.removal.packages()
        listed = [_HEAD, *map(_of_package, packages[:most])]
        yield from table(listed)
        if most is not None and len(packages) > most:
            size = human(sum(each.before_bytes - each.after_bytes for each in packages[most:]))
            yield f"others: {len(packages) - most}, which lose {size}, with --all"

    def _others(self) -> Iterator[str]:
        names = [each.name for each in self.generation.systems if each.name not in self.minified]
        if names and not self.system:
            yield f"not minified: {', '.join(names)}"

    def _taken(self) -> list[RuleSize]:
        """What was taken; what was made in its place is less than nothing."""
        made = self.removal
        if not made.made_files:
            return made.rules()
        return [*made.rules(), RuleSize("made anew", made.made_files, -made.made_bytes)]

    def svg(self) -> str:
        """A treemap: what stays, and what each rule took, by package."""
        return draw(self.title, self.removal.by_rule())

    def page(self) -> str:
        """The treemap, and the table of packages."""
        rows = [*map(_of_package, self.removal.packages())]
        return size_page.page(self.title, self.svg(), _HEAD, rows)

    def document(self) -> JsonInput:
        """All of it for programs."""
        found = self.removal
        taken = {rule: sizes for rule, sizes in found.by_rule().items() if rule != STAYS}
        return {
            "title": self.title,
            "host": self.generation.host,
            "system": self.system or None,
            "systems": [*self.minified],
            "number": self.number,
            "generation": str(self.generation.path),
            "before_bytes": found.before_bytes,
            "after_bytes": found.after_bytes,
            "made_bytes": found.made_bytes,
            "before_files": found.before_files,
            "after_files": found.after_files,
            "rules": [
                {
                    "name": each.name,
                    "because": _BECAUSE.get(each.name),
                    "size_bytes": each.size_bytes,
                    "files": each.files,
                }
                for each in found.rules()
            ],
            "packages": [
                {
                    "name": each.name,
                    "before_bytes": each.before_bytes,
                    "after_bytes": each.after_bytes,
                    "taken": [
                        {"rule": rule, "size_bytes": sizes[each.name]}
                        for rule, sizes in taken.items()
                        if sizes[each.name]
                    ],
                }
                for each in found.packages()
            ],
        }


def draw(title: str, sizes: Mapping[str, Counter[str]]) -> str:
    """A treemap of what was there before: what stays, and what each rule took, by package.

    Args:
        title: what it shows.
        sizes: by rule, then by package, in bytes; what stays is under ``STAYS``.
    """
    groups = [_group(rule, found) for rule, found in sizes.items() if found.total()]
    return treemap.picture(title, sorted(groups, key=_largest))


def _of_rule(each: RuleSize) -> tuple[str, str, str]:
    because = _BECAUSE.get(each.name)
    size = f"-{human(-each.size_bytes)}" if each.size_bytes < 0 else human(each.size_bytes)
    return size, str(each.files), f"{each.name}: {because}" if because else each.name


def _of_package(each: PackageSize) -> tuple[str, str, str]:
    return human(each.before_bytes), human(each.after_bytes), each.name


def _group(rule: str, sizes: Counter[str]) -> Group:
    label, told = ("stays", "stays") if rule == STAYS else (rule, f"went: {rule}")
    tiles = sorted(
        (_tile(name, size, told) for name, size in sizes.items() if size),
        key=lambda tile: (-tile.size_bytes, tile.label),
    )
    return Group(label, human(sizes.total()), told, tuple(tiles))


def _tile(package: str, size: int, told: str) -> Tile:
    return Tile(package, human(size), f"{package}: {human(size)}, {told}", size)


def _largest(group: Group) -> tuple[int, str]:
    return -group.size_bytes, group.label
