"""Pairs of trees: what devices have and what they shall have.

========  ==========================================================================================
security  Debian bookworm as released → with all that its security and updates suites have
config    the same system with one page and two settings changed and a small package more
upgrade   Debian bookworm with its updates → trixie
nix       a closure of the real Nix → the same over a rebuilt bottom: every path has another name
oci       an OCI image of Debian with an application → both updated, as devices have it: unpacked
layers    the same images as a registry has them: layouts of compressed layers
python    the updated system → two settings changed, a point release of the broker, and a library
          for Python, which brings all of its standard library
kernel-arm64
          a kernel of trixie for Arm, its modules and its documentation → its security update
node      a release of an application with its ``node_modules`` → a later one
generation
          a generation of the example, three systems with all of Debian → one with another page, a
          package more, a setting; as reconix builds both
generation-minified
          the same, of minified systems
========  ==========================================================================================

The trees are made once and kept in the user's cache folder; remove it to make them from what the
archives have today.
"""

import shutil
import tempfile
from pathlib import Path

from bench.updates import closure, generations, layout, node, packages, roots, site
from bench.updates.peers.peer import Closures, Pair

from reconix.base.files import remove_tree

RELEASE = ("bookworm",)
UPDATED = ("bookworm", "bookworm-security", "bookworm-updates")
NEXT = ("trixie",)
SECURED = ("trixie", "trixie-security")
NAMES = (
    *("security", "config", "upgrade", "nix", "oci", "layers", "python", "kernel-arm64", "node"),
    *("generation", "generation-minified"),
)
_CLOSURES = "store"
_COMPLETE = "complete"


def make(name: str, cache: Path) -> Pair:
    """The pair of that name, from the cache or new."""
    folder = cache / name
    if not (folder / _COMPLETE).exists():
        remove_tree(folder)
        folder.mkdir(parents=True)
        _MAKE[name](folder, _Roots(cache / "roots"))
        (folder / _COMPLETE).touch()
    return read(folder)


def read(folder: Path) -> Pair:
    """A pair that was made."""
    store = folder / _CLOSURES
    if not store.exists():
        return Pair(folder.name, folder)
    return Pair(folder.name, folder, Closures(store, *closure.tops(store)))


class _Roots:
    """The Debian roots, each built once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, suites: tuple[str, ...], *more: str) -> Path:
        root = self._folder / name
        if not root.exists():
            unfinished = self._folder / f"{name}.part"
            remove_tree(unfinished)
            roots.build(suites, (*roots.PACKAGES, *more), unfinished)
            unfinished.rename(root)
        return root

    def release(self) -> Path:
        return self.get("release", RELEASE)

    def updated(self) -> Path:
        return self.get("updated", UPDATED)


def _copy(root: Path, place: Path) -> Path:
    shutil.copytree(root, place, symlinks=True)
    return place


def _copy_closures(folder: Path) -> None:
    """Both as plain trees, beside the store that they are in."""
    store = folder / _CLOSURES
    for top, name in zip(closure.tops(store), ("old", "new"), strict=True):
        closure.copy(store, top, folder / name)


def _security(folder: Path, built: _Roots) -> None:
    _copy(built.release(), folder / "old")
    _copy(built.updated(), folder / "new")


def _config(folder: Path, built: _Roots) -> None:
    site.add_old(_copy(built.updated(), folder / "old"))
    site.add_new(_copy(built.get("less", UPDATED, "less"), folder / "new"))


def _upgrade(folder: Path, built: _Roots) -> None:
    _copy(built.updated(), folder / "old")
    _copy(built.get("trixie", NEXT), folder / "new")


def _nix(folder: Path, built: _Roots) -> None:
    closure.build(built.updated(), folder / _CLOSURES)
    _copy_closures(folder)


def _oci(folder: Path, built: _Roots) -> None:
    with tempfile.TemporaryDirectory(prefix="reconix-oci-") as name:
        _layers(Path(name), built)
        for each in ("old", "new"):
            layout.apply(Path(name, each), folder / each)


def _layers(folder: Path, built: _Roots) -> None:
    layout.write(built.release(), "1.4.0", folder / "old")
    layout.write(built.updated(), "1.4.1", folder / "new")


def _python(folder: Path, built: _Roots) -> None:
    """The broker that came with the security update is the older one."""
    broker = [f"{name}/bookworm-security" for name in ("mosquitto", "libmosquitto1")]
    site.add_old(_copy(built.get("older-broker", UPDATED, *broker), folder / "old"))
    site.set_new(_copy(built.get("yaml", UPDATED, "python3-yaml"), folder / "new"))


def _kernel_arm64(folder: Path, _: _Roots) -> None:
    for name, suites in (("old", NEXT), ("new", SECURED)):
        packages.unpack(suites, "linux-image-cloud-arm64", "arm64", folder / name)


def _node(folder: Path, _: _Roots) -> None:
    node.install(node.OLD, folder / "old")
    node.install(node.NEW, folder / "new")


def _generations(folder: Path, _: _Roots) -> None:
    minified = folder.name == "generation-minified"
    generations.build(folder / "project", folder / _CLOSURES, minified=minified)
    _copy_closures(folder)


_MAKE = {
    "security": _security,
    "config": _config,
    "upgrade": _upgrade,
    "nix": _nix,
    "oci": _oci,
    "layers": _layers,
    "python": _python,
    "kernel-arm64": _kernel_arm64,
    "node": _node,
    "generation": _generations,
    "generation-minified": _generations,
}
