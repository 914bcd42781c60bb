"""Images in folders and archives that somebody may have changed."""

import gzip
import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.oci_images import Entry, file, hard_link, image, layer, link, write_layout

from reconix.config.image_reference import InDockerArchive, InLayout
from reconix.containers.archives import ArchiveFiles
from reconix.containers.descriptors import BadImage
from reconix.containers.images import Document
from reconix.containers.layout import DockerArchive, FolderFiles, Layout

LAYERS = (layer(file("a")), layer(file("b")))


def top(folder: Path, name: str = "") -> Document:
    return Layout(InLayout("images", name), FolderFiles(folder)).top()


def test_a_name_leads_to_one_image(tmp_path: Path) -> None:
    one, two = image(tmp_path, LAYERS), image(tmp_path, LAYERS[:1])
    write_layout(tmp_path, one=one, two=two)
    assert str(top(tmp_path, "two").digest) == two["digest"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "oci:images could be 2 images; there are: 'one', 'two'"),
        ("x", "oci:images:x is not there"),
    ],
)
def test_a_name_that_leads_to_none_or_two_is_told_what_there_is(
    tmp_path: Path, name: str, why: str
) -> None:
    write_layout(tmp_path, one=image(tmp_path, LAYERS), two=image(tmp_path, LAYERS[:1]))
    with pytest.raises(BadImage, match=why):
        top(tmp_path, name)


def test_a_name_that_stands_twice_for_two_images_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path, app=image(tmp_path, LAYERS), other=image(tmp_path, LAYERS[:1]))
    text = (tmp_path / "index.json").read_text()
    (tmp_path / "index.json").write_text(text.replace('"other"', '"app"'))
    with pytest.raises(BadImage, match="oci:images:app could be 2 images"):
        top(tmp_path, "app")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("oci-layout", None, "there is no oci-layout"),
        ("oci-layout", b'{"imageLayoutVersion": "2.0.0"}', "of version '2.0.0'"),
        ("oci-layout", b"x", "not acceptable JSON"),
        ("index.json", None, "there is no index.json"),
        ("index.json", b"[]", "expected an object"),
        ("index.json", b" " * (5 << 20), "index.json is larger than"),
        ("index.json", b'{"manifests": []}', "is not there; there are: nothing"),
    ],
)
def test_what_is_no_layout_is_refused(
    tmp_path: Path, name: str, content: bytes | None, why: str
) -> None:
    write_layout(tmp_path, app=image(tmp_path, LAYERS))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadImage, match=why):
        top(tmp_path)


def archive(place: Path, *entries: Entry, packed: bool = False) -> ArchiveFiles:
    content = layer(*entries)
    (place / "archive").write_bytes(gzip.compress(content) if packed else content)
    return ArchiveFiles(place / "archive", place)


@pytest.mark.parametrize("packed", [True, False])
def test_files_of_an_archive_are_read_in_any_order(tmp_path: Path, *, packed: bool) -> None:
    ways = [link("b/l", "../a"), hard_link("h", "a"), link("to", "b/l"), link("out", "../../x")]
    files = archive(tmp_path, file("./a", b"1"), file("b/c", b"22"), *ways, packed=packed)
    one = b"1"
    for name, content in {"b/c": b"22", "a": one, "b/l": one, "h": one, "to": one}.items():
        assert files.size_bytes(name) == len(content)
        with files.open(name) as opened:
            assert opened.read() == content
    assert files.size_bytes("out") is files.size_bytes("none") is None
    files.close()


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([file("a"), file("./a")], "'./a' stands twice"),
        ([file("a"), link("a", "b")], "'a' stands twice"),
    ],
)
def test_an_archive_that_is_ambiguous_is_refused(
    tmp_path: Path, entries: list[Entry], why: str
) -> None:
    with pytest.raises(BadImage, match=why):
        archive(tmp_path, *entries)


def test_links_in_a_circle_lead_to_nothing(tmp_path: Path) -> None:
    files = archive(tmp_path, link("a", "b"), link("b", "a"))
    assert files.size_bytes("a") is None
    files.close()


NO_ARCHIVES = {
    "text": b"no archive" * 100,
    "packed": gzip.compress(b"x" * 600),
    "cut": b"\x1f\x8bx",
}


@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(BadImage, match=str(tmp_path / "archive")):
        ArchiveFiles(tmp_path / "archive", tmp_path)


def test_an_archive_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    for name in ("none", "."):
        with pytest.raises(BadImage, match="there is no archive"):
            ArchiveFiles(tmp_path / name, tmp_path)


def saved(tmp_path: Path, listed: object, *entries: Entry, name: str = "") -> Document:
    content = json.dumps(listed).encode()
    with closing(archive(tmp_path, file("manifest.json", content), *entries)) as files:
        return DockerArchive(InDockerArchive("saved.tar", name), files).top()


ONE = {"Config": "c", "RepoTags": ["app:1", "app:latest"], "Layers": ["l"]}


@pytest.mark.parametrize(
    ("listed", "name", "why"),
    [
        ({}, "", "is not a list"),
        ([5], "", "expected an object"),
        ([], "", "is not there; there are: none with a name"),
        ([{**ONE, "Layers": None}], "", "'Layers' must be a list"),
        ([ONE, {**ONE, "Config": "d"}], "app:1", "could be 2 images"),
        ([ONE], "app", "is not there; there are: 'app:1', 'app:latest'"),
        ([{**ONE, "Config": "../../etc/passwd"}], "", "there is no '../../etc/passwd'"),
        ([{**ONE, "Layers": ["x"]}], "", "there is no 'x'"),
    ],
)
def test_a_list_that_leads_nowhere_or_to_two_is_refused(
    tmp_path: Path, listed: object, name: str, why: str
) -> None:
    with pytest.raises(BadImage, match=why):
        saved(tmp_path, listed, file("c"), file("d"), file("l"), name=name)


def test_an_image_has_several_names_in_an_archive(tmp_path: Path) -> None:
    found = {
        saved(tmp_path, [ONE], file("c"), file("l"), name=name).digest
        for name in ("app:1", "app:latest", "")
    }
    assert len(found) == 1
