"""Objects of a system beside its root: where each appears on the device.

A folder of the project is no part of the Debian root, or each change of it would make a new root.
It is an object of its own, and appears in one of two ways:

* *bound*, at a path of its own: read-only, as it is in the store;
* *laid over* the root, as a layer: what it has is there besides what the root has. So files come
  below ``/usr``, and into folders that packages have as well.

The script of the initrd does both (``build/data/root.sh``), from two lists in the toplevel::

    trees    <store path> <path>   a line, sorted by path
    layers   <store path>          a line, the uppermost first

Tested by ``tests/unit/build/test_toplevel.py`` and, with real mounts, by
``tests/unit/build/test_root_script.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True, order=True)
class Bound:
    """An object at a path of its own."""

    place: str
    """On the device: absolute, without white space."""
    path: StorePath
    sidecar: StorePath


@dataclass(frozen=True, slots=True)
class Layer:
    """An object that is laid over the root: it has folders of the root, such as ``usr``."""

    path: StorePath
    sidecar: StorePath


@dataclass(frozen=True, slots=True)
class Placed:
    """All that a system has beside its root."""

    bound: tuple[Bound, ...] = ()
    layers: tuple[Layer, ...] = ()
    """The uppermost first."""

    def objects(self) -> tuple[StorePath, ...]:
        """The objects, and the sidecars that describe them."""
        return tuple(path for each in self._all() for path in (each.path, each.sidecar))

    def sidecars(self) -> dict[str, StorePath]:
        """The sidecars, by the name of what each describes."""
        return {each.path.basename: each.sidecar for each in self._all()}

    def lists(self) -> dict[str, bytes]:
        """What the script of the initrd obeys; a list that would be empty is not there."""
        lists = {
            "trees": "".join(f"{each.path} {each.place}\n" for each in sorted(self.bound)),
            "layers": "".join(f"{each.path}\n" for each in self.layers),
        }
        return {name: text.encode() for name, text in lists.items() if text}

    def _all(self) -> Sequence[Bound | Layer]:
        return (*self.bound, *self.layers)


NOTHING_PLACED = Placed()
"""Of a system that has only what packages bring."""
