"""What a system partition says is read as the agent reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.image.ext4 import Format, make_ext4
from reconix.image.new_files import NewFile, NewNode, new_folder
from reconix.prove.blocks import Disk
from reconix.prove.ext4 import BadFileSystem, Geometry
from reconix.prove.facts import Facts, read_facts

MIB, BLOCK = 1 << 20, 1024
SECTOR = b"s" * 512

Says = Callable[..., Facts]


@pytest.fixture
def says(need: Callable[..., None], tmp_path: Path) -> Says:
    """What a partition says whose folder of the agent has this."""
    need("mkfs.ext4")

    def found(**home: NewNode) -> Facts:
        image = tmp_path / "image"
        content = new_folder({"reconix": new_folder(home)} if home else {})
        make_ext4(image, content, label="system", size_bytes=16 * MIB, form=Format(BLOCK))
        disk = Disk(image.read_bytes(), b"", BLOCK)
        return read_facts(disk, Geometry.read(disk, 0))

    return found


def way_back(line: bytes) -> NewNode:
    return new_folder({"sectors": NewFile(line), "home": NewFile(SECTOR)})


def test_documents_are_found_and_what_has_no_final_name_is_left_out(says: Says) -> None:
    names = {"one.manifest": b"manifest", ".two.manifest.new": b"half", "other": b"other"}
    manifests = new_folder({name: NewFile(content) for name, content in names.items()})
    home = {"layout": NewFile(b"2\n"), "state.json": NewFile(b"state"), "generations": manifests}
    assert says(**home) == Facts(b"2\n", b"state", None, (("one", b"manifest"),))


def test_nothing_is_installed_where_no_folder_says_so(says: Says) -> None:
    assert says(layout=NewFile(b"2\n")).manifests == ()


def test_a_way_back_is_read_in_its_order(says: Says) -> None:
    found = says(**{"way-back": way_back(b"7 home\n1 home\n")})
    assert found.disk_one_shot == ((7, SECTOR), (1, SECTOR))


@pytest.mark.parametrize("line", [b"7 there\n", b"x home\n", b"\n"])
def test_a_way_back_that_is_not_whole_is_damaged(says: Says, line: bytes) -> None:
    with pytest.raises(BadFileSystem, match="the way back"):
        says(**{"way-back": way_back(line)})


def test_a_way_back_that_leads_nowhere_is_damaged(says: Says) -> None:
    with pytest.raises(BadFileSystem, match="leads nowhere"):
        says(**{"way-back": way_back(b"")})


def test_a_partition_without_the_folder_of_the_agent_is_damaged(says: Says) -> None:
    with pytest.raises(BadFileSystem, match="/reconix is missing"):
        says()


def test_a_folder_in_place_of_a_document_is_damaged(says: Says) -> None:
    with pytest.raises(BadFileSystem, match="should be a document"):
        says(layout=new_folder({}))
