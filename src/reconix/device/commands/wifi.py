"""For the unit that joins a Wi-Fi network: put its settings and the password together.

Tested by ``tests/unit/device/test_wifi_command.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.base.secret_values import MAX_BYTES as MAX_SECRET_BYTES
from reconix.device.settings.wifi import MAX_BYTES, parse_wifi, wpa_supplicant

_MODE = 0o600


class NoCredential(ReconixError):
    """A unit has not got the secret that it needs."""

    exit_code = 84


def write_settings(said: Path, into: Path, credentials: Path | None) -> None:
    """Write the settings of wpa_supplicant.

    Args:
        said: what the generation says.
        into: the file, in a folder of the unit.
        credentials: where systemd has put the secrets of the unit.

    Raises:
        BadDocument, BadSecret, NoCredential: there is nothing that could be written.
    """
    wifi = parse_wifi(read_bounded(said, MAX_BYTES), source=str(said))
    password = None
    if wifi.secret is not None:
        try:
            if credentials is None:
                raise FileNotFoundError
            password = read_bounded(credentials / wifi.secret, MAX_SECRET_BYTES)
        except FileNotFoundError:
            raise NoCredential(
                f"secret {wifi.secret} is not here, and {said.stem} cannot be joined",
                hint=f"reconix secrets push {wifi.secret}",
            ) from None
    write_durably(into, wpa_supplicant(wifi, password), mode=_MODE)
