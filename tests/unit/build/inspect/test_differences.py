"""How two objects differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.build.inspect.differences import MAX_TOLD, differences, first_differences
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, print_sidecar
from reconix.store.tree import File, Symlink, folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


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


def test_of_many_differences_the_first_are_told(store: ChrootStore) -> None:
    nothing = store.add_files(folder({"same": File(b"")}), "one")
    files = {f"{number:02}": File(b"") for number in range(MAX_TOLD + 1)}
    many = store.add_files(folder({"same": File(b""), **files}), "many")
    told = first_differences(store, nothing, many)
    assert (told[0], told[-2:]) == ("00 is new", ("09 is new", "and more"))
    one = store.add_files(folder({"same": File(b""), "one": File(b"")}), "other")
    assert first_differences(store, nothing, one) == ("one is new",)


def described(store: ChrootStore, content: bytes, **said: Metadata) -> StorePath:
    """A toplevel whose ``etc`` has two files, and a sidecar."""
    etc = store.add_files(folder({"passwd": File(b"x"), content.decode(): File(b"x")}), "etc")
    entries = tuple((name.encode(), found) for name, found in sorted(said.items()))
    sidecar = Sidecar(etc, entries)
    beside = store.add_files(File(print_sidecar(sidecar)), sidecar.name, [etc])
    tree = folder({"etc": Symlink(str(etc)), "sidecars/etc": Symlink(str(beside))})
    return store.add_files(tree, "system-default", [etc, beside])


def test_another_owner_is_told_once_and_not_of_what_is_new(store: ChrootStore) -> None:
    mode = Metadata(0o644)
    old = described(store, b"old", passwd=mode, old=mode)
    new = described(store, b"new", passwd=Metadata(0o600, 101), new=mode)
    assert list(differences(store, old, new)) == [
        "etc → new is new",
        "etc → old is gone",
        "etc → passwd has another owner, mode, time or attribute",
    ]
