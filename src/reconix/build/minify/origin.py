"""What a minimal object was made from: remembered for it, so that whoever has it can ask.

Tested by ``tests/unit/build/minify/test_minified.py``.
"""

from dataclasses import dataclass

from reconix.build import recipes
from reconix.build.recipes import Recipe
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Origin:
    """What a minimal object was made from.

    Attributes:
        root: the full one: a root, or a kernel with its modules.
        reasons: why each path of that stays or goes.
    """

    root: StorePath
    reasons: StorePath

    @classmethod
    def of(cls, store: ChrootStore, minimal: StorePath) -> "Origin | None":
        """That of a minimal object; nothing if it is a full one, or its origin was collected."""
        root, why = (recipes.known(store, each) for each in _origins(minimal))
        return cls(root, why) if root is not None and why is not None else None

    def remember(self, store: ChrootStore, minimal: StorePath) -> None:
        """Have it known of an object."""
        for recipe, path in zip(_origins(minimal), (self.root, self.reasons), strict=True):
            if recipes.known(store, recipe) != path:
                recipes.remember(store, recipe, path)


def _origins(minimal: StorePath) -> tuple[Recipe, Recipe]:
    given, name = (("minimal", str(minimal)),), "minimal-root"
    return Recipe("full root of", name, given, ()), Recipe("reasons of", name, given, ())
