"""What is different between generations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.build.inspect.generations import difference, systems_of
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "s") as store:
        yield store


def test_a_difference_names_objects_and_systems(store: ChrootStore) -> None:
    page, page2 = (store.add_files(File(text), "page") for text in (b"1", b"22"))
    old_tool, extra = store.add_files(File(b"x"), "old"), store.add_files(File(b"y"), "extra")
    same = store.add_files(File(b"default"), "system-default")
    web = store.add_files(File(f"{page} {old_tool}".encode()), "system-web", [page, old_tool])
    web2 = store.add_files(File(f"{page2} {extra}".encode()), "system-web", [page2, extra])
    first = generation(store, default=same, web=web)
    second = generation(store, default=same, web=web2, more=same)
    assert systems_of(store, first) == {"default": same, "web": web}
    found = difference(store, first, second)
    assert [(one.name, one.before, one.after) for one in found.changes] == [
        ("extra", (), (extra,)),
        ("generation", (first,), (second,)),
        ("old", (old_tool,), ()),
        ("page", (page,), (page2,)),
        ("system-web", (web,), (web2,)),
    ]
    assert found.identical == ("default",)
    assert found.touched == ("more", "web")
    assert found.changes[0].after_bytes == store.info(extra).nar_size_bytes
    nothing = difference(store, first, first)
    assert (nothing.changes, nothing.touched) == ((), ())


def generation(store: ChrootStore, **systems: StorePath) -> StorePath:
    files = folder({f"systems/{name}": Symlink(str(path)) for name, path in systems.items()})
    return store.add_files(files, "generation", systems.values())
