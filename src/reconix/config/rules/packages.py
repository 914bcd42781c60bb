"""Packages that need another one to be of use, that get in each other's way, or that do nothing.

What a package recommends is not installed (``packages`` says so), and mostly nobody misses it.
Here are those that teams miss: without its companion a package starts, and fails its user later,
far away. So ``reconix check`` tells it. It knows what is written, not what a package brings along:
a companion that comes by itself may be told all the same, and naming it costs nothing.

Tested by ``tests/unit/config/rules/test_packages.py``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconix.config.merge import Table
from reconix.config.origins import place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import RESOLVER, System


@dataclass(frozen=True, slots=True)
class _Companion:
    """What a package lacks without another one.

    Attributes:
        of: the package.
        names: any of these will do; the first is advised.
        fact: what does not work.
    """

    of: str
    names: tuple[str, ...]
    fact: str


_COMPANIONS = (
    _Companion("iputils-ping", ("linux-sysctl-defaults",), "only root can use ping"),
    _Companion("podman", ("netavark",), "containers have no network"),
    _Companion("podman", ("nftables", "iptables"), "containers have no network"),
    _Companion("podman", ("uidmap",), "only root can run containers"),
    _Companion("podman", ("passt", "slirp4netns"), "containers of users have no network"),
    _Companion("docker.io", ("docker-cli",), "there is no command `docker`"),
    _Companion("rsyslog", ("logrotate",), "its logs grow without end"),
    _Companion("avahi-daemon", ("libnss-mdns",), "programs do not find names in .local"),
)

_NEWEST = "updates are generations: reconix lock takes the newest packages"
_USELESS = {
    **dict.fromkeys(
        (
            *("unattended-upgrades", "apt-listchanges", "apt-listbugs", "needrestart", "apticron"),
            *("cron-apt", "packagekit", "apt-file", "aptitude", "apt-xapian-index", "debsecan"),
            *("update-notifier-common", "reportbug", "popularity-contest"),
        ),
        _NEWEST,
    ),
    **dict.fromkeys(
        ("grub-pc", "grub-efi-amd64", "grub-efi-arm64", "flash-kernel", "kexec-tools"),
        "the boot partition is built from the generation",
    ),
    **dict.fromkeys(("initramfs-tools", "dracut"), "the initrd is reconix's own"),
    "dkms": "the kernel is taken from its package: name one that has the module",
    "etckeeper": "/etc belongs to the generation: keep the project in git",
    "cloud-init": "/etc belongs to the generation: use files, users and network",
    "snapd": "it installs programs beside the generation: name their packages",
}
"""They look after what is installed one by one on other machines; the hint says what does here."""


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two programs that want the same.

    Attributes:
        of: the package that is told about.
        other: whether the system has the other one.
        settled: a file below ``/etc`` and a line in it, after which there is peace.
        fact: what happens.
        hint: what to do.
    """

    of: str
    other: Callable[[System], bool]
    settled: tuple[tuple[str, str], ...]
    fact: str
    hint: str


def _has_resolver(system: System) -> bool:
    off = {*system.services.disable, *system.services.mask}
    return RESOLVER in system.packages and f"{RESOLVER}.service" not in off


def _has_dropbear_on_22(system: System) -> bool:
    return "dropbear" in system.packages and system.ports.get("22") == "ssh"


_CLASHES = (
    _Clash(
        "dnsmasq",
        _has_resolver,
        (
            (r"dnsmasq\.(conf|d/.+)", r"bind-(interfaces|dynamic)|port=0"),
            (r"systemd/resolved\.conf(\.d/.+)?", r"DNSStubListener=(no|false|0)"),
        ),
        f"listens on port 53 as {RESOLVER} does, and does not start",
        'set files."dnsmasq.d/own.conf".text = "bind-interfaces\\n", or network.NAME.names = false',
    ),
    _Clash(
        "openssh-server",
        _has_dropbear_on_22,
        ((r"ssh/sshd_config(\.d/.+)?", r"Port\s+(?!22$)\d+"),),
        "listens on port 22 as dropbear does, and only one of them starts",
        'set ssh.port, or files."ssh/sshd_config.d/10-port.conf".text = "Port 2222\\n"',
    ),
)


def warn_about_packages(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Packages that do not do what they are there for."""
    for package, fact, hint in (*_lonely(system), *_clashing(system), *_useless(system)):
        place = place_of_item(table, "packages", item=package, default=file)
        yield Problem(place, "packages", f"{package} {fact}", hint)


def _lonely(system: System) -> Iterator[tuple[str, str, str]]:
    for each in _COMPANIONS:
        if each.of in system.packages and not set(each.names) & set(system.packages):
            yield each.of, f"is without {each.names[0]}: {each.fact}", f'add "{each.names[0]}"'


def _clashing(system: System) -> Iterator[tuple[str, str, str]]:
    for each in _CLASHES:
        is_settled = any(_says(system, path, line) for path, line in each.settled)
        if each.of in system.packages and each.other(system) and not is_settled:
            yield each.of, each.fact, each.hint


def _says(system: System, path: str, line: str) -> bool:
    """Whether a file of the configuration has a line."""
    return any(
        re.search(rf"^\s*(?:{line})\s*$", each.read().decode(errors="replace"), re.MULTILINE)
        for name, each in system.files.items()
        if re.fullmatch(path, name) and each.link is None and each.is_there
    )


def _useless(system: System) -> Iterator[tuple[str, str, str]]:
    for package in system.packages:
        if package in _USELESS:
            yield package, "does nothing on a device", _USELESS[package]
