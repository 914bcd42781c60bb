"""Pool and images of a system partition: what carries a name there is what the name says."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconix.image.ext4 import Format, make_ext4
from reconix.image.new_files import NewFile, NewFolder, NewLink, NewNode, new_folder
from reconix.prove.blocks import Disk
from reconix.prove.contents import Contents, Shelf, Stored, shelves
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry
from reconix.store.images.verity import digest

MIB, BLOCK = 1 << 20, 1024
LONG, SHORT, EMPTY = b"long " * 4000, b"short", b""
IMAGE = b"image " * 300
CONTENTS = [digest(each) for each in (LONG, SHORT, EMPTY)]
IMAGES = [hashlib.sha256(IMAGE).digest()]
KNOWN = frozenset([*CONTENTS, *IMAGES])


def pool(*contents: bytes, mode: int = 0o400) -> dict[str, NewNode]:
    """The folders of a pool with these."""
    folders: dict[str, dict[str, NewNode]] = {}
    for content in contents:
        name = digest(content).hex()
        folders.setdefault(name[:2], {})[name[2:]] = NewFile(content, mode)
    return {name: new_folder(files, mode=0o700) for name, files in folders.items()}


def images(content: bytes = IMAGE) -> dict[str, NewNode]:
    return {IMAGES[0].hex(): NewFile(content, 0o400)}


@dataclass(frozen=True)
class Made:
    """A file system, and who looks at it."""

    disk: Disk
    geometry: Geometry

    def stored(self, changing: frozenset[int] = frozenset()) -> Stored:
        return self.looking(changing).read(self.disk)

    def looking(self, changing: frozenset[int]) -> Contents:
        return Contents(self.geometry, changing, KNOWN)

    def block_of(self, content: bytes) -> int:
        """The second block of a content."""
        files, name = Ext4(self.disk, self.geometry), digest(content).hex()
        inode = files.lookup("pool", name[:2], name[2:])
        assert inode is not None
        return files.runs(inode)[0].physical + 1


Make = Callable[..., Made]


@pytest.fixture
def make(need: Callable[..., None], tmp_path: Path) -> Make:
    need("mkfs.ext4")

    def made(**root: dict[str, NewNode]) -> Made:
        image = tmp_path / "image"
        content = new_folder({name: new_folder(inside) for name, inside in root.items()})
        make_ext4(image, content, label="system", size_bytes=16 * MIB, form=Format(BLOCK))
        disk = Disk(image.read_bytes(), b"", BLOCK)
        return Made(disk, Geometry.read(disk, 0))

    return made


def stored(images: list[bytes], contents: list[bytes]) -> Stored:
    return Stored(Shelf("", frozenset(images), ""), shelves(contents))


def test_what_is_whole_is_found(make: Make) -> None:
    found = make(pool=pool(LONG, SHORT, EMPTY), images=images()).stored()
    assert found.problem == ""
    assert found.images.digests == frozenset(IMAGES)
    assert found == stored(IMAGES, CONTENTS)
    assert found.digests == KNOWN


def test_what_is_missing_is_named_and_what_is_there_besides_does_no_harm(make: Make) -> None:
    found = make(pool=pool(LONG, SHORT), images={}).stored()
    assert found.problem == ""
    assert stored([], [CONTENTS[0]]).missing(found) == ""
    assert stored([], CONTENTS).missing(found) == f"the content {CONTENTS[2].hex()} is missing"
    assert stored(IMAGES, []).missing(found) == f"the image {IMAGES[0].hex()} is missing"


def renamed(folders: dict[str, NewNode], before: str, after: str) -> dict[str, NewNode]:
    (name, inside) = next(iter(folders.items()))
    assert isinstance(inside, NewFolder)
    entries = {each.decode().replace(before, after): node for each, node in inside.entries}
    return {name: new_folder(entries)}


LONG_FOLDER, LONG_NAME = CONTENTS[0].hex()[:2], CONTENTS[0].hex()[2:]
DAMAGED: dict[str, tuple[dict[str, dict[str, NewNode]], str]] = {
    "a content under another name": (
        {"pool": {LONG_FOLDER: new_folder({LONG_NAME: NewFile(SHORT, 0o400)})}},
        "is not what its name says",
    ),
    "a content that nobody knows": ({"pool": pool(b"strange")}, "belongs to no generation"),
    "a name that is no digest": (
        {"pool": renamed(pool(LONG), LONG_NAME, ".new")},
        "belongs to no generation",
    ),
    "a name in capitals": (
        {"pool": renamed(pool(LONG), LONG_NAME, LONG_NAME.upper())},
        "belongs to no generation",
    ),
    "a link in place of a content": (
        {"pool": {LONG_FOLDER: new_folder({LONG_NAME: NewLink(b"/etc/passwd")})}},
        "is no file",
    ),
    "a content that everybody may read": ({"pool": pool(LONG, mode=0o444)}, "has the mode 444"),
    "an image that was cut off": ({"images": images(IMAGE[:-1])}, "is not what its name says"),
    "an image without a name": (
        {"images": {"staging": NewFile(IMAGE, 0o400)}},
        "/images/staging belongs to no generation",
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_not_what_its_name_says_is_named(make: Make, what: str) -> None:
    root, problem = DAMAGED[what]
    assert problem in make(**{"pool": {}, "images": {}, **root}).stored().problem


def test_a_content_is_hashed_again_where_a_block_of_it_differs(make: Make) -> None:
    made = make(pool=pool(LONG, SHORT), images=images())
    block = made.block_of(LONG)
    looking = made.looking(frozenset([block]))
    assert looking.read(made.disk).problem == ""
    made.disk.set(block, made.disk.keep(bytes(BLOCK)))
    problem = looking.read(made.disk).problem
    assert problem == f"/pool/{LONG_FOLDER}/{LONG_NAME} is not what its name says"
    made.disk.set(block, None)
    assert looking.read(made.disk).problem == ""


@pytest.mark.parametrize("root", [{"pool": {}}, {"images": {}}])
def test_a_partition_without_pool_or_images_is_damaged(
    make: Make, root: dict[str, dict[str, NewNode]]
) -> None:
    with pytest.raises(BadFileSystem, match="is missing"):
        make(**root).stored()


def test_a_file_in_place_of_a_folder_of_the_pool_is_damaged(make: Make) -> None:
    with pytest.raises(BadFileSystem, match="should be a folder"):
        make(pool={"ab": NewFile(b"")}, images={}).stored()
