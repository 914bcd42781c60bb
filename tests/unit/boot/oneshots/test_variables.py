import fcntl
import os
import struct
from pathlib import Path

import pytest

from reconix.boot.oneshots.variables import LOADER, FirmwareRefuses, Variables


def test_a_variable_is_attributes_and_value(tmp_path: Path) -> None:
    variables = Variables(tmp_path)
    variables.set("X", LOADER, b"value")
    assert (tmp_path / f"X-{LOADER}").read_bytes() == b"\x07\0\0\0value"
    assert variables.get("X", LOADER) == b"value"
    assert variables.names(LOADER) == ["X"] and variables.names("other") == []


def test_a_shorter_value_replaces_a_longer_one(tmp_path: Path) -> None:
    variables = Variables(tmp_path)
    variables.set("X", LOADER, b"a long value")
    variables.set("X", LOADER, b"short")
    assert variables.get("X", LOADER) == b"short"


def test_what_is_right_already_is_not_written(tmp_path: Path) -> None:
    """R4."""
    variables = Variables(tmp_path)
    variables.set("X", LOADER, b"value")
    os.utime(tmp_path / f"X-{LOADER}", ns=(1, 1))
    variables.set("X", LOADER, b"value")
    assert (tmp_path / f"X-{LOADER}").stat().st_mtime_ns == 1


def test_what_is_not_there_has_no_value_and_can_be_removed(tmp_path: Path) -> None:
    variables = Variables(tmp_path)
    assert variables.get("X", LOADER) is None
    variables.remove("X", LOADER)
    assert Variables(tmp_path / "no uefi").names(LOADER) == []


def test_a_firmware_that_refuses_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(FirmwareRefuses, match="BootNext: No such file") as caught:
        Variables(tmp_path / "no uefi").set("BootNext", LOADER, b"")
    assert "read-write" in caught.value.hint and caught.value.exit_code == 39


@pytest.mark.parametrize("change", ["set", "remove"])
def test_the_immutable_flag_is_taken_away(change: str, tmp_path: Path) -> None:
    path = tmp_path / f"X-{LOADER}"
    path.write_bytes(b"\x07\0\0\0old")
    protect(path)
    variables = Variables(tmp_path)
    if change == "set":
        variables.set("X", LOADER, b"new")
        assert variables.get("X", LOADER) == b"new"
    else:
        variables.remove("X", LOADER)
        assert not path.exists()


def protect(path: Path) -> None:
    """Make a file immutable, which takes a file system that knows how, and root."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, 0x40086602, struct.pack("=q", 0x10))
    except OSError as error:
        pytest.skip(f"no immutable files here: {error.strerror}")
    finally:
        os.close(descriptor)
    with pytest.raises(PermissionError):
        path.write_bytes(b"")
