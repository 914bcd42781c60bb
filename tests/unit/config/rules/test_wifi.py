"""Wi-Fi as it is written, what it brings with it, and what is told about it."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load, load_with_places
from reconix.config.schema.software import Secret

WIFI = '[network.wifi]\nmatch = "wl*"\ndhcp = true\nssid = "workshop"\npassword_secret = "wifi"\n'


def test_a_network_brings_its_packages_and_asks_for_its_secret(tmp_path: Path) -> None:
    declared = '[secrets.wifi]\nunits = ["air.service"]\nrequired = false\n'
    write(tmp_path, web=WIFI, air=f'packages = ["wpasupplicant"]\n{WIFI}{declared}')
    systems = load(tmp_path).hosts["gw"].systems
    assert systems["web"].packages[-2:] == ("wpasupplicant", "wireless-regdb")
    assert systems["air"].packages.count("wpasupplicant") == 1
    unit = "reconix-wifi-wifi@.service"
    assert systems["web"].secrets == {"wifi": Secret(units=(unit,))}
    assert systems["air"].secrets == {"wifi": Secret(units=("air.service", unit), required=False)}
    assert "wpasupplicant" not in systems["default"].packages


def test_a_secret_that_only_wifi_reads_may_be_declared_without_units(tmp_path: Path) -> None:
    write(tmp_path, web=f"{WIFI}[secrets.wifi]\nrequired = false\n")
    assert not load(tmp_path).hosts["gw"].systems["web"].secrets["wifi"].required


NET = '[network.wifi]\nmatch = "wl*"\ndhcp = true\n'
MISTAKES = {
    f'{NET}ssid = "a"\n': "has no password",
    f'{NET}ssid = "a"\nopen = true\npassword_secret = "b"\n': "is both open and with a password",
    f'{NET}password_secret = "b"\n': "has settings of Wi-Fi, but no ssid",
    f'{NET}country = "DE"\n': "has settings of Wi-Fi, but no ssid",
    f"{NET}open = true\n": "has settings of Wi-Fi, but no ssid",
    '[network."wl*"]\ndhcp = true\nssid = "a"\nopen = true\n': "a Wi-Fi network has a table with",
    f'{WIFI}[network.two]\nmatch = "wl*"\ndhcp = true\nssid = "b"\nopen = true\n': (
        "is for the adapters 'wl*', which join two"
    ),
    '[network.wlan0]\nssid = "a"\nopen = true\n[network.br]\nbridge = ["wlan0"]\ndhcp = true\n': (
        "wlan0 is Wi-Fi, and no access point lets a bridge in"
    ),
    f'{NET}open = true\nssid = "{"ü" * 17}"\n': "expected the name of a Wi-Fi network",
    f'{NET}open = true\nssid = "a"\ncountry = "de"\n': "expected a country by two letters",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    write(tmp_path, web=text)
    problem = mistakes(tmp_path)[0]
    assert problem.fact.startswith(MISTAKES[text])
    assert (problem.place.file.name, bool(problem.place.line)) == ("web.toml", True)
    assert problem.hint or "expected" in problem.fact


def test_firmware_without_its_component_is_told_with_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, web=f'packages = ["nginx", "firmware-iwlwifi"]\n{WIFI}')
    (problem,) = mistakes(tmp_path)
    assert problem.fact.startswith("firmware-iwlwifi is in the component non-free-firmware")
    assert problem.hint.endswith('archive.components = ["main", "non-free-firmware"]')
    assert (problem.place.file.name, problem.place.line) == ("web.toml", 1)
    text = 'archive.components = ["main", "non-free-firmware"]\n'
    (tmp_path / "reconix.toml").write_text(f'name = "test"\n{text}')
    load(tmp_path)


def test_a_kernel_without_drivers_and_missing_firmware_are_warned_of(tmp_path: Path) -> None:
    write(tmp_path, web=WIFI)
    kernel, firmware = load_with_places(tmp_path).warnings
    assert kernel.fact == "linux-image-cloud-amd64 has no drivers for Wi-Fi"
    assert kernel.hint == "use linux-image-amd64"
    assert firmware.fact == "no firmware is installed, and most adapters need some"
    assert "firmware-brcm80211 (Broadcom, Raspberry Pi)" in firmware.hint


def test_another_program_that_joins_networks_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path, web=f'packages = ["network-manager", "firmware-ath9k-htc"]\n{WIFI}')
    found = [each for each in load_with_places(tmp_path).warnings if each.key == "packages"]
    assert [each.fact.partition(" ")[0] for each in found if "as well" in each.fact] == [
        "network-manager"
    ]
