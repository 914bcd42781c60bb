"""One test for each rule that holds between options."""

from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem

MACHINE = 'kernel.package = "linux-image-cloud-amd64"\n'


def mistakes(
    folder: Path, machine: str = "", system: str = "", project: str = ""
) -> tuple[Problem, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text(f'name = "test"\n{project}')
    (folder / "hosts/gw/machine.toml").write_text(f"{MACHINE}{machine}")
    (folder / "hosts/gw/systems/default.toml").write_text(system)
    try:
        load(folder)
    except BadConfiguration as error:
        return error.problems
    return ()


OF_A_MACHINE = {
    'boot.default = "rescue"': ("boot.default", "unknown system 'rescue'"),
    'boot.slot_size = "16M"': ("boot.slot_size", "too small"),
    'disk.system_size = "1M"': ("disk.system_size", "too small"),
    'disk.data_size = "1M"': ("disk.data_size", "too small"),
    'disk = { data_size = "rest", size = "1G" }': ("disk.size", "need 1"),
    'disk.size = "1G"': ("disk.size", "the disk has 1073741824"),
    'run.forward = ["a:1", "a:2"]': ("run.forward", "name a is used twice"),
    'run.forward = ["a:1", "b:1"]': ("run.forward", "device port 1 is used twice"),
    'run.forward = ["a:1:80", "b:2:80"]': ("run.forward", "local port 80 is used twice"),
    'disk = { compress = true, integrity = "verity" }': ("disk.compress", "a pack has all in one"),
    'boot.load_base = "0x41000000"': ("boot.load_base", "UEFI chooses itself"),
    'boot = { firmware = "u-boot", load_base = "0x41000000" }': ("boot.firmware", "on amd64"),
    'boot.slot_files = [{ device_tree = "a.dtb" }]': (
        "boot.slot_files",
        "there is no device tree for a.dtb",
    ),
    'boot.disk = "mmc0"': ("boot.disk", "there is no device tree that has it"),
    'disk.reserved = "16K"': ("disk.reserved", "16384 bytes cannot be reserved"),
    'disk.reserved = "65M"': ("disk.reserved", "cannot be reserved"),
    'boot.firmware_files = [{ package = "u-boot", member = "u", offset = "1K" }]': (
        "boot.firmware_files",
        "UEFI writes to the first 17408 bytes",
    ),
    'boot.firmware_files = [{ package = "u-boot", member = "../u", offset = "1M" }]': (
        "boot.firmware_files.member",
        "expected a file of a package",
    ),
    'boot.slot_files = [{ text = "", path = "boot.scr" }]': (
        "boot.slot_files.path",
        "expected a file of a boot partition",
    ),
    'boot.device_tree = "a/b.dtb"': ("boot.device_tree", "kernels for amd64 have no device trees"),
    'boot.device_tree = "../b.dtb"': ("boot.device_tree", "expected a device tree"),
    'boot.device_tree_overlays = ["machine.toml"]': (
        "boot.device_tree_overlays",
        "no device tree that they could change",
    ),
    'boot.load_base = "0x41100000"': ("boot.load_base", "expected an address in memory"),
}


@pytest.mark.parametrize("text", OF_A_MACHINE)
def test_a_machine_that_cannot_be_is_told(tmp_path: Path, text: str) -> None:
    (problem,) = mistakes(tmp_path, machine=f"{text}\n")
    key, fact = OF_A_MACHINE[text]
    assert problem.key == key
    assert fact in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("machine.toml", 2)


def test_u_boot_must_be_told_where_things_go_and_needs_no_one_shot_besides(tmp_path: Path) -> None:
    machine = 'architecture = "arm64"\nboot = { firmware = "u-boot", one_shot = "disk" }\n'
    facts = [problem.fact for problem in mistakes(tmp_path, machine)]
    assert facts == [
        "U-Boot must be told where in memory a kernel goes",
        "U-Boot needs no variables: the control sector is on the disk already",
    ]


def test_an_overlay_that_is_not_there_is_told_at_its_line(tmp_path: Path) -> None:
    found = mistakes(tmp_path, 'boot.device_tree_overlays = ["a.dtso"]\n')
    (problem,) = (each for each in found if "no such file" in each.fact)
    assert problem.key == "boot.device_tree_overlays"
    assert (problem.place.file.name, problem.place.line) == ("machine.toml", 2)


def test_a_system_with_errors_is_there(tmp_path: Path) -> None:
    machine = '[schedule]\nhours = ["default 06:00-22:00"]\n'
    (problem,) = mistakes(tmp_path, machine, "[volumes.a]\n")
    assert problem.key == "volumes.a.path", "nobody says that there is no system default"


def test_authorities_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (problem,) = mistakes(tmp_path, project='update.authorities_files = ["ca.pem"]\n')
    assert problem.key == "update.authorities_files"
    assert problem.fact == f"{tmp_path}/ca.pem contains no certificate"
    assert (problem.place.file.name, problem.place.line) == ("reconix.toml", 2)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("url", "http://updates..example/"),
        ("url", "http://updates.example:99999/"),
        ("proxy", "https://me:secret@proxy.example:3128"),
        ("proxy", "http://me:secret@[::1/"),
        ("proxy", "socks5://me:secret@proxy.example"),
    ],
)
def test_what_devices_cannot_ask_is_told_without_passwords(
    tmp_path: Path, key: str, text: str
) -> None:
    (problem,) = mistakes(tmp_path, project=f'update.{key} = "{text}"\n')
    assert problem.key == f"update.{key}"
    assert "secret" not in problem.fact


