"""What is no longer what its name says is found, and whose files that are."""

from pathlib import Path

import pytest
from tests.placed import COMMON, LIBRARY, numbered, root_of
from tests.project_files import enough

from reconix.nix.install import install
from reconix.store.images.image import BadImage
from reconix.store.images.nodes import contents
from reconix.store.images.verity import digest
from reconix.store.intact import a_few, check_image, entries, users
from reconix.store.registry import ImageMissing, Registry

ONE, TWO = root_of(1), root_of(2)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A device with two generations of two images each, of which they share one."""
    registry = Registry(tmp_path / "device")
    for number in (1, 2):
        install(numbered(tmp_path / "source", number), registry)
    return registry


def test_each_image_is_named_once(registry: Registry) -> None:
    found = entries(registry.manifests())
    assert sorted(entry.objects for entry in found) == [(ONE,), (TWO,), (COMMON,)]
    assert [entry.sha256 for entry in found] == sorted(entry.sha256 for entry in found)


def test_an_intact_image_says_which_contents_it_needs(registry: Registry) -> None:
    for entry in enough(entries(registry.manifests()), at_least=3, what="images"):
        expected = dict(contents(registry.tree(entry.objects[0])))
        assert check_image(registry, entry) == expected
        assert len(expected) == 1


def test_a_damaged_image_is_found_whatever_was_read_of_it_before(registry: Registry) -> None:
    entry = entries(registry.manifests())[0]
    check_image(registry, entry)
    path = registry.image_path(entry.sha256)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(BadImage, match="was altered"):
        check_image(registry, entry)
    path.unlink()
    with pytest.raises(ImageMissing):
        check_image(registry, entry)


def test_all_files_with_a_content_are_named(registry: Registry) -> None:
    library, big = digest(LIBRARY), digest(b"1" * 999)
    found = users(registry, entries(registry.manifests()), {library, big})
    assert found == {library: (f"{COMMON}/copy/lib", f"{COMMON}/lib"), big: (f"{ONE}/big",)}


def test_of_many_a_few_are_named() -> None:
    assert a_few("ab") == "a, b"
    assert a_few("abc") == "a, b, c"
    assert a_few("abcde") == "a, b, c and 2 more"
