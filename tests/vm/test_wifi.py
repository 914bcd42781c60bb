"""A device joins a Wi-Fi network: one radio of the kernel's simulator is the access point.

The password is a secret, from the image first, then another one that is pushed while the device
runs; the access point asks for WPA2 before, and for WPA3 afterwards.
"""

from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device, ssh_words
from tests.vm.project import MACHINE, Project

SERIAL = "BOX-0001"
FIRST, SECOND = "correct horse", 'battery "staple" \\'
KERNEL = """\
package = "linux-image-amd64"
modules = ["mac80211_hwsim"]
"""
MORE = """\
[services]
enable = ["hostapd.service"]
[files."hostapd/hostapd.conf"]
source = "hostapd.conf"
mode = "0600"
[network.access]
match = "wlan0"
address = ["192.0.2.1/24"]
[network.wifi]
match = "wlan1"
address = ["198.51.100.2/24"]
ssid = "wörkshop"
password_secret = "wifi"
country = "DE"
[devices.BOX-0001]
"""
HOSTAPD = f"""\
interface=wlan0
driver=nl80211
ssid=wörkshop
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase={FIRST}
"""
UNIT = "reconix-wifi-wifi@wlan1.service"
SETTINGS = "/run/reconix-wifi-wifi-wlan1/wpa_supplicant.conf"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    machine = MACHINE.replace('package = "linux-image-cloud-amd64"\n', KERNEL)
    machine = machine.replace('"python3"]', '"python3", "hostapd"]').replace('"48M"', '"128M"')
    made = Project.make(tmp_path / "project", machine.replace('"768M"', '"1536M"') + MORE)
    (made.folder / "hosts/box/hostapd.conf").write_text(HOSTAPD)
    write(made, FIRST)
    return made


def write(project: Project, password: str) -> None:
    file = project.folder / "secrets/wifi"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{password}\n")
    file.chmod(0o600)


@pytest.mark.vm
@pytest.mark.archive
def test_a_device_joins_a_network_and_follows_a_new_password(
    project: Project, tmp_path: Path, need: Need
) -> None:
    need(*PROGRAMS)
    project.reconix("lock")
    image = project.image("--device", SERIAL)
    with booted(image, tmp_path / "device", [22]) as machine:
        device = Device(machine, project.login)
        device.wait_for("default", soft_reboots=0)
        is_in_the_network(device, "WPA2-PSK")
        keeps_the_password_to_itself(device)
        changes_the_access_point(device)
        write(project, SECOND)
        project.reconix("secrets", "push", "wifi", *ssh_words(device, project.login.key))
        is_in_the_network(device, "SAE")


def is_in_the_network(device: Device, key_management: str) -> None:
    state = f"wpa_cli -i wlan1 status | grep -x -e wpa_state=COMPLETED -e key_mgmt={key_management}"
    device.wait_until(f"[ $({state} | wc -l) = 2 ]", f"not in the network by {key_management}")
    address = "ip -oneline address show dev wlan1 up | grep -F 198.51.100.2/24"
    device.wait_until(address, "systemd-networkd has given no address")


def keeps_the_password_to_itself(device: Device) -> None:
    """It is in no file of the system but that of the access point, which is another device."""
    assert device.ask(f"stat -c '%a %U' {SETTINGS} {SETTINGS.rpartition('/')[0]}").split() == [
        *("600", "root"),
        *("700", "root"),
    ]
    found = device.ask(f"grep -rls '{FIRST}' /etc /nix/system/ /var/lib /run/systemd || true")
    assert found == "/etc/hostapd/hostapd.conf", found
    said = device.ask(f"journalctl --no-pager | grep -c '{FIRST}' || true")
    assert said == "0"
    assert device.ask("systemctl is-active wpa_supplicant.service || true") == "inactive"


def changes_the_access_point(device: Device) -> None:
    """It asks for WPA3 and another password; the device is out until it has that."""
    place = "/etc/hostapd/hostapd.conf"
    device.ask(
        f"sed -i -e s/WPA-PSK/SAE/ -e '/^wpa_passphrase/d' {place} && "
        f"printf 'ieee80211w=2\\nsae_password=%s\\n' '{SECOND}' >> {place} && "
        "systemctl restart hostapd.service"
    )
    device.wait_until("! wpa_cli -i wlan1 status | grep -qx wpa_state=COMPLETED", "still joined")
