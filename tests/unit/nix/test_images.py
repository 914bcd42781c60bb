"""Generations of a build store as a device has them: which images, with what in them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.documents import JsonInput, print_json
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.store.generation import BadGeneration
from reconix.store.images import plan
from reconix.store.images.nodes import ImageFile, ImageFolder, Metadata, Node, find
from reconix.store.images.verity import digest
from reconix.store.paths import StorePath
from reconix.store.sidecar import BadSidecar, Sidecar, print_sidecar
from reconix.store.tree import File, Symlink, folder

PROGRAM = b"#!/bin/sh\n" + b"# a program that becomes another user\n" * 4
OTHER = b"what everybody may read, and has more than a few bytes, so that it is in the pool\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def root(store: ChrootStore, files: int = 0) -> StorePath:
    more = {f"usr/share/{number}": File(b"") for number in range(files)}
    tree = {"usr/bin/su": File(PROGRAM, executable=True), "metadata": File(b"x" * 100), **more}
    return store.add_files(folder(tree), "debian-root")


def sidecar(store: ChrootStore, subject: StorePath, mode: int = 0o4755) -> StorePath:
    described = Sidecar(
        subject, ((b"usr/bin/su", Metadata(mode, 0, 42, 1_700_000_000)),), (b"metadata",)
    )
    return store.add_files(File(print_sidecar(described)), described.name, [subject])


def toplevel(store: ChrootStore, name: str, *parts: StorePath, page: str = "a") -> StorePath:
    links = {
        f"sidecars/{part.name}" if part.name.endswith(".sidecar") else part.name: Symlink(str(part))
        for part in parts
    }
    tree = folder({**links, "page": File(OTHER + page.encode())})
    return store.add_files(tree, f"system-{name}", parts)


def generation(store: ChrootStore, **systems: StorePath) -> StorePath:
    boot = store.add_files(folder({"kernel": File(OTHER)}), "boot-gw")
    trees = DeviceTrees(store)
    listed: dict[str, JsonInput] = {
        name: {
            "toplevel": str(path),
            "images": [image.entry.sha256.hex() for image in system_images(trees, path)],
        }
        for name, path in systems.items()
    }
    document = print_json(
        {
            "version": 2,
            "host": "gw",
            "architecture": "amd64",
            "default": min(systems),
            "systems": listed,
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    tree = folder({"generation.json": File(document)})
    return store.add_files(tree, "generation-gw", [boot, *systems.values()])


def test_what_a_sidecar_says_stands_in_the_image_and_the_sidecar_does_not(
    store: ChrootStore,
) -> None:
    described = root(store)
    top = toplevel(store, "a", described, sidecar(store, described))
    (image,) = system_images(DeviceTrees(store), top)
    assert image.entry.objects == tuple(sorted([described, top]))
    trees = dict(image.trees)
    assert find(trees[described.basename.encode()], b"metadata") is None
    assert find(trees[top.basename.encode()], b"sidecars") is None
    assert find(trees[described.basename.encode()], b"usr", b"bin", b"su") == ImageFile(
        Metadata(0o4755, 0, 42, 1_700_000_000), len(PROGRAM), digest(PROGRAM)
    )


def test_an_object_without_a_sidecar_is_as_nix_has_it(store: ChrootStore) -> None:
    found = root(store)
    tree: Node = DeviceTrees(store).of_closure(store.closure_of(found))[found]
    assert isinstance(tree, ImageFolder)
    assert tree.metadata == Metadata(0o555)
    assert find(tree, b"usr", b"bin", b"su") == ImageFile(
        Metadata(0o555), len(PROGRAM), digest(PROGRAM)
    )
    assert find(tree, b"metadata") is not None


def test_two_sidecars_of_one_object_are_refused(store: ChrootStore) -> None:
    described = root(store)
    both = [sidecar(store, described), sidecar(store, described, 0o755)]
    top = toplevel(store, "a", described)
    other = store.add_files(
        folder({"a": Symlink(str(both[0])), "b": Symlink(str(both[1]))}), "x", both
    )
    trees = DeviceTrees(store)
    with pytest.raises(BadSidecar, match="is described by"):
        trees.of_closure(store.closure_of(other))
    assert trees.of_closure(store.closure_of(top))


def test_a_file_that_is_no_sidecar_is_refused(store: ChrootStore) -> None:
    wrong = store.add_files(File(b"hello\n"), "debian-root.sidecar")
    top = toplevel(store, "a", wrong)
    with pytest.raises(BadSidecar):
        system_images(DeviceTrees(store), top)


def test_a_large_object_has_an_image_of_its_own_that_systems_share(store: ChrootStore) -> None:
    shared = root(store, plan.LARGE_NODES)
    one, two = (toplevel(store, name, shared) for name in ("one", "two"))
    found = read_device_generation(store, generation(store, one=one, two=two))
    groups = [image.entry.objects for image in found.images]
    apart = next(group for group in groups if found.manifest.root in group)
    assert sorted(groups) == sorted([(shared,), (one,), (two,), apart])


def test_a_change_in_one_system_leaves_the_images_of_the_other(store: ChrootStore) -> None:
    shared = root(store, plan.LARGE_NODES)
    one = toplevel(store, "one", shared)
    before, after = (toplevel(store, "two", shared, page=page) for page in ("a", "b"))
    old, new = (
        {
            image.entry
            for image in read_device_generation(store, generation(store, one=one, two=two)).images
        }
        for two in (before, after)
    )
    assert len(old & new) == 2
    assert {
        path for entry in old - new for path in entry.objects if path.name == "system-one"
    } == set()


def test_what_no_system_needs_stands_apart(store: ChrootStore) -> None:
    root_path = generation(store, one=toplevel(store, "one"))
    found = read_device_generation(store, root_path)
    (apart,) = [image for image in found.images if root_path in image.entry.objects]
    assert sorted(path.name for path in apart.entry.objects) == ["boot-gw", "generation-gw"]


def test_each_content_is_known_with_its_place(store: ChrootStore) -> None:
    found = read_device_generation(
        store, generation(store, one=toplevel(store, "one", root(store)))
    )
    assert found.places[digest(PROGRAM)].read_bytes() == PROGRAM
    assert set(found.places) >= {digest(OTHER), digest(OTHER + b"a"), digest(PROGRAM)}


def test_the_images_that_a_generation_promises_are_those_of_its_manifest(
    store: ChrootStore,
) -> None:
    one = toplevel(store, "one", root(store, plan.LARGE_NODES))
    found = read_device_generation(store, generation(store, one=one))
    promised = {image.entry.sha256 for image in system_images(DeviceTrees(store), one)}
    assert promised < {entry.sha256 for entry in found.manifest.images}
    assert replace(found.manifest) == read_device_generation(store, found.manifest.root).manifest


def test_a_generation_whose_systems_would_not_find_their_images_is_refused(
    store: ChrootStore,
) -> None:
    one = toplevel(store, "one", root(store))
    made = generation(store, one=one)
    page = store.path(one) / "page"
    page.chmod(0o644)
    page.write_bytes(b"altered")
    with pytest.raises(BadGeneration, match="'one' are not those that it promises"):
        read_device_generation(store, made)


def test_a_generation_of_the_layout_before_is_refused(store: ChrootStore) -> None:
    made = generation(store, one=toplevel(store, "one"))
    text = (store.path(made) / "generation.json").read_text()
    old = folder({"generation.json": File(text.replace('"version": 2', '"version": 1').encode())})
    before = store.add_files(old, "generation-gw", [made])
    with pytest.raises(BadGeneration, match="another layout"):
        read_device_generation(store, before)
