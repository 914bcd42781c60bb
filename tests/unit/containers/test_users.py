"""The numbers under which the program of an image runs."""

from pathlib import Path

import pytest

from reconix.containers.descriptors import BadImage
from reconix.containers.users import Ids, find_ids

PASSWD = """root:x:0:0:root:/root:/bin/sh
# a comment: no user
app:x:1000:50::/srv:/bin/sh
33:x:7:8:a number for a name::
broken:x:-1:0:::
short:x:5
late:x:2000:2000:::
"""
GROUP = "root:x:0:\nstaff:x:50:app\ndialout:x:20:other,app\nvideo:x:44:app,\nbroken:x:z:app\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Ids(0, 0)),
        ("root", Ids(0, 0)),
        ("0", Ids(0, 0)),
        ("app", Ids(1000, 50, (20, 44))),
        ("1000", Ids(1000, 50, (20, 44))),
        ("app:", Ids(1000, 50, (20, 44))),
        ("app:dialout", Ids(1000, 20)),
        ("app:99", Ids(1000, 99)),
        (":dialout", Ids(0, 20)),
        ("4000", Ids(4000, 0)),
        ("4000:4000", Ids(4000, 4000)),
        ("33", Ids(7, 8)),
        ("4294967294", Ids(4294967294, 0)),
    ],
)
def test_names_and_numbers_are_found(root: Path, text: str, expected: Ids) -> None:
    assert find_ids(text, root, source="it") == expected


@pytest.mark.parametrize(
    "text", ["broken", "short", "nobody", "4294967295", "-1", "1.5", "# a comment"]
)
def test_a_user_that_is_not_in_the_image_is_told_who_is(root: Path, text: str) -> None:
    with pytest.raises(BadImage, match=r"not in its /etc/passwd; there are: 33, app, late, root"):
        find_ids(text, root, source="it")


def test_a_group_that_is_not_in_the_image_is_told(root: Path) -> None:
    with pytest.raises(BadImage, match="group 'x' is not in its /etc/group"):
        find_ids("app:x", root, source="it")


def test_an_image_without_users_has_numbers(tmp_path: Path) -> None:
    assert find_ids("5:6", tmp_path, source="it") == Ids(5, 6)
    with pytest.raises(BadImage, match="there are: none"):
        find_ids("root", tmp_path, source="it")


def test_a_table_is_not_read_from_outside(root: Path) -> None:
    """A link of the image leads to the image's own file, or to none."""
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("/etc/passwd")
    assert find_ids("4000", root, source="it") == Ids(4000, 0)


def test_an_endless_table_is_refused(root: Path) -> None:
    (root / "etc/passwd").write_bytes(bytes(2 << 20))
    with pytest.raises(BadImage, match="/etc/passwd is larger than 1048576 bytes"):
        find_ids("app", root, source="it")
