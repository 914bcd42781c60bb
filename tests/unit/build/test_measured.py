"""What systems are on devices: read once, and never wrong because it was written down."""

import io
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
from reconix.store.scan import Described, Scanner
from reconix.store.tree import File, dump, folder

PAGE = "a page with more than some bytes, so that it is in the pool\n" * 9


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
    ) -> Node:
        names.append(tree.name)
        return scan_really(self, tree, described, omitted)

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


def test_after_a_repair_everything_is_read_again(store: ChrootStore, scanned: list[str]) -> None:
    web = made_generations.toplevel(store, PAGE)
    (page,) = store.store_dir.glob("*-etc/www/page")
    rewrite(page, PAGE.upper().encode())
    wrong = Measured(store).system(web)
    rewrite(page, PAGE.encode())
    assert Measured(store).system(web) == wrong, "this is why a repair forgets"
    measured.forget(store)
    scanned.clear()
    assert Measured(store).system(web) == computed(store, web) != wrong
    assert scanned
