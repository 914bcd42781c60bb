"""What a file may be called, and where a link may lead: as much as the kernel takes."""

import os
from pathlib import Path

import pytest

from reconix.store.names import (
    MAX_NAME_BYTES,
    MAX_TARGET_BYTES,
    BadName,
    check_name,
    check_target,
)


@pytest.mark.parametrize("name", [b"a", b"...", b" ", b"\n", b"\xff", b"n" * MAX_NAME_BYTES])
def test_what_the_kernel_takes_is_a_name(name: bytes, tmp_path: Path) -> None:
    check_name(name)
    os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT | os.O_EXCL))


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b", b"n" * (MAX_NAME_BYTES + 1)])
def test_s5_what_leads_elsewhere_or_nowhere_is_no_name(name: bytes) -> None:
    with pytest.raises(BadName):
        check_name(name)


@pytest.mark.parametrize("target", [b"a", b"../..", b"\xff", b"t" * MAX_TARGET_BYTES])
def test_what_the_kernel_takes_is_a_target(target: bytes, tmp_path: Path) -> None:
    check_target(target)
    (tmp_path / "link").symlink_to(os.fsdecode(target))


@pytest.mark.parametrize("target", [b"", b"a\0b", b"t" * (MAX_TARGET_BYTES + 1)])
def test_s5_what_no_link_can_have_is_no_target(target: bytes) -> None:
    with pytest.raises(BadName):
        check_target(target)
