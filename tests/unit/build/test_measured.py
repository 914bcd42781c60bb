"""What systems are on devices: read once, and never wrong because it was written down."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import made_generations

from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.build import measured, recipes
from reconix.build.measured import Measured
from reconix.nix import installed
from reconix.nix.chroot import ChrootStore
from reconix.nix.collect import collect
from reconix.nix.database import PathInfo
from reconix.nix.images import DeviceTrees
from reconix.nix.installed import (
    Installed,
    installed_generation,
    installed_system,
    print_installed,
)
from reconix.store import scan
from reconix.store.closure import StoreObject
from reconix.store.images.nodes import Node
from reconix.store.paths import StorePath
from reconix.store.scan import Described, FileContent, Listed, Scanner
from reconix.store.tree import File, Symlink, dump, folder

PAGE = "a page with more than some bytes, so that it is in the pool\n" * 9
LONG_PAGE = PAGE * 2000
"""So long that a list of contents is kept of its object."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that were read, by name."""
    names: list[str] = []
    scan_really = Scanner.scan

    def scan_and_tell(
        self: Scanner,
        tree: Path,
        described: Described | None = None,
        omitted: frozenset[bytes] = frozenset(),
        listed: Listed | None = None,
    ) -> Node:
        names.append(tree.name)
        return scan_really(self, tree, described, omitted, listed)

    monkeypatch.setattr(scan.Scanner, "scan", scan_and_tell)
    return names


def document(store: ChrootStore) -> Path:
    """The only one that is there."""
    (found,) = store.store_dir.glob("*-installed.json")
    return found


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def receive(store: ChrootStore, name: StorePath, page: str) -> None:
    """Have an object under a name that its content does not decide."""
    archive = bytearray()
    dump(folder({"page": File(page.encode())}), archive.extend)
    item = StoreObject(name, Digest.of(bytes(archive)), len(archive))
    store.receive(PathInfo(item), io.BytesIO(archive).read)


def computed(store: ChrootStore, web: StorePath) -> Installed:
    return installed_system(DeviceTrees(store), web)


def test_what_is_known_is_not_read_again(store: ChrootStore, scanned: list[str]) -> None:
    web = made_generations.toplevel(store, PAGE)
    root = made_generations.generation(store, web)
    first = Measured(store)
    found = first.system(web), first.generation(root)
    assert scanned
    scanned.clear()
    again = Measured(store)
    assert (again.system(web), again.generation(root)) == found
    assert not scanned
    assert found == (computed(store, web), installed_generation(DeviceTrees(store), root))


def test_another_system_is_read(store: ChrootStore) -> None:
    one, other = (made_generations.toplevel(store, PAGE + more) for more in ("", "more"))
    known = Measured(store)
    assert known.system(one).images != known.system(other).images
    assert Measured(store).system(other) == computed(store, other)


def lists(store: ChrootStore) -> list[Path]:
    """The lists of contents that are there."""
    return [*store.store_dir.glob("*-contents.list")]


