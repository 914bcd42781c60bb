"""Budgets and frozen systems, on small generations in a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.documents import print_json
from reconix.build.inspect.promises import (
    BudgetExceeded,
    FrozenChanged,
    check,
    check_generation,
    differences,
)
from reconix.config.schema.system import Kernel, System
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder

KERNEL = Kernel(package="linux-image-amd64")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


def toplevel(store: ChrootStore, page: str = "a", **more: str) -> StorePath:
    files = {"www/page": File(page.encode()), **{n: File(t.encode()) for n, t in more.items()}}
    etc = store.add_files(folder(files), "etc")
    system = folder({"etc": Symlink(str(etc)), "init": Symlink("/usr/lib/systemd/systemd")})
    return store.add_files(system, "system-web", [etc])


def generation(store: ChrootStore, web: StorePath) -> StorePath:
    boot = store.add_files(folder({"x": File(b"")}), "boot")
    text = print_json(
        {
            "version": 1,
            "host": "gw",
            "architecture": "amd64",
            "default": "web",
            "systems": {"web": {"toplevel": str(web)}},
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    tree: Folder = folder({"generation.json": File(text)})
    return store.add_files(tree, "generation-gw", [boot, web])


def test_a_system_within_its_budget_is_kept(store: ChrootStore) -> None:
    web = toplevel(store)
    size = sum(store.info(path).nar_size_bytes for path in store.closure(web))
    new = generation(store, web)
    check(store, {"web": System(kernel=KERNEL, budget=size)}, new, None)
    with pytest.raises(BudgetExceeded, match="1 too many"):
        check(store, {"web": System(kernel=KERNEL, budget=size - 1)}, new, None)


def test_all_systems_together_have_a_budget_too(store: ChrootStore) -> None:
    new = generation(store, toplevel(store))
    size = sum(store.info(path).nar_size_bytes for path in store.closure(new))
    check_generation(store, new, None)
    check_generation(store, new, size)
    with pytest.raises(BudgetExceeded, match="the generation has"):
        check_generation(store, new, size - 1)


def test_a_frozen_system_that_changes_names_the_way_to_the_file(store: ChrootStore) -> None:
    old, new = (generation(store, toplevel(store, page)) for page in "ab")
    with pytest.raises(FrozenChanged, match="etc → www/page differs"):
        check(store, {"web": System(kernel=KERNEL, frozen=True)}, new, old)


def test_a_frozen_system_that_stays_or_is_new_is_built(store: ChrootStore) -> None:
    systems = {"web": System(kernel=KERNEL, frozen=True)}
    one = generation(store, toplevel(store))
    check(store, systems, one, one)
    check(store, systems, one, None)


def test_a_system_that_is_not_frozen_may_change(store: ChrootStore) -> None:
    old, new = (generation(store, toplevel(store, page)) for page in "ab")
    check(store, {"web": System(kernel=KERNEL)}, new, old)


def test_every_kind_of_difference_has_a_line(store: ChrootStore) -> None:
    one = folder(
        {
            "same": File(b"x"),
            "gone": File(b"x"),
            "kind": File(b"x"),
            "mode": File(b"x"),
            "link": Symlink("/a"),
        }
    )
    other = folder(
        {
            "same": File(b"x"),
            "new": File(b"x"),
            "kind": Symlink("/x"),
            "mode": File(b"x", executable=True),
            "link": Symlink("/b"),
        }
    )
    old, new = store.add_files(one, "one"), store.add_files(other, "other")
    assert list(differences(store, old, new)) == [
        "gone is gone",
        "kind is of another kind",
        "link leads to /b instead of /a",
        "mode differs",
        "new is new",
    ]
