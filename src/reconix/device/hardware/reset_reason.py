"""The reset reason: how the boot before has ended, as far as something tells.

Most of the time nothing does, and the reason is unknown. The firmware may have kept a panic
(``pstore``), in pieces of a kilobyte of which the first has the last words; a watchdog may report
that it has reset the device. Either means that the system that ran was the cause, so a trial that
ended in this way is not repeated.

Source: Documentation/ABI/testing/pstore and Documentation/watchdog/watchdog-api.rst of Linux;
drivers/firmware/efi/efi-pstore.c for the names of the pieces.
Tested by ``tests/unit/device/hardware/test_reset_reason.py``.
"""

from pathlib import Path

from reconix.base.records import dataclass
from reconix.boot.trial import Reason
from reconix.device.paths import Paths

_CARD_RESET = 0x20  # WDIOF_CARDRESET
_OUTPUT_CHARACTERS = 1000
_MAX_PIECES, _PIECE_BYTES = 100, 64 << 10
_HEAD, _PANIC = b"Panic#", "Kernel panic"


@dataclass(frozen=True, slots=True)
class ResetReason:
    """How a boot ended, and the last of its output."""

    reason: Reason = Reason.UNKNOWN
    output: str = ""


def read_reset_reason(paths: Paths) -> ResetReason:
    """How the boot before ended; ``Reason.UNKNOWN`` where nothing tells."""
    if _pieces(paths):
        return ResetReason(Reason.PANIC, _last_words(paths))
    for status in sorted((paths.sysfs / "class/watchdog").glob("*/bootstatus")):
        if _number(status.read_bytes()) & _CARD_RESET:
            return ResetReason(Reason.HANG, f"{status.parent.name} has reset the device")
    return ResetReason()


def forget_panic(paths: Paths) -> None:
    """Remove what was kept of a panic: it is reported once, and the firmware has room again."""
    for piece in _pieces(paths):
        piece.unlink()


def _pieces(paths: Paths) -> list[Path]:
    """The pieces that a panic left, the newest first; an oops does not end a boot."""
    found = sorted((paths.sysfs / "fs/pstore").glob("dmesg-*"))[:_MAX_PIECES]
    return [piece for piece in found if _content(piece).startswith(_HEAD)]


def _last_words(paths: Paths) -> str:
    """The messages of the kernel from its panic on, or the last of them."""
    text = "".join(_read(piece) for piece in reversed(_pieces(paths)))
    begin = text.rfind(_PANIC)
    return text[begin : begin + _OUTPUT_CHARACTERS] if begin >= 0 else text[-_OUTPUT_CHARACTERS:]


def _read(piece: Path) -> str:
    """A piece without the line that numbers it."""
    return _content(piece).partition(b"\n")[2].decode(errors="replace")


def _content(piece: Path) -> bytes:
    with piece.open("rb") as file:
        return file.read(_PIECE_BYTES)


def _number(content: bytes) -> int:
    try:
        return int(content.strip() or b"0", 0)
    except ValueError:
        return 0
