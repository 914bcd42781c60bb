"""Which option each generated file comes from."""

from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID
from tests.certificates import authority
from tests.config_projects import write
from tests.project_files import enough

from reconix.build.etc.generated_files import make_etc
from reconix.build.root.described import Packages
from reconix.build.units import machine_units
from reconix.build.users.accounts import Accounts
from reconix.build.users.configured_users import with_users
from reconix.composition.generated import EVERY_SYSTEM, Generated, origin
from reconix.config.load import Loaded, load_with_places
from reconix.store.tree import files

MACHINE = """\
hostname = "gate"
kernel.package = "linux-image-amd64"
health.checks = [{ tcp = 22 }]
[users.ann]
authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me"]
[network.lan]
address = ["192.0.2.2/24"]
dns = ["192.0.2.1"]
names = true
[network.radio]
match = "wl*"
dhcp = true
names = false
ssid = "workshop"
country = "DE"
password_secret = "wifi"
[sysctl]
"vm.swappiness" = "10"
[update]
every = "1h"
window = "02:00-04:00"
[volumes.card]
path = "/srv/card"
device = "/dev/sda1"
"""
SYSTEM = """\
[units."own.service"]
text = "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n"
[services]
enable = ["dropbear.service"]
mask = ["cron.service"]
[secrets.token]
units = ["own.service"]
[files."app/conf"]
text = "x"
[files."ld.so.conf.d/air.conf"]
text = "/opt/air/lib"
[kernel]
modules = ["i6300esb"]
[certificates]
authorities = ["ca.pem"]
"""
UNITS = ("systemd-networkd", "systemd-networkd-wait-online", "dropbear", "cron")
EXPECTED = {
    "hostname": ("hostname", 1),
    "shadow": ("users.ann.authorized_keys", 5),
    "reconix/authorized_keys/ann": ("users.ann.authorized_keys", 5),
    "systemd/network/10-lan.network": ("network.lan.address", 7),
    "resolv.conf": ("network.lan.address", 7),
    "sysctl.d/90-reconix.conf": ('sysctl."vm.swappiness"', 18),
    "systemd/system/reconix-update.timer": ("update.every", 20),
    "systemd/system/srv-card.mount": ("volumes.card.path", 23),
    "systemd/system/own.service": ('units."own.service".text', 2),
    "systemd/system/multi-user.target.wants/own.service": ('units."own.service".text', 2),
    "systemd/system/multi-user.target.wants/dropbear.service": ("services.enable", 4),
    "systemd/system/cron.service": ("services.mask", 5),
    "systemd/system/own.service.d/reconix-secrets.conf": ("secrets.token.units", 7),
    "reconix/wifi/radio.json": ("network.radio.match", 11),
    "systemd/network/11-radio.network": ("network.radio.match", 11),
    "systemd/system/reconix-wifi-radio@.service": ("network.radio.match", 11),
    "systemd/system/sysinit.target.wants/reconix-libraries.service": (
        'files."ld.so.conf.d/air.conf".text',
        11,
    ),
    "app/conf": ('files."app/conf".text', 9),
    "app": ('files."app/conf".text', 9),
    "modules-load.d/reconix.conf": ("kernel.modules", 13),
    "ssl/certs/ca.pem": ("certificates.authorities", 15),
    "ssl/certs/ca-certificates.crt": ("certificates.authorities", 15),
    "subuid": ("users.ann.authorized_keys", 5),
    "NetworkManager/conf.d/00-reconix.conf": ("network.lan.address", 7),
}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    write(tmp_path / "p", web=SYSTEM)
    (tmp_path / "p/hosts/gw/machine.toml").write_text(MACHINE)
    authority_file = tmp_path / "p/hosts/gw/systems/ca.pem"
    authority_file.write_bytes(authority((NameOID.COMMON_NAME, "Own")))
    return load_with_places(tmp_path / "p")


def ask(loaded: Loaded, path: str) -> Generated:
    system = loaded.configuration.hosts["gw"].systems["web"]
    return origin(system, loaded.machines["gw"], loaded.systems["gw"]["web"], path)


@pytest.mark.parametrize("path", EXPECTED)
def test_a_generated_file_comes_from_an_option(loaded: Loaded, path: str) -> None:
    first = ask(loaded, path).requests[0]
    assert (first.option, first.place.line) == EXPECTED[path]


def made(loaded: Loaded, root: Path) -> list[str]:
    """All files that the system has below /etc."""
    host = loaded.configuration.hosts["gw"]
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/bin").mkdir()
    for program in ("sbin/sshd", "sbin/NetworkManager", "bin/newuidmap"):
        (root / "usr" / program).touch()
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in UNITS:
        (units / f"{name}.service").write_text("[Install]\nWantedBy=multi-user.target\n")
    system = host.systems["web"]
    etc = make_etc(
        system,
        hostname=host.hostname,
        accounts=with_users(Accounts.read(root / "etc"), system.users, {"ann": 31415}),
        packages=Packages(root, {}),
        agent="/nix/store/x/agent.pyz",
        agent_units=machine_units.units(host.machine),
    )
    return [path for path, _ in files(etc.tree)]


def test_what_the_configuration_adds_has_a_line_and_the_rest_is_of_every_system(
    loaded: Loaded, tmp_path: Path
) -> None:
    (tmp_path / "bare").mkdir()
    write(tmp_path / "bare", web="")
    bare = {*made(load_with_places(tmp_path / "bare"), tmp_path / "bare/root")}
    paths = enough(made(loaded, tmp_path / "root"), at_least=60, what="generated files")
    assert EXPECTED.keys() - {"app"} <= {*paths}
    for path in paths:
        found = ask(loaded, path)
        if path in bare:
            assert found.requests or found.what in _ALWAYS, f"{path}: {found.what}"
        else:
            assert found.requests, f"{path}: {found.what}, and no line of the project"


_ALWAYS = (
    EVERY_SYSTEM,
    "the agent",
    "nothing unmounts it too early",
    "a unit that is started with another one",
    "looking for damage",
    "the device's own identity is laid over it when it starts",
    "where sshd finds keys",
)
