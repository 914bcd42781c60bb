"""Finding firmware for a guest, and giving it variables of its own.

UEFI for QEMU comes in two parts: code that all guests share, and a template of the variable store.
The store is where a device keeps its boot order and ``BootNext``, so each guest gets a copy that
lives and dies with its disk. Both parts must be of the same build, hence pairs. U-Boot for QEMU
keeps nothing: it comes alone.

Tested by ``tests/compat/test_ovmf.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.vm.hardware import PC, Hardware, Pairs
from reconix.vm.qemu import Firmware

_LIMIT_BYTES = 64 << 20


class FirmwareMissing(ReconixError):
    """No firmware for guests is installed."""

    exit_code = 40

    def __init__(self, hardware: Hardware) -> None:
        names = ", ".join(code for code, _ in hardware.firmware)
        super().__init__(
            f"no firmware for QEMU: none of {names}",
            hint=f"apt install {hardware.firmware_package}",
        )


def prepare(variables: Path, hardware: Hardware = PC) -> Firmware:
    """Give the installed firmware, with its variables in the file ``variables``.

    The file is made from the template if it is not there yet; otherwise it is the memory of a
    device that was started before, and kept.

    Raises:
        FirmwareMissing: none is installed.
    """
    for code, template in _whole(hardware.firmware):
        if template is None:
            return Firmware(code=code, variables=None)
        if not variables.exists():
            write_durably(variables, read_bounded(template, _LIMIT_BYTES))
        return Firmware(code=code, variables=variables)
    raise FirmwareMissing(hardware)


def installed(hardware: Hardware = PC) -> Path | None:
    """The code of the firmware that a guest would get, if any is installed."""
    return next((code for code, _ in _whole(hardware.firmware)), None)


def _whole(pairs: Pairs) -> Iterator[tuple[Path, Path | None]]:
    for code, template in pairs:
        if Path(code).is_file() and (template is None or Path(template).is_file()):
            yield Path(code), Path(template) if template else None
