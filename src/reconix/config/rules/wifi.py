"""A Wi-Fi network has a password or is open; its adapter needs a driver and firmware.

Tested by ``tests/unit/config/rules/test_wifi.py``.
"""

import re
from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.project import Archive
from reconix.config.schema.system import Network, System

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,40}")
_OTHERS = frozenset({"network-manager", "iwd", "connman", "wicd-daemon"})
_COMPONENT = "non-free-firmware"
_ADAPTERS = {
    "firmware-iwlwifi": "Intel",
    "firmware-realtek": "Realtek",
    "firmware-brcm80211": "Broadcom, Raspberry Pi",
    "firmware-atheros": "Qualcomm",
    "firmware-mediatek": "MediaTek",
    "firmware-libertas": "Marvell, NXP",
    "firmware-ti-connectivity": "Texas Instruments",
}
"""Firmware of Wi-Fi adapters in Debian, and whose they are."""
_NOT_FREE = {
    *_ADAPTERS,
    *("firmware-misc-nonfree", "firmware-linux", "firmware-linux-nonfree", "firmware-zd1211"),
    *("firmware-ipw2x00", "firmware-qcom-soc", "firmware-samsung", "firmware-bnx2"),
    *("firmware-bnx2x", "firmware-amd-graphics", "firmware-intel-graphics", "raspi-firmware"),
    *("firmware-intel-misc", "firmware-intel-sound", "firmware-nvidia-graphics"),
    *("firmware-sof-signed", "firmware-cavium", "firmware-qlogic", "firmware-netxen"),
    *("firmware-myricom", "firmware-netronome", "firmware-siano", "bluez-firmware"),
    *("intel-microcode", "amd64-microcode"),
}
"""What is in the component ``non-free-firmware`` of trixie, and in no other."""


def check_wifi(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the Wi-Fi networks of a system."""
    adapters: dict[str, str] = {}
    for name, network in system.network.items():
        key, place = dotted("network", name), place_of(table, "network", name, default=file)
        for fact, hint in _mistakes(name, network):
            yield Problem(place, key, fact, hint)
        if network.ssid is not None:
            pattern = network.match or name
            other = adapters.setdefault(pattern, name)
            if other != name:
                fact = f"is for the adapters {pattern!r}, which join {other}"
                yield Problem(place, key, fact, "give each an adapter of its own: match")


def _mistakes(name: str, network: Network) -> Iterator[tuple[str, str]]:
    if network.ssid is None:
        of_wifi = (network.password_secret, network.country, network.open or None)
        if any(value is not None for value in of_wifi):
            yield "has settings of Wi-Fi, but no ssid", 'set ssid = "…", or remove them'
        return
    if (network.password_secret is None) != network.open:
        fact = "is both open and with a password" if network.open else "has no password"
        yield fact, 'set password_secret = "NAME", or open = true'
    if network.is_virtual:
        yield "is Wi-Fi, and a VLAN or a bridge", "use two tables"
    if not _PLAIN.fullmatch(name):
        fact = "a Wi-Fi network has a table with a plain name: letters, digits, - and _"
        yield fact, f'rename the table, and set match = "{name}"'


def check_bridged_wifi(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """An access point takes frames of the adapter itself only: nothing behind a bridge."""
    for name, network in system.network.items():
        for member in network.bridge:
            if member in system.wifi:
                place = place_of(table, "network", name, default=file)
                fact = f"{member} is Wi-Fi, and no access point lets a bridge in"
                yield Problem(place, dotted("network", name), fact, "route instead")


def check_firmware(
    system: System, archive: Archive, table: Table, file: Place
) -> Iterator[Problem]:
    """Firmware that is in a component which the project does not take packages from."""
    if _COMPONENT in archive.components:
        return
    for package in system.packages:
        if package in _NOT_FREE:
            place = place_of_item(table, "packages", item=package, default=file)
            fact = f"{package} is in the component {_COMPONENT} of the archive, which is not used"
            hint = f'in reconix.toml: archive.components = ["main", "{_COMPONENT}"]'
            yield Problem(place, "packages", fact, hint)


def warn_about_wifi(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Wi-Fi for which no adapter is likely to work."""
    if not system.wifi:
        return
    name = min(system.wifi)
    place = place_of(table, "network", name, default=file)
    if "-cloud-" in system.kernel.package:
        fact = f"{system.kernel.package} has no drivers for Wi-Fi"
        hint = f"use {system.kernel.package.replace('-cloud', '')}"
        yield Problem(place_of(table, "kernel", "package", default=place), "kernel", fact, hint)
    for other in sorted(_OTHERS & set(system.packages)):
        fact = f"{other} joins Wi-Fi networks as well, and both would use the adapter"
        hint = f"remove one of the two, or tell {other} to leave the adapter alone"
        listed = place_of_item(table, "packages", item=other, default=place)
        yield Problem(listed, "packages", fact, hint)
    if not any(package.startswith("firmware-") for package in system.packages):
        known = ", ".join(f"{package} ({whose})" for package, whose in _ADAPTERS.items())
        fact = "no firmware is installed, and most adapters need some"
        hint = f"add to packages what yours needs: {known}; they are in {_COMPONENT}"
        yield Problem(place, dotted("network", name), fact, hint)
