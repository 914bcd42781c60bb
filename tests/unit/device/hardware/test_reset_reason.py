"""How the boot before ended."""

from pathlib import Path

import pytest

from reconix.boot.trial import Reason
from reconix.device.hardware.reset_reason import ResetReason, forget_panic, read_reset_reason
from reconix.device.paths import Paths


@pytest.mark.parametrize(
    ("status", "expected"),
    [("0", Reason.UNKNOWN), ("32", Reason.HANG), ("0x20", Reason.HANG), ("?", Reason.UNKNOWN)],
)
def test_b5_a_watchdog_tells_that_it_was_the_one(
    tmp_path: Path, status: str, expected: Reason
) -> None:
    place = tmp_path / "class/watchdog/watchdog0"
    place.mkdir(parents=True)
    (place / "bootstatus").write_text(f"{status}\n")
    found = read_reset_reason(Paths(sysfs=tmp_path))
    assert found.reason is expected
    assert ("watchdog0" in found.output) == (expected is Reason.HANG)


@pytest.fixture
def pstore(tmp_path: Path) -> Path:
    place = tmp_path / "fs/pstore"
    place.mkdir(parents=True)
    return place


def test_b5_a_panic_is_told_once_from_where_it_begins(pstore: Path, tmp_path: Path) -> None:
    paths = Paths(sysfs=tmp_path)
    (pstore / "dmesg-efi_pstore-170000000001001").write_text("Panic#1 Part1\nno init!\nTrace\n")
    (pstore / "dmesg-efi_pstore-170000000002001").write_text(
        "Panic#1 Part2\n[1.0] usb\n[2.0] Kernel panic - not syncing: "
    )
    found = read_reset_reason(paths)
    assert found == ResetReason(Reason.PANIC, "Kernel panic - not syncing: no init!\nTrace\n")
    forget_panic(paths)
    assert read_reset_reason(paths) == ResetReason()


def test_last_words_are_bounded(pstore: Path, tmp_path: Path) -> None:
    (pstore / "dmesg-efi-1").write_bytes(b"Panic#1 Part1\n" + b"x" * 500_000)
    found = read_reset_reason(Paths(sysfs=tmp_path))
    assert (found.reason, len(found.output)) == (Reason.PANIC, 1000)


def test_an_oops_that_the_system_survived_is_no_panic(pstore: Path, tmp_path: Path) -> None:
    (pstore / "dmesg-efi-1").write_text("Oops#1 Part1\nBUG: in a driver\n")
    assert read_reset_reason(Paths(sysfs=tmp_path)) == ResetReason()


def test_without_a_reset_reason_nothing_is_known(tmp_path: Path) -> None:
    assert read_reset_reason(Paths(sysfs=tmp_path)) == ResetReason()
