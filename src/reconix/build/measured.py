"""What systems and generations are on devices, read once and looked up from then on.

To know the images of a system, every file of it is read and hashed. An unchanged build would do
that for all systems each time. But what comes out follows from the closure of the system and from
our code; so it is an object of the store, found by recipe like a root (``build/recipes.py``).

What is looked up is told to people, held against budgets, and promised by generations and boot
entries. Nothing is sent or written to a disk because of it: there the images are computed from the
files, and compared with what was promised (``nix/images.py``).

A changed setting is another system, with the root of the one before. So which content each file has
is written down, too, for each object that takes long to read (``nix/contents.py``).

An entry that is lost, damaged or about something else is made again. Only one that was made while a
file of the closure was damaged cannot be told: who repairs a store forgets them all (``forget``).

Tested by ``tests/unit/build/test_measured.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reconix.base import progress
from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument
from reconix.base.files import read_bounded
from reconix.build import recipes
from reconix.build.recipes import Recipe
from reconix.nix import contents, installed
from reconix.nix.chroot import ChrootStore
from reconix.nix.contents import parse_contents, print_contents
from reconix.nix.images import DeviceTrees
from reconix.nix.installed import Installed, parse_installed, print_installed
from reconix.store.closure import StoreObject
from reconix.store.paths import StorePath
from reconix.store.scan import Listed
from reconix.store.tree import File, events

_NAME, _CONTENTS = "installed.json", "contents.list"
_GENERATION = "installed generation"
_MAX_BYTES = 1 << 20
_MAX_LIST_BYTES = 1 << 28
_LONG_BYTES = 1 << 20
"""An object with so much in it is worth a list."""

_Compute = Callable[[DeviceTrees, StorePath], Installed]


@dataclass(slots=True)
class Measured:
    """What is known, or computed now, of the systems and generations of a store."""

    store: ChrootStore
    _trees: DeviceTrees = field(init=False)
    _found: dict[StorePath, Installed] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._trees = DeviceTrees(self.store, lists=_Lists(self.store))

    def system(self, toplevel: StorePath) -> Installed:
        """What a system is on a device."""
        return self._get("installed system", toplevel, installed.installed_system)

    def generation(self, root: StorePath) -> Installed:
        """What a generation is on a device.

        Raises:
            BadGeneration: see ``read_device_generation``.
        """
        return self._get(_GENERATION, root, installed.installed_generation)

    def known_generation(self, root: StorePath) -> Installed | None:
        """What a generation is on a device, if that was computed once."""
        return _known(self.store, _recipe(self.store, _GENERATION, root), root)

    def _get(self, kind: str, subject: StorePath, compute: _Compute) -> Installed:
        if subject not in self._found:
            recipe = _recipe(self.store, kind, subject)
            known = _known(self.store, recipe, subject)
            self._found[subject] = known or self._compute(recipe, subject, compute)
        return self._found[subject]

    def _compute(self, recipe: Recipe, subject: StorePath, compute: _Compute) -> Installed:
        with progress.stage(f"compute the images of {subject.name}"):
            found = compute(self._trees, subject)
        _keep(self.store, recipe, print_installed(subject, found))
        return found


def forget(store: ChrootStore) -> None:
    """Have everything computed again, because files of the store change under their names."""
    recipes.forget(store, _NAME)
    recipes.forget(store, _CONTENTS)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Lists of contents as objects of the store, of objects that take long to read."""

    store: ChrootStore

    def find(self, item: StoreObject) -> Listed:
        path = recipes.known(self.store, self._recipe(item))
        if path is None or not self.store.valid_all([path]) or self.store.verify([path]):
            return {}
        try:
            content = read_bounded(self.store.path(path), _MAX_LIST_BYTES)
            return parse_contents(content, item.path, source=str(path))
        except BadDocument:
            return {}

    def keep(self, item: StoreObject, listed: Listed) -> None:
        if sum(found.size_bytes for found in listed.values()) >= _LONG_BYTES:
            _keep(self.store, self._recipe(item), print_contents(item.path, listed))

    def _recipe(self, item: StoreObject) -> Recipe:
        inputs = (("object", str(item.path)), ("content", str(item.nar)))
        return Recipe("contents", _CONTENTS, inputs, recipes.sources(contents))


def _recipe(store: ChrootStore, kind: str, subject: StorePath) -> Recipe:
    """The name of a system alone would not do: one of NixOS says nothing about its content."""
    closure = store.closure_of(subject).objects
    content = "".join(f"{item.path} {item.nar}\n" for item in closure)
    inputs = (("object", str(subject)), ("closure", str(Digest.of(content.encode()))))
    return Recipe(kind, _NAME, inputs, recipes.sources(installed))


def _known(store: ChrootStore, recipe: Recipe, subject: StorePath) -> Installed | None:
    path = recipes.known(store, recipe)
    if path is None or not store.valid_all([path]) or store.verify([path]):
        return None
    try:
        content = read_bounded(store.path(path), _MAX_BYTES)
        return parse_installed(content, subject, source=str(path))
    except (BadDocument, BadDigest):
        return None


def _keep(store: ChrootStore, recipe: Recipe, document: bytes) -> None:
    """Write down what came out; a damaged object that was to say the same is replaced."""
    path = store.add_files(File(document), recipe.name)
    if store.verify([path]):
        store.replace(path, events(File(document)))
    recipes.remember(store, recipe, path)
