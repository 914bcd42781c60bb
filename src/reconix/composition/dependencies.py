"""Who needs a package: the shortest chains that lead to it.

    nginx ──needs──► libssl3t64 (>= 3.5.0)
      ▲
      asked for by a file of the configuration

Every package is there because something was asked for, or because it is essential, and what is
needed comes with it. So an answer is a chain from what was asked for. There are usually many; the
shortest is what people expect. Of equally short ones the first by name is taken, so that the same
packages always give the same answer.

Tested by ``tests/unit/composition/test_dependencies.py`` and, against apt,
``tests/compat/test_build.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconix.composition.installed import Installed, Relation


@dataclass(frozen=True, slots=True)
class Need:
    """One package needs another."""

    package: str
    relation: Relation
    needed: str

    @property
    def is_only_choice(self) -> bool:
        """Whether it asks for this package and no other, so that nothing has to be added."""
        return [choice.name for choice in self.relation.choices] == [self.needed]


Chain = tuple[Need, ...]
"""From what was asked for to the package in question; empty if that was asked for itself."""


class Dependencies:
    """The packages of one root, and who of them needs whom."""

    def __init__(self, packages: Iterable[Installed]) -> None:
        self.packages: Mapping[str, Installed] = {each.name: each for each in packages}
        self._by_name = _names(self.packages.values())

    def needs(self, name: str) -> Iterator[Need]:
        """What a package needs, of that which is there."""
        for relation in self.packages[name].relations:
            for choice in relation.choices:
                for other in self._by_name.get(choice.name, ()):
                    if other.name != name and other.is_what(choice):
                        yield Need(name, relation, other.name)

    def is_essential(self, name: str) -> bool:
        """Whether a package is there because every system has it."""
        return name in self.packages and self.packages[name].is_essential

    def providers(self, name: str) -> list[str]:
        """The packages that provide a name."""
        return sorted(each.name for each in self._by_name.get(name, ()))

    def needed_by(self) -> Mapping[str, tuple[Need, ...]]:
        """For each package who needs it, sorted by name."""
        found: dict[str, list[Need]] = {}
        for name in sorted(self.packages):
            for need in self.needs(name):
                found.setdefault(need.needed, []).append(need)
        return {name: tuple(needs) for name, needs in found.items()}

    def chains(self, target: str) -> Mapping[str, Chain]:
        """The shortest chain to a package, from each one that needs it in any way and from itself.

        Nearest first, equally near ones by name.
        """
        needed_by = self.needed_by()
        found: dict[str, Chain] = {target: ()}
        level = [target]
        while level:
            following: dict[str, Chain] = {}
            for name in level:
                for need in needed_by.get(name, ()):
                    if need.package not in found:
                        following.setdefault(need.package, (need, *found[name]))
            level = sorted(following)
            found |= {name: following[name] for name in level}
        return found


def _names(packages: Iterable[Installed]) -> dict[str, list[Installed]]:
    """Packages by all names under which they can be asked for."""
    found: dict[str, list[Installed]] = {}
    for package in packages:
        for name in dict.fromkeys([package.name, *(each.name for each in package.provides)]):
            found.setdefault(name, []).append(package)
    return found
