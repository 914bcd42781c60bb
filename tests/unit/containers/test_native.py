"""Roots of packages for containers, as they are once these packages were installed.

That they are installed, and how, is shown by ``tests/compat/test_build.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.installed_packages import locked

from reconix.build import cached_recipes, recipes
from reconix.build.root.metadata import PROGRAM
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.containers import native
from reconix.containers.trees import ImageTree
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.store.images.nodes import ImageFile, ImageFolder, Metadata, Node, find
from reconix.store.sidecar import print_entries

LOCK = HostLock("amd64", ("trixie",), ("main",), (), (), {})
PACKAGES = (locked("base"), locked("tool"))
NATIVE = ContainerLock(asked_packages=("tool",), packages=PACKAGES)
SAID = (
    (b"usr/bin/su", Metadata(0o4755, 0, 0, 9)),
    (b"usr/bin/tool", Metadata(0o755, 0, 101, 7)),
    (b"var/lib/tool", Metadata(0o750, 101, 101)),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as opened:
        yield opened


DOCUMENTS = (
    "usr/share/doc/tool/changelog.gz",
    "usr/share/doc/tool/examples/one",
    "usr/share/info/tool.info",
    "usr/share/man/man1/tool.1.gz",
)
COPYRIGHT, TRANSLATION = "usr/share/doc/tool/copyright", "usr/share/locale/de/LC_MESSAGES/tool.mo"


def install(store: ChrootStore, packages: Sequence[LockedPackage]) -> None:
    """Leave a root in the store as the installation of packages leaves it."""

    def make(into: Path) -> None:
        files = ("usr/bin/su", "usr/bin/tool", "usr/bin/reconix-device", "losses")
        for path in (*files, *DOCUMENTS, COPYRIGHT, TRANSLATION):
            (into / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            (into / "root" / path).write_text(path * 9)
        (into / "root/usr/share/doc/libtool").symlink_to("tool")
        (into / "root/usr/lib/modules").mkdir(parents=True)
        (into / "root/var/lib/tool").mkdir(parents=True)
        (into / "root/metadata").write_bytes(print_entries(SAID))

    kind = "root of a native container"
    recipe = cached_recipes.packages_recipe(kind, native.NAME, packages, LOCK)
    recipes.realise(store, recipe, make)


def refuse(_packages: object) -> dict[object, Path]:
    raise AssertionError("it is there already")


def trees(store: ChrootStore, **containers: ContainerLock) -> dict[str, ImageTree]:
    install(store, next(iter(containers.values())).packages)
    return native.native_trees(store, LOCK, containers, refuse)  # type: ignore[arg-type]


def test_equal_packages_are_one_root(store: ChrootStore) -> None:
    other = ContainerLock(asked_packages=("base", "tool"), packages=PACKAGES[::-1])
    found = trees(store, one=NATIVE, other=other)
    assert found["one"] == found["other"]
    assert found["one"].path.name == "container-debian"


def test_what_packages_say_of_their_files_is_in_the_image(store: ChrootStore) -> None:
    made = trees(store, one=NATIVE)["one"]
    tree = DeviceTrees(store).of_closure(store.closure_of(made.sidecar))[made.path]
    assert isinstance(tree, ImageFolder) and tree.metadata == Metadata(0o700)
    root = find(tree, b"root")
    assert isinstance(root, ImageFolder) and root.metadata == PROGRAM
    for path, said in SAID:
        node = find(root, *path.split(b"/"))
        assert isinstance(node, ImageFile | ImageFolder) and node.metadata == said


def root_of(store: ChrootStore, container: ContainerLock) -> Node:
    """What it has on a device."""
    made = trees(store, one=container)["one"]
    root = find(DeviceTrees(store).of_closure(store.closure_of(made.sidecar))[made.path], b"root")
    assert root is not None
    return root


def has(root: Node, path: str) -> bool:
    return find(root, *path.encode().split(b"/")) is not None


def test_what_only_a_system_needs_is_not_on_a_device(store: ChrootStore) -> None:
    root = root_of(store, NATIVE)
    for path in ("metadata", "losses", "usr/bin/reconix-device", "usr/lib/modules"):
        assert not has(root, path)


def test_documents_and_translations_stay_at_home_and_licences_do_not(store: ChrootStore) -> None:
    root = root_of(store, NATIVE)
    assert [path for path in (*DOCUMENTS, TRANSLATION, COPYRIGHT) if has(root, path)] == [COPYRIGHT]
    assert has(root, "usr/share/doc/libtool"), "its licence is found through this link"
    assert has(root, "usr/share/man"), "programs may write there"


def test_who_installs_locales_has_translations(store: ChrootStore) -> None:
    root = root_of(store, replace(NATIVE, packages=(*PACKAGES, locked("locales"))))
    assert has(root, TRANSLATION) and not has(root, DOCUMENTS[0])
