"""Wi-Fi: what a generation says of a network, and what wpa_supplicant is told on the device.

    /etc/reconix/wifi/<name>.json    {"version": 1, "ssid": "…", "country": "DE", "secret": "wifi"}
    /run/reconix-wifi-<name>-<interface>/wpa_supplicant.conf     that and the password, 0600

The password is a secret, so no generation has it: the unit that runs wpa_supplicant gets it from
systemd, and puts both together each time it starts. The name of a network is any bytes, so it is
spelt in hexadecimal digits, which nothing has to be escaped in. A password of WPA2 and WPA3 has 8
to 63 printable ASCII characters, which wpa_supplicant takes between quotes up to the last one of a
line; 64 hexadecimal digits are the key itself, which WPA3 cannot use.

Source: wpa_supplicant.conf(5); IEEE 802.11-2020, annex J.4.1.
Tested by ``tests/unit/device/settings/test_wifi.py`` and, with the real wpa_supplicant, by
``tests/compat/test_wifi.py``.
"""

import re

from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.records import dataclass
from reconix.base.secret_values import BadSecret, check_name

VERSION = 1
MAX_BYTES = 1 << 16
_MAX_SSID_BYTES = 32
_COUNTRY = re.compile("[A-Z]{2}")
_PASSPHRASE = re.compile(rb"[ -~]{8,63}")
_KEY = re.compile(rb"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Wifi:
    """A network that a device joins; valid by construction.

    Attributes:
        ssid: its name.
        country: whose rules for radio hold, as ISO 3166 has it; ``None``: those of all countries.
        secret: the name of the secret with the password; ``None``: it is open.
    """

    ssid: str
    country: str | None = None
    secret: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.ssid.encode()) <= _MAX_SSID_BYTES:
            raise BadDocument(f"a Wi-Fi network has a name of 1 to {_MAX_SSID_BYTES} bytes")
        if self.country is not None and not _COUNTRY.fullmatch(self.country):
            raise BadDocument(f"{self.country[:20]!r} is no country")
        if self.secret is not None:
            check_name(self.secret)

    def print(self) -> bytes:
        """As a generation has it."""
        return print_json(
            {
                "version": VERSION,
                "ssid": self.ssid,
                "country": self.country,
                "secret": self.secret,
            }
        )


def parse_wifi(content: bytes, *, source: str) -> Wifi:
    """Read what a generation says.

    Raises:
        BadDocument, BadSecret: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(VERSION)
    return Wifi(
        fields.text("ssid"),
        fields.text("country") if fields.has("country") else None,
        fields.text("secret") if fields.has("secret") else None,
    )


def wpa_supplicant(wifi: Wifi, password: bytes | None) -> bytes:
    """The settings of wpa_supplicant.

    Args:
        wifi: what the generation says.
        password: the value of the secret, if the network is not open; one line break at its end,
            as editors leave it, does not count.

    Raises:
        BadSecret: no network has such a password.
    """
    lines = [
        "ctrl_interface=/run/wpa_supplicant",
        "sae_pwe=2",
        *([f"country={wifi.country}"] if wifi.country else []),
        "network={",
        f"    ssid={wifi.ssid.encode().hex()}",
        "    scan_ssid=1",
        *(f"    {line}" for line in _how_to_join(wifi, password)),
        "}",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _how_to_join(wifi: Wifi, password: bytes | None) -> list[str]:
    if wifi.secret is None or password is None:
        return ["key_mgmt=NONE"]
    found = password.removesuffix(b"\n").removesuffix(b"\r")
    if _KEY.fullmatch(found):
        return ["key_mgmt=WPA-PSK WPA-PSK-SHA256", "ieee80211w=1", f"psk={found.decode('ascii')}"]
    if not _PASSPHRASE.fullmatch(found):
        raise BadSecret(
            f"secret {wifi.secret} is not the password of a Wi-Fi network: that has 8 to 63 "
            "printable ASCII characters, or 64 hexadecimal digits",
            hint=f"reconix secrets push {wifi.secret}",
        )
    keys = ["key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE", "ieee80211w=1"]
    return [*keys, f'psk="{found.decode("ascii")}"']
