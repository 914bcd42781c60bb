"""Finding UEFI firmware for a guest, and giving it variables of its own.

OVMF comes in two parts: code that all guests share, and a template of the variable store. The store
is where a device keeps its boot order and ``BootNext``, so each guest gets a copy that lives and
dies with its disk. Both parts must be of the same build, hence pairs.

Tested by ``tests/compat/test_ovmf.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.vm.qemu import Firmware

_LIMIT_BYTES = 64 << 20

PAIRS = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
)
"""Where distributions keep code and template; Debian's first."""


class FirmwareMissing(ReconixError):
    """No UEFI firmware for guests is installed."""

    exit_code = 40

    def __init__(self, tried: tuple[tuple[str, str], ...]) -> None:
        names = ", ".join(code for code, _ in tried)
        super().__init__(f"no UEFI firmware for QEMU: none of {names}", hint="apt install ovmf")


def prepare(variables: Path, pairs: tuple[tuple[str, str], ...] = PAIRS) -> Firmware:
    """Give the installed firmware, with its variables in the file ``variables``.

    The file is made from the template if it is not there yet; otherwise it is the memory of a
    device that was started before, and kept.

    Raises:
        FirmwareMissing: none is installed.
    """
    for code, template in _whole(pairs):
        if not variables.exists():
            write_durably(variables, read_bounded(template, _LIMIT_BYTES))
        return Firmware(code=code, variables=variables)
    raise FirmwareMissing(pairs)


def installed(pairs: tuple[tuple[str, str], ...] = PAIRS) -> Path | None:
    """The code of the firmware that a guest would get, if any is installed."""
    return next((code for code, _ in _whole(pairs)), None)


def _whole(pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[Path, Path]]:
    for code, template in pairs:
        if Path(code).is_file() and Path(template).is_file():
            yield Path(code), Path(template)
