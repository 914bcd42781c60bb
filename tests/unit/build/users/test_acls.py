"""Numbers in access control lists follow those of their users and groups."""

import os
import struct
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
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


def test_the_kernel_takes_what_comes_out(tmp_path: Path, need: Need) -> None:
    need("setfacl", "getfacl")
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = tmp_path / "file"
    file.touch()
    run("setfacl", "--modify", "u:101:r,u:102:rw,g:101:x", file)
    name = os.fsdecode(NAMES[0])
    os.setxattr(file, name, renumbered(os.getxattr(file, name), {101: 500, 102: 400}, {101: 7}))
    said = run("getfacl", "--numeric", "--omit-header", file).decode().split()
    assert {"user:500:r--", "user:400:rw-", "group:7:--x"} <= {
        line.partition("\t")[0] for line in said
    }
