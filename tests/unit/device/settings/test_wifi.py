"""What is told to wpa_supplicant, and what no network has as its password."""

import pytest

from reconix.base.documents import BadDocument, print_json
from reconix.base.secret_values import BadSecret
from reconix.device.settings.wifi import Wifi, parse_wifi, wpa_supplicant

WORKSHOP = Wifi("workshop", "DE", "wifi")
KEY = b"0123456789abcdefABCDEF" + b"0" * 42


@pytest.mark.parametrize("wifi", [WORKSHOP, Wifi('ü" \\x'), Wifi("a", None, "b")])
def test_printing_and_parsing_are_inverse(wifi: Wifi) -> None:
    assert parse_wifi(wifi.print(), source="x") == wifi


@pytest.mark.parametrize(
    "change",
    [{"ssid": ""}, {"ssid": "ü" * 17}, {"country": "de\n"}, {"secret": "../a"}, {"version": 2}],
)
def test_what_is_malformed_is_refused(change: dict[str, object]) -> None:
    good: dict[str, object] = {"version": 1, "ssid": "a", "country": None, "secret": None}
    parse_wifi(print_json(good), source="x")
    with pytest.raises((BadDocument, BadSecret)):
        parse_wifi(print_json({**good, **change}), source="x")


def test_a_password_is_for_wpa_2_and_3_and_its_line_break_does_not_count() -> None:
    told = wpa_supplicant(WORKSHOP, b'say "friend"\n').decode().splitlines()
    assert told == [
        "ctrl_interface=/run/wpa_supplicant",
        "sae_pwe=2",
        "country=DE",
        "network={",
        "    ssid=776f726b73686f70",
        "    scan_ssid=1",
        "    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE",
        "    ieee80211w=1",
        '    psk="say "friend""',
        "}",
    ]
    assert wpa_supplicant(WORKSHOP, b"12345678\r\n") == wpa_supplicant(WORKSHOP, b"12345678")


def test_a_key_is_for_wpa_2_and_an_open_network_for_everybody() -> None:
    told = wpa_supplicant(WORKSHOP, KEY).decode()
    assert f"    psk={KEY.decode()}\n" in told and "SAE" not in told
    told = wpa_supplicant(Wifi("guests"), None).decode()
    assert "key_mgmt=NONE\n" in told and "psk" not in told and "country" not in told


@pytest.mark.parametrize(
    "password",
    [b"", b"1234567", b"x" * 64, b"g" * 64, b"12345678\n\n", b"12\n}\nnetwork", b"\xc3\xbcber1234"],
)
def test_what_is_no_password_is_refused_without_being_shown(password: bytes) -> None:
    with pytest.raises(BadSecret, match="secret wifi is not the password of a Wi-Fi") as failure:
        wpa_supplicant(WORKSHOP, password)
    assert not password.strip() or password.decode(errors="replace") not in str(failure.value)
