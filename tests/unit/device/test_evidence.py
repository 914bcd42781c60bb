"""How the boot before ended."""

from pathlib import Path

import pytest

from reconix.boot.trial import Reason
from reconix.device.evidence import evidence_of_last_boot, take_panic
from reconix.device.places import Places


@pytest.mark.parametrize(
    ("status", "expected"),
    [("0", Reason.UNKNOWN), ("32", Reason.HANG), ("0x20", Reason.HANG), ("?", Reason.UNKNOWN)],
)
def test_a_watchdog_tells_that_it_was_the_one(
    tmp_path: Path, status: str, expected: Reason
) -> None:
    place = tmp_path / "class/watchdog/watchdog0"
    place.mkdir(parents=True)
    (place / "bootstatus").write_text(f"{status}\n")
    assert evidence_of_last_boot(Places(sysfs=tmp_path)) is expected


def test_a_panic_is_told_once(tmp_path: Path) -> None:
    places = Places(sysfs=tmp_path)
    place = tmp_path / "fs/pstore"
    place.mkdir(parents=True)
    (place / "dmesg-efi-1").write_bytes(b"x" * 5000 + b"panic: no init")
    assert evidence_of_last_boot(places) is Reason.PANIC
    said = take_panic(places)
    assert said.endswith("no init") and len(said) == 1000
    assert evidence_of_last_boot(places) is Reason.UNKNOWN


def test_without_evidence_nothing_is_known(tmp_path: Path) -> None:
    assert evidence_of_last_boot(Places(sysfs=tmp_path)) is Reason.UNKNOWN
