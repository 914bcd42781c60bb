"""Trees: which object a folder becomes, and what is said about it."""

from pathlib import Path

import pytest

from reconix.build.root.described import Packages
from reconix.build.software.placed import Bound, Layer
from reconix.build.software.trees import Trees
from reconix.build.users.accounts import Account, Accounts, Group, UnknownAccount
from reconix.config.schema.software import Tree
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FolderPath
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, parse_sidecar

ACCOUNTS = Accounts(
    (
        Account("root", 0, 0, "", "/root", "/bin/sh"),
        Account("air", 300, 301, "", "/nonexistent", "/usr/sbin/nologin"),
    ),
    (Group("root", 0), Group("air", 301)),
)


@pytest.fixture
def store(tmp_path: Path) -> ChrootStore:
    return ChrootStore(tmp_path / "store")


@pytest.fixture
def air(tmp_path: Path) -> FolderPath:
    made = tmp_path / "air"
    (made / "bin").mkdir(parents=True)
    (made / "bin/air").write_text("#!/bin/sh\n")
    (made / "bin/air").chmod(0o700)
    (made / "settings").write_text("a = 1\n")
    (made / "latest").symlink_to("settings")
    return FolderPath(made)


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    root = tmp_path / "root"
    (root / "usr/local/share").mkdir(parents=True)
    entries = {
        b"usr": Metadata(0o755),
        b"usr/local": Metadata(0o2775, 0, 50),
        b"usr/local/share": Metadata(0o755),
    }
    return Packages(root, entries)


def add(
    store: ChrootStore, packages: Packages, place: str, tree: Tree, accounts: Accounts = ACCOUNTS
) -> tuple[Bound | Layer, Sidecar]:
    trees = Trees(store)
    system = System(kernel=Kernel(package="linux-image"), trees={place: tree})
    (found,) = trees.find(system)
    made = trees.add(found, accounts, packages)
    content = store.path(made.sidecar).read_bytes()
    return made, parse_sidecar(content, source="sidecar")


def test_a_tree_is_bound_at_its_place_as_it_is(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    made, sidecar = add(store, packages, "/opt/air", Tree(source=air))
    assert isinstance(made, Bound)
    assert (made.place, made.path.name) == ("/opt/air", "tree-opt-air")
    assert (store.path(made.path) / "settings").read_text() == "a = 1\n"
    assert sidecar.subject == made.path
    assert sidecar.entries == (
        (b".", Metadata(0o755)),
        (b"bin", Metadata(0o755)),
        (b"bin/air", Metadata(0o755)),
        (b"latest", Metadata(0o777)),
        (b"settings", Metadata(0o644)),
    )


def test_everything_in_it_belongs_to_its_owner_and_set_id_is_where_it_is_named(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    (air / "settings").chmod(0o6755)
    tree = Tree(source=air, owner="air", group="air", set_id=("bin/air",))
    _, sidecar = add(store, packages, "/opt/air", tree)
    assert dict(sidecar.entries) == {
        b".": Metadata(0o755, 300, 301),
        b"bin": Metadata(0o755, 300, 301),
        b"bin/air": Metadata(0o4755, 300, 301),
        b"latest": Metadata(0o777, 300, 301),
        b"settings": Metadata(0o755, 300, 301),
    }


def test_below_usr_it_is_laid_over_the_root_and_folders_of_packages_stay_theirs(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    (air / "share").mkdir()
    made, sidecar = add(store, packages, "/usr/local", Tree(source=air, owner="air"))
    assert isinstance(made, Layer)
    assert (store.path(made.path) / "usr/local/bin/air").read_text() == "#!/bin/sh\n"
    assert dict(sidecar.entries) == {
        b".": Metadata(0o755),
        b"usr": Metadata(0o755),
        b"usr/local": Metadata(0o2775, 0, 50),
        b"usr/local/bin": Metadata(0o755, 300, 0),
        b"usr/local/bin/air": Metadata(0o755, 300, 0),
        b"usr/local/latest": Metadata(0o777, 300, 0),
        b"usr/local/settings": Metadata(0o644, 300, 0),
        b"usr/local/share": Metadata(0o755),
    }


def test_one_content_that_is_described_in_two_ways_is_two_objects(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    """A generation may have both, and an object has one sidecar."""
    other_root = Packages(packages.root, {})
    trees = [
        ("/opt/air", Tree(source=air), packages),
        ("/opt/air", Tree(source=air, owner="air"), packages),
        ("/opt/air", Tree(source=air, group="air"), packages),
        ("/opt/air", Tree(source=air, set_id=("bin/air",)), packages),
        ("/usr/local/air", Tree(source=air), packages),
        ("/usr/local/air", Tree(source=air), other_root),
    ]
    made = [add(store, root, place, tree) for place, tree, root in trees]
    assert len({each.path for each, _ in made}) == len(trees)
    again = [add(store, root, place, tree) for place, tree, root in trees]
    assert made == again


def test_the_name_does_not_depend_on_what_is_in_the_tree(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    tree = Tree(source=air, owner="air", set_id=("bin/air",))
    before, _ = add(store, packages, "/usr/local", tree)
    (air / "more").mkdir()
    (air / "more/files").write_text("x")
    after, _ = add(store, packages, "/usr/local", tree)
    assert before.path.name == after.path.name
    assert before.path != after.path


def test_what_is_excluded_changes_nothing(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    tree = Tree(source=air, exclude=("*.pyc",))
    before, _ = add(store, packages, "/opt/air", tree)
    (air / "bin/x.pyc").write_bytes(b"cache")
    assert add(store, packages, "/opt/air", tree)[0] == before


def test_a_folder_of_two_systems_is_read_once(store: ChrootStore, air: FolderPath) -> None:
    trees = Trees(store)
    system = System(kernel=Kernel(package="linux"), trees={"/opt/air": Tree(source=air)})
    (one,), (other,) = trees.find(system), trees.find(system)
    assert one.source is other.source


def test_an_owner_that_the_system_does_not_have_is_an_error(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    with pytest.raises(UnknownAccount, match="no user 'bee'"):
        add(store, packages, "/opt/air", Tree(source=air, owner="bee"))


def test_a_long_place_still_has_a_name(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    made, _ = add(store, packages, f"/opt/@{'x' * 150}", Tree(source=air, owner="air"))
    assert StorePath.parse(str(made.sidecar)).name.startswith("tree-opt-_xxx")


def test_places_that_give_one_name_are_two_objects_if_they_are_laid_over_the_root(
    store: ChrootStore, packages: Packages, air: FolderPath
) -> None:
    trees = Trees(store)
    places = ("/usr/local/a-b", "/usr/local/a/b")
    both = {place: Tree(source=air) for place in places}
    found = trees.find(System(kernel=Kernel(package="linux"), trees=both))
    one, other = (trees.add(each, ACCOUNTS, packages).path for each in found)
    assert one.name == other.name
    assert (store.path(one) / "usr/local/a-b/settings").exists()
    assert (store.path(other) / "usr/local/a/b/settings").exists()
