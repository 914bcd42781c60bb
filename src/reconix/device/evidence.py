"""Evidence: what tells how the boot before has ended.

Most of the time nothing does, and then it is not known. A panic may have been kept by the firmware
(``pstore``); a watchdog may say that it was the one who restarted the device. Either means that the
system that ran was the cause, so a trial that ended so is not repeated.

Source: Documentation/ABI/testing/pstore and Documentation/watchdog/watchdog-api.rst of Linux.
Proven by ``tests/unit/device/test_evidence.py``.
"""

from reconix.boot.trial import Reason
from reconix.device.places import Places

_CARD_RESET = 0x20  # WDIOF_CARDRESET
_SAID_BYTES = 1000


def evidence_of_last_boot(places: Places) -> Reason:
    """How the boot before ended, as far as something tells."""
    if any((places.sysfs / "fs/pstore").glob("dmesg-*")):
        return Reason.PANIC
    for status in sorted((places.sysfs / "class/watchdog").glob("*/bootstatus")):
        if _number(status.read_bytes()) & _CARD_RESET:
            return Reason.HANG
    return Reason.UNKNOWN


def take_panic(places: Places) -> str:
    """The last words of a panic, which are removed, so that they are told once."""
    said = ""
    for file in sorted((places.sysfs / "fs/pstore").glob("dmesg-*")):
        said = file.read_bytes()[-_SAID_BYTES:].decode(errors="replace")
        file.unlink()
    return said


def _number(content: bytes) -> int:
    try:
        return int(content.strip() or b"0", 0)
    except ValueError:
        return 0
