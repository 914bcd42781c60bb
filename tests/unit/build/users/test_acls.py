"""Numbers in access control lists follow those of their users and groups."""

import os
import struct
from pathlib import Path

import pytest

from reconix.build.users.acls import NAMES, renumbered


def entry(tag: int, number: int) -> bytes:
    return struct.pack("<HHI", tag, 5, number)


HEAD = struct.pack("<I", 2)
NOBODY = 0xFFFFFFFF


def test_users_and_groups_have_numbers_of_their_own() -> None:
    value = HEAD + entry(1, NOBODY) + entry(2, 101) + entry(8, 101) + entry(16, NOBODY)
    after = HEAD + entry(1, NOBODY) + entry(2, 500) + entry(8, 600) + entry(16, NOBODY)
    assert renumbered(value, {101: 500}, {101: 600}) == after


def test_entries_are_sorted_as_the_kernel_sorts_them() -> None:
    value = HEAD + entry(2, 101) + entry(2, 102) + entry(8, 4)
    after = HEAD + entry(2, 300) + entry(2, 400) + entry(8, 4)
    assert renumbered(value, {101: 400, 102: 300}, {}) == after


@pytest.mark.parametrize("value", [b"", b"\2", b"\1\0\0\0" + entry(2, 7), HEAD + b"1234567"])
def test_what_is_no_list_stays(value: bytes) -> None:
    assert renumbered(value, {7: 8}, {7: 8}) == value


def test_the_kernel_takes_what_comes_out(tmp_path: Path) -> None:
    ends = entry(1, NOBODY), entry(4, NOBODY), entry(16, NOBODY), entry(32, NOBODY)
    owner, owners, mask, others = ends
    value = HEAD + owner + entry(2, 101) + entry(2, 102) + owners + entry(8, 101) + mask + others
    file, name = tmp_path / "file", os.fsdecode(NAMES[0])
    file.touch()
    os.setxattr(file, name, renumbered(value, {101: 500, 102: 400}, {101: 7}))
    after = HEAD + owner + entry(2, 400) + entry(2, 500) + owners + entry(8, 7) + mask + others
    assert os.getxattr(file, name) == after
