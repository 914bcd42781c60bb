"""Before, without what each rule took, and with what was made, is after."""

import shutil
from pathlib import Path

import pytest
from tests.installed_packages import ASKED, add_generation

from reconix.base.errors import UsageError
from reconix.build.minify.plan import Wanted
from reconix.composition.minify_sizes import Removal, minimal_roots
from reconix.nix.chroot import ChrootStore
from reconix.project.workplace import NotBuilt
from reconix.store.generation import Generation, read_generation
from reconix.store.paths import StorePath

WANTED = Wanted(packages=ASKED)


def generation(store: ChrootStore, *minified: str) -> Generation:
    path = add_generation(store, minify={name: WANTED for name in minified})
    return read_generation(store.store_dir, path)


def root(store: ChrootStore, found: Generation, name: str) -> StorePath:
    return minimal_roots(store, found, name)[name]


def size_bytes(folder: Path) -> int:
    files = [each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum({each.stat().st_ino: each.stat().st_size for each in files}.values())


def test_the_sum_of_all_rules_is_what_is_missing(built: ChrootStore, tmp_path: Path) -> None:
    minimal = root(built, generation(built, "mail"), "mail")
    found = Removal.of(built, [minimal])
    taken = sum(each.size_bytes for each in found.rules())
    assert found.before_bytes - taken + found.made_bytes == found.after_bytes
    assert (
        sum(each.after_bytes for each in found.packages()) + found.made_bytes == found.after_bytes
    )
    assert found.before_files > found.after_files > 0
    lists = size_bytes(built.path(minimal) / "lists")
    assert found.after_bytes == size_bytes(built.path(minimal)) - lists


def test_rules_and_packages_are_named(built: ChrootStore) -> None:
    found = Removal.of(built, [root(built, generation(built, "mail"), "mail")])
    rules = {each.name for each in found.rules()}
    assert {"documents", "package manager", "nothing reaches it"} <= rules
    packages = {each.name: each for each in found.packages()}
    assert packages["tool"].before_bytes > packages["tool"].after_bytes > 0
    assert packages["server"].after_bytes == 0


def test_what_another_system_keeps_did_not_go(built: ChrootStore) -> None:
    path = add_generation(
        built, minify={"default": Wanted(packages=ASKED), "mail": Wanted(packages=("server",))}
    )
    roots = minimal_roots(built, read_generation(built.store_dir, path), "")
    alone, both = Removal.of(built, [roots["mail"]]), Removal.of(built, roots.values())
    tool = [{each.name: each for each in found.packages()}["tool"] for found in (alone, both)]
    assert tool[0].after_bytes == 0 < tool[1].after_bytes


def test_a_system_that_is_not_minified_is_an_error(built: ChrootStore) -> None:
    found = generation(built, "mail")
    assert [*minimal_roots(built, found, "")] == ["mail"]
    with pytest.raises(UsageError, match="gw:default is not minified"):
        minimal_roots(built, found, "default")
    with pytest.raises(UsageError, match="no system of gw is minified"):
        minimal_roots(built, generation(built), "")


def test_a_root_whose_origin_is_not_known_is_built_again(built: ChrootStore) -> None:
    minimal = root(built, generation(built, "mail"), "mail")
    shutil.rmtree(built.root / "nix/var/reconix/realisations")
    with pytest.raises(NotBuilt, match="was made from is not in the build store"):
        Removal.of(built, [minimal])
