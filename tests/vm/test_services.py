"""The built-in services run on a device as their options say, all of them in one boot.

What the options come to as text is tested without a device, in
``tests/unit/config/test_services.py``. Here the programs themselves are asked: does the port
answer, does the firewall drop what nobody allowed, does the log keep its limit, are bridge and VLAN
there.
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted, reconix

from reconix.base.process import run
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine

pytestmark = [pytest.mark.vm, pytest.mark.archive]
CLOSED = 9000
"""A program listens here, and nobody opened it."""
OPENSSH = 2222
"""Here OpenSSH answers, beside dropbear."""
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
ACCEPTED = b"\x20\x02\x00\x00"
"""MQTT 3.1.1, sections 3.1 and 3.2."""
ANSWER_SECONDS = 20
MORE_BYTES = 1 << 30
"""By this the disk is larger than the image."""
MACHINE = f"""\
packages = ["iproute2", "openssh-server", "tftpd-hpa"]
[agent]
enable = true
[console]
serial = "ttyS0"
login = "root"
[boot]
slot_size = "48M"
[disk]
system_size = "768M"
data_size = "rest"
[kernel]
package = "linux-image-cloud-amd64"
initrd_modules = ["virtio_pci", "virtio_blk"]

[network.lan]
match = "en*"
[network.br0]
bridge = ["lan"]
dhcp = true
[network.machine]
vlan = 20
on = "br0"
address = ["192.0.2.1/24"]

[users.root]
authorized_keys_files = ["../../key.pub"]
[ssh]
enable = true
[firewall]
enable = true
tcp = [{OPENSSH}]
ping = false
[journal]
size = "4M"
burst = 100000
[chrony]
enable = true
servers = ["10.0.2.2"]
allow = ["192.0.2.0/24"]
[mosquitto]
enable = true
anonymous = true
[nginx]
enable = true
[nginx.sites.pages]
folder = "/etc/pages"
[files."pages/index.html"]
text = "served by nginx"

[volumes.scratch]
path = "/srv/scratch"
size = "1M"
[volumes.card]
path = "/srv/card"
device = "/dev/disk/by-label/card"

[units."closed.service"]
text = \"\"\"
[Service]
ExecStart=/usr/bin/python3 -m http.server {CLOSED} --directory /etc/pages
[Install]
WantedBy=multi-user.target
\"\"\"
# Belongs to a user that a file declares, and asks for the address when it is online.
[units."meter.service"]
text = \"\"\"
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
User=meter
RuntimeDirectory=meter
ExecStart=/bin/sh -c 'ip -oneline -4 address show dev br0 > /run/meter/seen'
[Install]
WantedBy=multi-user.target
\"\"\"
[files."sysusers.d/meter.conf"]
text = "u meter - - /var/lib/meter\\n"
[files."ld.so.conf.d/own.conf"]
text = "/usr/lib/x86_64-linux-gnu/systemd\\n"
[files."rc.local"]
text = "#!/bin/sh\\nid -un > /run/rc.local.ran\\n"
mode = "0755"
[files."ssh/sshd_config.d/10-port.conf"]
text = "Port {OPENSSH}\\n"
[services]
enable = ["closed.service"]

