"""The layers of an image as a tree for the store, and what is said of it."""

import dataclasses
import errno
import gzip
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from tests.oci_images import (
    MTIME,
    Entry,
    facts_of_ours,
    file,
    folder,
    hard_link,
    layer,
    link,
    opaque,
    packed,
    unpacked,
)

from reconix.base.digests import Digest
from reconix.containers.descriptors import BadImage
from reconix.containers.layers import unpack
from reconix.containers.layers.unpack import Budget, LeftOut
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import parse_entries

TREE = layer(
    folder("bin", mode=0o700, user=5),
    file("bin/run", b"program", mode=0o4755, group=7),
    file("plain", mode=0o444, mtime=1),
    link("link", "bin", mtime=3),
)
DIGEST = Digest.of(TREE)


def test_a_tree_has_contents_and_a_list_of_what_is_said_of_them(tmp_path: Path) -> None:
    found = unpacked(tmp_path, TREE)
    assert found.entries == (
        (b"root", Metadata(0o755)),
        (b"root/bin", Metadata(0o700, 5, 0, MTIME)),
        (b"root/bin/run", Metadata(0o4755, 0, 7, MTIME)),
        (b"root/link", Metadata(0o777, 0, 0, 3)),
    )
    written = (tmp_path / "tree/metadata").read_bytes()
    assert parse_entries(written, source="") == found.entries
    assert (tmp_path / "tree/left-out").read_bytes() == b""
    assert (tmp_path / "tree/root/bin/run").read_bytes() == b"program"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["layer-0", "tree"]


def test_an_image_may_have_the_names_of_our_lists(tmp_path: Path) -> None:
    unpacked(tmp_path, layer(file("metadata", b"mine"), file("left-out", b"mine")))
    assert (tmp_path / "tree/root/metadata").read_bytes() == b"mine"


