"""What a host wants of the modules of its kernel."""

from pathlib import Path

from tests.config_projects import write

from reconix.base.digests import Digest
from reconix.build.minify import loaded_by_name
from reconix.build.minify.module_plan import WantedModules
from reconix.config.load import load
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.lock.packages import LockedPackage

LIST = "# a board\nvirtio:d1\n\npci:v1\n"


def wanted(folder: Path, package: str = "", **systems: str) -> WantedModules:
    write(folder, **systems)
    (folder / "board").write_text(LIST)
    (folder / "other").write_text("usb:v1\n")
    (host,) = load(folder).hosts.values()
    path = f"pool/main/{package}.deb"
    locked = LockedPackage(
        package or "none", "1", "amd64", 1, Digest.of(b""), "debian", path, "20260101T000000Z"
    )
    system = SystemLock((), (locked,), "linux", ())
    lock = HostLock("amd64", ("trixie",), ("main",), (), (), dict.fromkeys(host.systems, system))
    return loaded_by_name.wanted_modules(host, lock)


def minify(file: str, more: str = "") -> str:
    return f'[minify]\nenable = true\ndevices_files = ["../../../{file}"]\n{more}\n'


def test_devices_are_those_of_all_systems(tmp_path: Path) -> None:
    found = wanted(tmp_path, one=minify("board"), two=minify("other"))
    assert found.devices == ("pci:v1", "usb:v1", "virtio:d1")


def test_without_a_list_all_modules_stay(tmp_path: Path) -> None:
    assert not wanted(tmp_path / "none", one="minify.enable = true")
    assert not wanted(tmp_path / "off", one=minify("board").replace("true", "false"))


def test_names_come_from_the_initrd_the_configuration_and_programs(tmp_path: Path) -> None:
    texts = """
[services]
keep = ["sys-fs-fuse-connections.mount"]
enable = ["modprobe@dm_mod.service"]
[kernel]
modules = ["i6300esb"]
[network.lan]
vlan = 3
on = "eth0"
dhcp = true
[network.eth0]
dhcp = true
[units."srv-x.mount"]
text = "[Mount]\\nWhat=/dev/x\\nType=vfat\\n"
[units."x.service"]
text = "[Service]\\nExecStart=/sbin/modprobe -q snd-dummy\\n"
[files."modules-load.d/own.conf"]
text = "# mine\\nspidev\\n"
[files."systemd/network/t.netdev"]
text = "[NetDev]\\nName=t0\\nKind=tap\\n"
[files.fstab]
text = "# x\\n/dev/y /srv/y xfs defaults 0 0\\n"
"""
    keep = 'keep = ["module:tcp_diag", "/usr/bin/ss"]'
    names = dict(wanted(tmp_path, "nftables", one=minify("board", keep) + texts).names)
    assert names["overlay"] == "is loaded by the initrd"
    assert names["i6300esb"] == "is named in kernel.modules"
    assert names["8021q"] == "is for the network that is a VLAN"
    assert names["fs-vfat"] == names["nls_cp437"] == "is the type of a mount in srv-x.mount"
    assert names["snd-dummy"] == "is loaded by x.service"
    assert names["spidev"] == "is named in modules-load.d/own.conf"
    assert names["tun"] == "is a kind of network in systemd/network/t.netdev"
    assert names["fs-xfs"] == "is the type of a mount in fstab"
    assert names["fuse"] == "is for sys-fs-fuse-connections.mount"
    assert names["dm_mod"] == "is loaded by services"
    assert names["nft_*"] == "is asked for by nftables"
    assert names["tcp_diag"] == "is named in minify.keep"
    assert "mine" not in names
    assert "/usr/bin/ss" not in names
