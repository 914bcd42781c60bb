"""The modules of the kernel that nobody's device asks for: they are loaded by a name.

The initrd loads them, the configuration names them - in ``modules-load.d``, as the type of a mount,
as a kind of network - or a program asks for them, which only who knows the program can tell. What
programs ask for stands here by their packages; a container's count as well as the system's.

Source: modules-load.d(5), systemd.mount(5), fstab(5), systemd.netdev(5); the programs themselves.
Tested by ``tests/unit/build/minify/test_loaded_by_name.py``.
"""

import re
from collections.abc import Iterator, Mapping

from reconix.base.files import read_text
from reconix.build.boot.initrd import NEEDED_MODULES, WELCOME_MODULES
from reconix.build.minify.module_plan import WantedModules
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.schema.content import Content
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.schema.values import MAX_SOURCE_BYTES

_MODULE = "module:"
_LOAD_LIST = re.compile(r"(?:/?etc/|/usr/lib/)?modules-load\.d/[^/]+\.conf|modules")
_TYPE = re.compile(r"(?m)^Type=([\w.-]+)\s*$")
_FSTAB = re.compile(r"(?m)^[^#\s]\S*\s+\S+\s+([\w.,-]+)\s")
_KIND = re.compile(r"(?m)^Kind=(\w+)\s*$")
_LOADED = re.compile(r"\bmodprobe(?:\s+-\S+)*\s+([\w-]+)|\bmodprobe@([\w-]+)\.service")

_NET_DEVICES = {"vlan": "8021q", "bond": "bonding", "tap": "tun"}
"""Kinds of virtual network interfaces whose module has another name."""
_FAT = ("vfat", "nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859-1")
_FILTER = ("nf_tables", "nfnetlink", "nft_*", "nf_nat*", "nf_conntrack*", "nf_reject*", "nf_log*")
_TABLES = ("ip_tables", "ip6_tables", "x_tables", "xt_*", "iptable_*", "ip6table_*", "ipt_*")
_RADIO = ("cfg80211", "mac80211", "ccm", "ctr", "cmac", "gcm", "ecb", "arc4")
_OF_UNITS = {
    "sys-fs-fuse-connections.mount": ("fuse",),
    "sys-kernel-config.mount": ("configfs",),
}
_WITH_NAMES = {"vfat": _FAT, "msdos": _FAT}

OF_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "bluez": ("bluetooth", "bnep", "hidp", "rfcomm", "uhid", "algif_*", "af_alg"),
    "btrfs-progs": ("btrfs",),
    "can-utils": ("can", "can_*", "vcan", "slcan"),
    "cifs-utils": ("cifs",),
    "cryptsetup-bin": ("dm_crypt", "xts", "cbc", "essiv", "algif_skcipher", "af_alg"),
    "dosfstools": _FAT,
    "exfatprogs": ("exfat",),
    "f2fs-tools": ("f2fs",),
    "fuse3": ("fuse", "cuse"),
    "i2c-tools": ("i2c_dev",),
    "iptables": (*_TABLES, *_FILTER),
    "iwd": (*_RADIO, "algif_*", "af_alg", "pkcs8_key_parser"),
    "lvm2": ("dm_mod", "dm_snapshot", "dm_mirror", "dm_thin_pool", "dm_raid"),
    "mdadm": ("md_mod", "raid0", "raid1", "raid10", "raid456"),
    "nfs-common": ("nfs", "nfsv3", "nfsv4", "rpcsec_gss_krb5"),
    "nftables": _FILTER,
    "ntfs-3g": ("fuse",),
    "openvpn": ("tun", "ovpn"),
    "ppp": ("ppp_*", "pppoe", "pppox", "slhc"),
    "qemu-guest-agent": ("virtio_console",),
    "sshfs": ("fuse",),
    "systemd": ("autofs4",),
    "watchdog": ("softdog",),
    "wireguard-tools": ("wireguard",),
    "wpasupplicant": _RADIO,
    "xfsprogs": ("xfs",),
    "zram-tools": ("zram", "lz4", "zstd"),
}
"""The modules that the programs of a package ask for, by name or by making a device."""


def wanted_modules(host: Host, lock: HostLock) -> WantedModules:
    """What a host says about modules: all of its systems together.

    Args:
        host: as configured.
        lock: what its systems consist of.
    """
    devices = {each for system in host.systems.values() for each in _devices(system)}
    names: dict[str, str] = {}
    for name, system in sorted(host.systems.items()):
        for module, how in _names(system, lock.systems.get(name)):
            names.setdefault(module, how)
    return WantedModules(tuple(sorted(devices)), tuple(sorted(names.items())))


def kept(system: System) -> tuple[str, ...]:
    """The modules that ``minify.keep`` names."""
    return tuple(
        each.removeprefix(_MODULE) for each in system.minify.keep if each.startswith(_MODULE)
    )


def _devices(system: System) -> Iterator[str]:
    if system.minify.enable:
        for file in system.minify.devices_files:
            lines = read_text(file, MAX_SOURCE_BYTES).splitlines()
            yield from (line.strip() for line in lines if line.strip() and line[0] != "#")


def _names(system: System, lock: SystemLock | None) -> Iterator[tuple[str, str]]:
    for module in (*WELCOME_MODULES, *NEEDED_MODULES, *system.kernel.initrd_modules):
        yield module, "is loaded by the initrd"
    for module in system.kernel.modules:
        yield module, "is named in kernel.modules"
    yield from ((module, "is named in minify.keep") for module in kept(system))
    for unit in (*system.services.keep, *system.services.enable):
        yield from _of_text("services", unit)
        yield from ((each, f"is for {unit}") for each in _OF_UNITS.get(unit, ()))
    yield from _of_networks(system)
    for path, content in sorted(_texts(system).items()):
        yield from _of_text(path, content.read().decode(errors="replace"))
    for package in sorted(_packages(lock)):
        yield from ((each, f"is asked for by {package}") for each in OF_PROGRAMS.get(package, ()))


def _of_networks(system: System) -> Iterator[tuple[str, str]]:
    if any(network.vlan is not None for network in system.network.values()):
        yield "8021q", "is for the network that is a VLAN"
    if any(network.bridge for network in system.network.values()):
        yield "bridge", "is for the network that is a bridge"
    if any(container.needs_network for container in system.containers.values()):
        for module in ("veth", *_FILTER):
            yield module, "is for the networks of containers"


def _texts(system: System) -> Mapping[str, Content]:
    found: dict[str, Content] = {**system.files, **system.units}
    return {name: content for name, content in found.items() if content.is_there}


def _of_text(path: str, text: str) -> Iterator[tuple[str, str]]:
    if _LOAD_LIST.fullmatch(path):
        lines = (line.strip() for line in text.splitlines())
        yield from (
            (each, f"is named in {path}") for each in lines if each[:1] not in ("", "#", ";")
        )
    if path.endswith(".mount") or path == "fstab":
        types = (_TYPE if path.endswith(".mount") else _FSTAB).findall(text)
        for each in types:
            for name in (f"fs-{each}", *_WITH_NAMES.get(each, ())):
                yield name, f"is the type of a mount in {path}"
    if path.endswith(".netdev"):
        for kind in _KIND.findall(text):
            yield _NET_DEVICES.get(kind, kind), f"is a kind of network in {path}"
    for found in _LOADED.findall(text):
        yield "".join(found), f"is loaded by {path}"


def _packages(lock: SystemLock | None) -> set[str]:
    if lock is None:
        return set()
    inner = (each for container in lock.containers.values() for each in container.packages)
    return {each.name for each in (*lock.packages, *inner)}