def test_equal_layers_are_equal_bytes_however_they_are_packed(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    one = unpacked(tmp_path, TREE)
    (layer_file,) = packed(tmp_path / "again", gzip.compress(TREE))
    plain = dataclasses.replace(layer_file, diff_id=DIGEST)
    two = unpack.unpack([plain], tmp_path / "again/tree")
    assert one == two


def test_devices_and_pipes_are_left_out_and_told(tmp_path: Path) -> None:
    odd = [
        dataclasses.replace(file("dev/null", b""), kind=tarfile.CHRTYPE),
        dataclasses.replace(file("disk", b""), kind=tarfile.BLKTYPE),
        dataclasses.replace(file("pi\npe", b""), kind=tarfile.FIFOTYPE),
    ]
    found = unpacked(tmp_path, layer(file("disk"), file("stays"), *odd))
    assert found.left_out == (
        LeftOut(b"dev/null", "a device"),
        LeftOut(b"disk", "a device"),
        LeftOut(b"pi\npe", "a pipe"),
    )
    assert set(facts_of_ours(tmp_path / "tree", found)) == {b"", b"dev", b"stays"}
    said = (tmp_path / "tree/left-out").read_text().splitlines()
    assert said == ["'dev/null' a device", "'disk' a device", r"'pi\npe' a pipe"]


def test_attributes_of_overlayfs_are_dropped_and_unknown_ones_told(tmp_path: Path) -> None:
    attributes = {
        "trusted.overlay.redirect": "/etc/shadow",
        "trusted.overlay.metacopy": "x",
        "user.overlay.opaque": "y",
        "user.overlays": "kept",
        "trusted.other": "kept",
        "system.nfs4_acl": "lost",
        "security.selinux": "system_u:object_r:etc_t:s0",
    }
    found = unpacked(tmp_path, layer(file("a", attributes=attributes)))
    kept = ((b"trusted.other", b"kept"), (b"user.overlays", b"kept"))
    assert dict(found.entries)[b"root/a"].attributes == kept
    assert found.left_out == (LeftOut(b"a", "attribute 'system.nfs4_acl'"),)


IMPOSSIBLE: dict[str, Entry] = {
    "nobody": file("a", user=2**32 - 1),
    "beyond": file("a", records={"uid": str(2**33)}),
    "the far future": file("a", records={"mtime": str(2**41)}),
    "attributes without end": file("a", attributes={"user.a": "x" * 40_000}),
    "an attribute with too long a name": file("a", attributes={f"user.{'a' * 300}": "x"}),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_o1_what_no_file_system_holds_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadImage, match=r"layer sha256:\w+: 'a' has "):
        unpacked(tmp_path, layer(IMPOSSIBLE[name]))


def test_a_time_before_1970_is_1970(tmp_path: Path) -> None:
    found = unpacked(tmp_path, layer(file("a", mtime=-5)))
    assert dict(found.entries)[b"root/a"].mtime == 0


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp"])
@pytest.mark.parametrize("kind", ["a link", "a file"])
def test_where_a_container_gets_something_of_its_own_is_a_folder(
    tmp_path: Path, name: str, kind: str
) -> None:
    bad = link(name, "/elsewhere") if kind == "a link" else file(name)
    with pytest.raises(BadImage, match=f"/{name} is {kind}, not a folder"):
        unpacked(tmp_path, layer(folder("usr")), layer(bad))
    assert not (tmp_path / "tree").exists()
    unpacked(tmp_path, layer(bad), layer(folder(name)))


def test_o1_another_layer_than_the_image_means_is_refused(tmp_path: Path) -> None:
    (found,) = packed(tmp_path, TREE)
    other = dataclasses.replace(found, diff_id=Digest.of(b"other"))
    with pytest.raises(BadImage) as caught:
        unpack.unpack([other], tmp_path / "tree")
    said = f"layer {DIGEST}: what is in it is {DIGEST}, but its image means {Digest.of(b'other')}"
    assert str(caught.value) == said
    assert not (tmp_path / "tree").exists()


def test_o1_what_is_behind_the_end_of_an_archive_belongs_to_its_digest(tmp_path: Path) -> None:
    (found,) = packed(tmp_path, TREE + b"more" * 100_000)
    with pytest.raises(BadImage, match="but its image means"):
        unpack.unpack([dataclasses.replace(found, diff_id=DIGEST)], tmp_path / "tree")


def sparse(size: int) -> Entry:
    """A file of nothing but a hole."""
    said = {"size": str(size), "numblocks": "1", "map": "0,0"}
    return file("a", b"", records={f"GNU.sparse.{key}": value for key, value in said.items()})


BOMBS = {
    "one large file": (layer(file("a", bytes(3 << 20))), "unpacked to more than 2097152 bytes"),
    "one large hole": (layer(sparse(1 << 42)), "unpacked to more than 2097152 bytes"),
    "many small files": (layer(*(file(f"f{n}", b"") for n in range(101))), "more than 100 entries"),
    "long names": (layer(*(file(f"{n}{'x' * 200}") for n in range(90))), "names and attributes"),
    "many attributes": (
        layer(*(file(f"f{n}", attributes={"user.x": "y" * 300}) for n in range(90))),
        "names and attributes",
    ),
    "whiteouts of all that is there": (
        layer(*(folder(f"d{n}") for n in range(50)), *[opaque("")] * 40),
        "take too much work",
    ),
    "long ways through links": (
        layer(folder("d"), link("l", "d/../" * 300 + "d"), *(file(f"l/{n}") for n in range(5))),
        "take too much work",
    ),
}
SMALL = Budget(unpacked_bytes=2 << 20, entries=100, described_bytes=20_000, steps=1000)


@pytest.mark.parametrize("name", BOMBS)
def test_o1_a_bomb_is_refused_by_its_budget(tmp_path: Path, name: str) -> None:
    bomb, why = BOMBS[name]
    with pytest.raises(BadImage, match=why):
        unpacked(tmp_path, bomb, budget=SMALL)
    assert [each.name for each in tmp_path.iterdir()] == ["layer-0"]


def test_a_budget_is_for_all_layers_together(tmp_path: Path) -> None:
    half = layer(file("a", bytes(1200 << 10)))
    with pytest.raises(BadImage, match=f"layer {Digest.of(half)}: the image is unpacked to more"):
        unpacked(tmp_path, half, half, budget=SMALL)


def test_memory_does_not_depend_on_what_is_in_the_files(tmp_path: Path) -> None:
    large = gzip.compress(layer(file("a", bytes(64 << 20))), 1)
    (found,) = packed(tmp_path, large)
    right = dataclasses.replace(found, diff_id=Digest.of(gzip.decompress(large)))
    tracemalloc.start()
    try:
        unpack.unpack([right], tmp_path / "tree")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/mine").write_text("mine")
    with pytest.raises(FileExistsError):
        unpacked(tmp_path, TREE)
    assert (tmp_path / "tree/mine").exists()


def test_names_of_one_file_have_one_content(tmp_path: Path) -> None:
    unpacked(tmp_path, layer(file("a", b"shared")), layer(hard_link("b", "a")))
    root = tmp_path / "tree/root"
    assert (root / "a").stat().st_ino == (root / "b").stat().st_ino


def test_more_names_than_a_file_system_gives_to_one_content_are_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", full)
    found = unpacked(tmp_path, layer(file("a", b"shared", mode=0o755), hard_link("b", "a")))
    facts = facts_of_ours(tmp_path / "tree", found)
    assert facts[b"a"] == facts[b"b"]