[units."dynamic.service"]
text = \"\"\"
[Service]
Type=oneshot
RemainAfterExit=yes
DynamicUser=yes
StateDirectory=dynamic
ExecStart=/bin/sh -c 'echo mine > /var/lib/dynamic/state'
[Install]
WantedBy=multi-user.target
\"\"\"
[persist]
paths = ["/var/lib/private/dynamic"]
"""


@dataclass(frozen=True)
class Box:
    """The device, running."""

    machine: Machine
    login: Login

    def say(self, *command: str) -> str:
        """Run a command on the device and give what it prints."""
        return self.machine.ssh(self.login, *command).decode()

    def page(self, port: int) -> bytes:
        """What the device answers from outside."""
        address = ("127.0.0.1", self.machine.port(port))
        with contextlib.closing(http.client.HTTPConnection(*address, ANSWER_SECONDS)) as browser:
            browser.request("GET", "/")
            return browser.getresponse().read()

    def is_active(self, unit: str) -> bool:
        return self.say("systemctl", "show", "--property=ActiveState", unit) == (
            "ActiveState=active\n"
        )


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    need = Need()
    need(*PROGRAMS)
    folder = tmp_path_factory.mktemp("services") / "project"
    (folder / "hosts/box/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "services-test"\n')
    (folder / "hosts/box/machine.toml").write_text(MACHINE)
    (folder / "hosts/box/systems/default.toml").write_text("")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
    reconix(folder, "lock")
    image = Path(reconix(folder, "image").text("image"))
    ports = (22, 80, 1883, CLOSED, OPENSSH)
    with booted(image, folder.parent / "device", ports, more_bytes=MORE_BYTES) as machine:
        login = Login(folder / "key")
        machine.wait_for_ssh(login, seconds=BOOT_SECONDS)
        box = Box(machine, login)
        box.say("sh", "-c", "systemctl is-system-running --wait || true")
        yield box


@pytest.mark.parametrize(
    "unit",
    [
        *("nginx.service", "mosquitto.service", "chrony.service", "dropbear.service"),
        *("nftables.service", "systemd-networkd.service", "closed.service", "ssh.service"),
        *("tftpd-hpa.service", "meter.service", "rc-local.service"),
    ],
)
def test_each_service_runs(box: Box, unit: str) -> None:
    assert box.is_active(unit)


def test_nothing_else_failed(box: Box) -> None:
    assert box.say("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_openssh_lets_in_by_a_key_and_has_its_own_which_the_device_keeps(box: Box) -> None:
    login = Login(box.login.key, guest_port=OPENSSH)
    kept = "/var/lib/reconix/secrets"
    key = "ssh_host_ed25519_key"
    box.machine.ssh(login, "cmp", f"/etc/ssh/{key}", f"{kept}/openssh/{key}")
    mounted = box.say("findmnt", "--noheadings", "--output=SOURCE", "--target", kept)
    assert mounted.strip().endswith(f"[/shared{kept}]")
    assert box.say("stat", "-c", "%a %U", f"/etc/ssh/{key}") == "600 root\n"


def test_what_a_package_brings_to_srv_is_there_with_its_owner(box: Box) -> None:
    assert box.say("stat", "-c", "%A %G", "/srv/tftp") == "drwxr-xr-x nogroup\n"


def test_who_waits_to_be_online_finds_an_address(box: Box) -> None:
    assert "inet 10.0.2.15/24" in box.say("cat", "/run/meter/seen")
    assert box.say("stat", "-c", "%U", "/run/meter/seen") == "meter\n"


def test_libraries_are_found_in_a_folder_that_a_file_names(box: Box) -> None:
    assert "/systemd/libsystemd-shared-" in box.say("ldconfig", "-p")


def test_rc_local_is_run_by_root(box: Box) -> None:
    assert box.say("cat", "/run/rc.local.ran") == "root\n"


def test_the_web_server_answers_through_the_bridge_and_the_firewall(box: Box) -> None:
    assert box.page(80) == b"served by nginx"


def test_the_broker_takes_a_client(box: Box) -> None:
    address = ("127.0.0.1", box.machine.port(1883))
    with socket.create_connection(address, ANSWER_SECONDS) as client:
        client.sendall(CONNECT)
        assert client.recv(4) == ACCEPTED


def test_the_firewall_drops_what_nobody_allowed(box: Box) -> None:
    fetch = f"from urllib.request import *; print(urlopen('http://127.0.0.1:{CLOSED}').read())"
    assert "served by nginx" in box.say("python3", "-c", fetch), "the program listens"
    with pytest.raises((OSError, http.client.HTTPException)):
        box.page(CLOSED)


def test_the_clock_is_set_by_chrony_from_the_server_that_was_named(box: Box) -> None:
    assert "^,?,10.0.2.2," in box.say("chronyc", "-n", "-c", "sources")


def test_programs_find_names_by_what_dhcp_has_told(box: Box) -> None:
    assert "10.0.2.3" in box.say("resolvectl", "--no-pager", "dns", "br0")
    assert "10.0.2.2" in box.say("getent", "ahostsv4", "_gateway"), "only the resolver knows that"


def test_the_log_keeps_its_limit(box: Box) -> None:
    write = "for n in $(seq 40); do head -c 200000 /dev/zero | tr '\\0' x | logger; done"
    box.say("sh", "-c", f"{write}; journalctl --flush; sync")
    files = box.say("sh", "-c", "du --summarize --bytes /run/log/journal").split()
    assert 1 << 20 < int(files[0]) <= 4 << 20
    assert "max 4M" in box.say("journalctl", "--unit=systemd-journald", "--no-pager")


def test_bridge_and_vlan_stand_on_each_other(box: Box) -> None:
    links = {
        link["ifname"]: link for link in json.loads(box.say("ip", "-details", "-json", "link"))
    }
    (member,) = (link for name, link in links.items() if name.startswith("en"))
    assert member["master"] == "br0"
    assert links["br0"]["linkinfo"]["info_kind"] == "bridge"
    assert links["machine"]["link"] == "br0"
    assert links["machine"]["linkinfo"]["info_data"]["id"] == 20
    assert "192.0.2.1/24" in box.say("ip", "-oneline", "address", "show", "machine")


def test_a_volume_in_memory_keeps_its_limit_and_a_missing_card_stops_nothing(box: Box) -> None:
    scratch = box.say("findmnt", "--noheadings", "--output=FSTYPE,SIZE", "/srv/scratch")
    assert scratch.split() == ["tmpfs", "1M"]
    assert not box.is_active("srv-card.mount")
    assert box.is_active("multi-user.target")
    waiting = box.say("systemctl", "show", "--property=Before", "--value", "srv-card.mount")
    assert "local-fs.target" not in waiting.split()


def test_what_a_user_that_systemd_makes_up_keeps_is_on_the_disk(box: Box) -> None:
    assert box.is_active("dynamic.service")
    assert box.say("cat", "/var/lib/dynamic/state") == "mine\n"
    place = box.say("findmnt", "--noheadings", "--output=FSTYPE", "/var/lib/private/dynamic")
    assert place == "ext4\n"


def test_data_has_grown_to_the_end_of_a_larger_disk(box: Box) -> None:
    """P9. What is kept there is used all the time."""
    box.say("sh", "-c", "while systemctl is-active --quiet reconix-grow; do sleep 0.5; done")
    said = box.say("df", "--block-size=1", "--output=size", "/run/reconix/data")
    assert int(said.split()[-1]) > MORE_BYTES
    assert "data has " in box.say("journalctl", "--unit=reconix-grow", "--output=cat")


def test_who_holds_the_cable_is_logged_in(box: Box) -> None:
    assert box.is_active("serial-getty@ttyS0.service")
    box.machine.console.wait("root@box:~#", seconds=ANSWER_SECONDS)