def read_for(store: ChrootStore, web: StorePath, reads: list[bytes]) -> tuple[Installed, int]:
    """What a system is, and how many long files were read to know it."""
    reads.clear()
    return Measured(store).system(web), sum(b"/www/page" in path for path in reads)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that were read."""
    paths: list[bytes] = []
    read_really = Scanner.content

    def read_and_tell(self: Scanner, path: bytes, status: os.stat_result) -> FileContent:
        paths.append(path)
        return read_really(self, path, status)

    monkeypatch.setattr(scan.Scanner, "content", read_and_tell)
    return paths


def beside(store: ChrootStore, web: StorePath) -> StorePath:
    """Another system with the same objects and one more."""
    parts = [item.path for item in store.closure_of(web).objects]
    links = {path.name: Symlink(str(path)) for path in parts}
    return store.add_files(folder({**links, "more": File(b"more")}), "system-more", parts)


def test_a_long_object_is_read_once_for_two_systems(store: ChrootStore, reads: list[bytes]) -> None:
    web = made_generations.toplevel(store, LONG_PAGE)
    found, count = read_for(store, web, reads)
    assert (found, count) == (computed(store, web), 1)
    other = beside(store, web)
    found, count = read_for(store, other, reads)
    assert (found, count) == (computed(store, other), 0)


def test_of_a_short_object_no_list_is_kept(store: ChrootStore) -> None:
    Measured(store).system(made_generations.toplevel(store, PAGE))
    assert not lists(store)


@pytest.mark.parametrize("damage", [b"", b"/nix/store/", b"\0" * 99])
def test_a_damaged_list_is_made_again(
    store: ChrootStore, reads: list[bytes], damage: bytes
) -> None:
    web = made_generations.toplevel(store, LONG_PAGE)
    Measured(store).system(web)
    (kept,) = lists(store)
    rewrite(kept, damage)
    other = beside(store, web)
    assert read_for(store, other, reads) == (computed(store, other), 1)
    assert not store.verify()


def test_a_list_of_another_object_is_not_believed(store: ChrootStore) -> None:
    one, other = (made_generations.toplevel(store, LONG_PAGE + more) for more in ("", "more"))
    Measured(store).system(one)
    entries = store.root / "nix/var/reconix/realisations"
    before = {*entries.iterdir()}
    (lie,) = (text for text in map(Path.read_text, sorted(before)) if "-contents.list" in text)
    Measured(store).system(other)
    for entry in {*entries.iterdir()} - before:
        entry.write_text(lie)
    assert Measured(store).system(other) == computed(store, other)


def test_other_code_reads_again(
    store: ChrootStore, scanned: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web = made_generations.toplevel(store, PAGE)
    Measured(store).system(web)
    scanned.clear()
    changed = tmp_path / "plan.py"
    changed.write_text("MOST_LARGE = 5\n")
    decides = recipes.sources(installed)
    (old,) = (path for path in decides if path.match("store/images/plan.py"))
    after = tuple(changed if path == old else path for path in decides)
    monkeypatch.setattr(recipes, "sources", lambda *_: after)
    Measured(store).system(web)
    assert scanned


def test_the_code_that_decides_is_part_of_the_recipe() -> None:
    names = [path.as_posix() for path in recipes.sources(installed)]
    for module in (
        *("nix/images", "nix/installed", "nix/installed_size", "store/scan", "store/sidecar"),
        *("store/images/plan", "store/images/erofs", "store/images/nodes", "store/images/verity"),
    ):
        assert any(name.endswith(f"reconix/{module}.py") for name in names), module


def test_what_was_collected_is_read_again(tmp_path: Path, scanned: list[str]) -> None:
    with ChrootStore(tmp_path) as store:
        web = made_generations.toplevel(store, PAGE)
        found = Measured(store).system(web)
        store.pin("web", web)
    with ChrootStore(tmp_path) as store:
        collect(store)
        assert store.is_valid(web)
        assert not list(store.store_dir.glob("*-installed.json"))
        scanned.clear()
        assert Measured(store).system(web) == found
        assert scanned


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 99])
def test_a_damaged_document_is_made_again(
    store: ChrootStore, scanned: list[str], damage: bytes
) -> None:
    web = made_generations.toplevel(store, PAGE)
    found = Measured(store).system(web)
    rewrite(document(store), damage)
    scanned.clear()
    assert Measured(store).system(web) == found
    assert scanned
    assert not store.verify()


def test_a_document_that_was_altered_to_say_something_else_is_not_believed(
    store: ChrootStore,
) -> None:
    web, other = (made_generations.toplevel(store, PAGE + more) for more in ("", "more"))
    found = Measured(store).system(web)
    rewrite(document(store), print_installed(web, computed(store, other)))
    assert Measured(store).system(web) == found
    assert not store.verify()


def test_a_document_that_is_missing_is_made_again(store: ChrootStore) -> None:
    web = made_generations.toplevel(store, PAGE)
    found = Measured(store).system(web)
    remove_tree(document(store))
    assert Measured(store).system(web) == found
    assert not store.verify()


def test_an_entry_that_leads_to_a_document_about_another_system_is_not_believed(
    store: ChrootStore,
) -> None:
    web, other = (made_generations.toplevel(store, PAGE + more) for more in ("", "more"))
    found = Measured(store).system(web)
    (entry,) = (store.root / "nix/var/reconix/realisations").iterdir()
    lie = store.add_files(File(print_installed(other, computed(store, other))), "installed.json")
    entry.write_text(f"{lie}\n")
    assert Measured(store).system(web) == found


def test_another_content_under_the_same_name_is_read(store: ChrootStore, tmp_path: Path) -> None:
    """What Nix builds is named by its recipe: another store may have another outcome of it."""
    name = StorePath.parse("/nix/store/" + "0" * 32 + "-nixos-system-web")
    receive(store, name, PAGE)
    found = Measured(store).system(name)
    with ChrootStore(tmp_path / "other") as other:
        receive(other, name, PAGE.upper())
        other.take_closure(store, [StorePath.parse(f"/nix/store/{document(store).name}")])
        entries = Path("nix/var/reconix/realisations")
        shutil.copytree(store.root / entries, other.root / entries)
        assert Measured(other).system(name) == computed(other, name) != found


@pytest.mark.parametrize("text", [PAGE, LONG_PAGE])
def test_after_a_repair_everything_is_read_again(
    store: ChrootStore, scanned: list[str], text: str
) -> None:
    web = made_generations.toplevel(store, text)
    (page,) = store.store_dir.glob("*-etc/www/page")
    rewrite(page, text.upper().encode())
    wrong = Measured(store).system(web)
    rewrite(page, text.encode())
    assert Measured(store).system(web) == wrong, "this is why a repair forgets"
    measured.forget(store)
    scanned.clear()
    assert Measured(store).system(web) == computed(store, web) != wrong
    assert scanned