@pytest.mark.parametrize(
    "text",
    [
        "http://me:secret@updates.example/x",
        "https://me:secret@updates.example?x",
        "http://me:s@ecret/secret@updates.example",
        f"http://me:secret{'x' * 90}@updates.example",
    ],
)
def test_devices_log_in_nowhere_for_updates_and_nobody_is_shown_the_password(
    tmp_path: Path, text: str
) -> None:
    (problem,) = mistakes(tmp_path, project=f'update.url = "{text}"\n')
    assert problem.key == "update.url"
    assert "without user and password" in problem.fact
    assert "secret" not in problem.fact


def test_an_at_sign_behind_the_server_is_no_log_in(tmp_path: Path) -> None:
    assert not mistakes(tmp_path, project='update.url = "http://updates.example/a@b"\n')


OF_A_SYSTEM = {
    '[files.x]\nmode = "0600"': ("files.x", "neither text nor source"),
    '[units."a.service"]': ('units."a.service"', "neither text nor source nor exec"),
    '[units."a.service"]\ntext = ""\nexec = "/bin/a"': ('units."a.service"', "text and exec"),
    '[units."a.timer"]\nexec = "/bin/a"': ('units."a.timer".exec', "only a service runs"),
    '[units."a.service"]\ntext = ""\nuser = "air"': (
        'units."a.service".user',
        "has no effect without exec",
    ),
    '[files.x]\ntext = ""\nsource = "default.toml"': ("files.x", "text and source"),
    "[network.lan]": ("network.lan", "no way to get an address"),
    "[network.v]\ndhcp = true\nvlan = 5": ("network.v", "vlan and on must be set together"),
    '[network.v]\ndhcp = true\nvlan = 5\non = "x"': ("network.v", "refers to x"),
    '[network.b]\ndhcp = true\nbridge = ["c"]': ("network.b", "refers to c"),
    '[network.b]\ndhcp = true\nbridge = ["l"]\n[network.l]\ndhcp = true': (
        "network.l",
        "is in a bridge",
    ),
    '[network.b]\ndhcp = true\nmatch = "br0"\nbridge = ["l"]\n[network.l]': (
        "network.b",
        "has the name of its table",
    ),
    '[network.b]\ndhcp = true\nvlan = 5\non = "l"\nbridge = ["l"]\n[network.l]': (
        "network.b",
        "is both a VLAN and a bridge",
    ),
    '[services]\nenable = ["chrony.service", "systemd-timesyncd.service"]': (
        "services.enable",
        "would both set the clock",
    ),
    "[users.a]\nuid = 1005\n[users.b]\nuid = 1005": ("users.b.uid", "is also the UID of a"),
    "[users.root]\nuid = 1000": ("users.root.uid", "only root has UID 0"),
    "[users.admin]\nuid = 0": ("users.admin.uid", "only root has UID 0"),
    "[users.a]\nuid = 42": ("users.a.uid", "42 is reserved for Debian"),
    "[users.a]\nuid = 61184": ("users.a.uid", "61184 is reserved for Debian or systemd"),
    '[files.x]\nlink = "/a"\ntext = ""': ("files.x", "text and link"),
    '[persist]\nshared = ["/a"]\npaths = ["/a/b"]': ("persist.paths", "/a/b is already persisted"),
    '[persist]\nshared = ["/a"]\npaths = ["/a"]': ("persist.paths", "/a is already persisted"),
    '[persist]\npaths = ["/etc"]': ("persist.paths", "/etc belongs to the generation"),
    '[persist]\nshared = ["/etc/reconix/authorized_keys"]': (
        "persist.shared",
        "/etc/reconix/authorized_keys belongs to the generation",
    ),
    '[persist]\npaths = ["/usr/local"]': ("persist.paths", "/usr/local belongs to the generation"),
    '[persist]\npaths = ["/a/b", "/a"]': ("persist.paths", "/a/b is already persisted"),
    '[services]\nenable = ["a.service"]\nmask = ["a.service"]': ("services.enable", "is masked"),
    '[services]\nenable = ["a.service"]\ndisable = ["a.service"]': (
        "services.disable",
        "is also enabled",
    ),
    '[services]\nmask = ["a.timer"]\n[health]\nchecks = [{ unit = "a.timer" }]': (
        "health.checks",
        "is masked",
    ),
    '[health]\ntimeout = "10min"': ("health.timeout", "leaves no time"),
    '[volumes.a]\npath = "/a"\n[volumes.b]\npath = "/a"': (
        "volumes.b",
        "/a is also used by volumes.a",
    ),
    '[volumes.a]\npath = "/a"\n[persist]\npaths = ["/a"]': (
        "volumes.a",
        "/a is also used by persist",
    ),
    '[volumes.a]\npath = "/a"\ndevice = "/dev/sda1"\nsize = 1': (
        "volumes.a",
        "has both device and size",
    ),
    '[ports]\n"80" = "mine"\n[nginx]\nenable = true\nsites.a = { folder = "/a" }': (
        "ports.80",
        'is "mine" here, but "nginx" in',
    ),
    '[health]\nstable = "90s"': ("health.stable", "does not fit"),
    '[health]\nchecks = [{ free = "/nix/store", at_least = "1M" }]': (
        "health.checks",
        "/nix/store is read-only and never has free space",
    ),
    '[health]\nchecks = [{ free = "/usr", at_least = "1M" }]': ("health.checks", "read-only"),
    '[health]\nchecks = [{ container = "broke" }]\n[containers.broker]\nimage = "oci:broker"': (
        "health.checks",
        "the system has no container broke",
    ),
    "[health]\nchecks = [{ status = 204 }]": ("health.checks", "expected a table with one of"),
    "[health]\nchecks = [{ tcp = 80, http = 80 }]": ("health.checks", "expected a table with one"),
    "[health]\nchecks = [{ tcp = 80, status = 204 }]": ("health.checks.status", "unknown option"),
}


@pytest.mark.parametrize("text", OF_A_SYSTEM)
def test_a_system_that_cannot_be_is_told(tmp_path: Path, text: str) -> None:
    (problem,) = mistakes(tmp_path, system=f"{text}\n")
    key, fact = OF_A_SYSTEM[text]
    assert problem.key == key
    assert fact in problem.fact
    assert problem.place.file.name == "default.toml"
    assert problem.place.line > 0


def test_what_fits_together_is_accepted(tmp_path: Path) -> None:
    machine = (
        'ssh.enable = true\ndisk.size = "2G"\n'
        '[boot]\nslot_size = "64M"\n[network.lan]\ndhcp = true\n'
        '[persist]\nshared = ["/var/lib/a"]\npaths = ["/var/lib/ab"]\n'
    )
    assert not mistakes(tmp_path, machine)
