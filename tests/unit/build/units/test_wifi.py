"""The units of Wi-Fi networks, what they read, and what starts them."""

from pathlib import Path

from tests.unit.build.etc.test_generated_files import KERNEL, make, root, text

from reconix.build.units.wifi import make_files, make_units
from reconix.config.schema.software import Secret
from reconix.config.schema.system import Network, System
from reconix.device.settings.wifi import Wifi, parse_wifi
from reconix.store.tree import Symlink, files

__all__ = ["root"]
WORKSHOP = Network(match="wl*", dhcp=True, ssid="workshop", password_secret="wifi", country="DE")
GUESTS = Network(dhcp=True, ssid="guests", open=True)
SYSTEM = System(
    kernel=KERNEL,
    network={"wifi": WORKSHOP, "wlan1": GUESTS, "lan": Network(match="en*", dhcp=True)},
    secrets={"wifi": Secret(units=("reconix-wifi-wifi@.service",))},
)


def test_there_is_a_unit_for_each_and_it_has_no_password() -> None:
    units = make_units(SYSTEM)
    assert sorted(units) == ["reconix-wifi-wifi@.service", "reconix-wifi-wlan1@.service"]
    unit = units["reconix-wifi-wifi@.service"].decode()
    settings = "/run/reconix-wifi-wifi-%i/wpa_supplicant.conf"
    assert f"wifi-settings /etc/reconix/wifi/wifi.json {settings}\n" in unit
    assert f"ExecStart=/usr/sbin/wpa_supplicant -i%i -c{settings}\n" in unit
    assert "RuntimeDirectoryMode=0700\n" in unit


def test_what_the_agent_reads_is_what_was_written() -> None:
    made = make_files(SYSTEM)
    found = parse_wifi(made["reconix/wifi/wifi.json"].content, source="x")
    assert found == Wifi("workshop", "DE", "wifi")
    found = parse_wifi(made["reconix/wifi/wlan1.json"].content, source="x")
    assert found == Wifi("guests")


def test_udev_starts_them_by_the_name_that_an_adapter_gets() -> None:
    rules = make_files(SYSTEM)["udev/rules.d/85-reconix-wifi.rules"].content.decode().splitlines()
    assert rules[0] == (
        'ACTION!="remove", SUBSYSTEM=="net", ENV{DEVTYPE}=="wlan", NAME=="?*", NAME=="wl*", '
        'ENV{SYSTEMD_WANTS}+="reconix-wifi-wifi@$name.service"'
    )
    assert 'NAME=="", KERNEL=="wlan1", ' in rules[3]
    assert len(rules) == 4


def test_a_system_has_all_that_belongs_to_it(root: Path) -> None:
    packaged = root / "usr/lib/systemd/system/wpa_supplicant.service"
    packaged.write_text("[Install]\nWantedBy=multi-user.target\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "wpa_supplicant.service").symlink_to("/usr/lib/systemd/system/wpa_supplicant.service")
    etc = make(SYSTEM, root)
    assert "DHCP=yes" in text(etc, "systemd/network/11-wifi.network")
    drop_in = "systemd/system/reconix-wifi-wifi@.service.d/reconix-secrets.conf"
    assert text(etc, drop_in).endswith("LoadCredential=wifi:/run/reconix/data/secrets/wifi\n")
    link = dict(files(etc.tree))["systemd/system/multi-user.target.wants/wpa_supplicant.service"]
    assert link == Symlink("/dev/null")


def test_nothing_is_made_without_wifi() -> None:
    plain = System(kernel=KERNEL, network={"lan": Network(match="en*", dhcp=True)})
    assert (make_units(plain), make_files(plain)) == ({}, {})
