"""What is told of a system on a device, and the document that says it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import made_generations

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.nix.installed import (
    Installed,
    installed_generation,
    installed_system,
    parse_installed,
    print_installed,
)
from reconix.nix.installed_size import InstalledSize, installed_size
from reconix.store.paths import StorePath

WEB = StorePath.parse("/nix/store/" + "0" * 32 + "-system-web")
OTHER = StorePath.parse("/nix/store/" + "1" * 32 + "-system-web")
FOUND = Installed((Digest(b"\1" * 32), Digest(b"\2" * 32)), InstalledSize(3, 8192, 2, 4096))
DOCUMENT = f"""\
{{
  "contents": 3,
  "contents_bytes": 8192,
  "images": [
    "{"01" * 32}",
    "{"02" * 32}"
  ],
  "images_bytes": 4096,
  "of": "{WEB}"
}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def test_a_system_has_the_images_that_are_computed_for_it(store: ChrootStore) -> None:
    web = made_generations.toplevel(store, "page" * 99)
    images = system_images(DeviceTrees(store), web)
    found = installed_system(DeviceTrees(store), web)
    assert found.images == tuple(image.entry.sha256 for image in images)
    assert found.size == installed_size(images)


def test_a_generation_has_the_images_of_its_manifest(store: ChrootStore) -> None:
    root = made_generations.generation(store, made_generations.toplevel(store, "page" * 99))
    generation = read_device_generation(store, root)
    found = installed_generation(DeviceTrees(store), root)
    assert set(found.images) == {entry.sha256 for entry in generation.manifest.images}
    assert found.size == installed_size(generation.images)
    assert len(found.images) == found.size.images > 1


def test_the_document_has_one_spelling() -> None:
    assert print_installed(WEB, FOUND).decode() == DOCUMENT
    assert parse_installed(DOCUMENT.encode(), WEB, source="x") == FOUND


@pytest.mark.parametrize(
    "content",
    [
        DOCUMENT.replace("8192", '"8192"'),
        DOCUMENT.replace('"contents": 3,', ""),
        DOCUMENT.replace("01" * 32, "01"),
        DOCUMENT[:-3],
        "",
    ],
)
def test_what_is_no_document_is_refused(content: str) -> None:
    with pytest.raises((BadDocument, BadDigest)):
        parse_installed(content.encode(), WEB, source="x")


def test_a_document_about_another_object_is_refused() -> None:
    with pytest.raises(BadDocument, match="is about"):
        parse_installed(DOCUMENT.encode(), OTHER, source="x")
