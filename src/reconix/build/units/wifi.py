"""Wi-Fi: a unit for each network and adapter, which runs wpa_supplicant.

An adapter may come at any time, and its name is known only then. So udev starts the unit, an
instance for each adapter whose name fits ``match``; systemd-networkd gives it an address, as it
does with every other interface. What wpa_supplicant is told is put together when the unit starts
(``device/settings/wifi.py``).

Source: udev(7); systemd.device(5), *SYSTEMD_WANTS=*.
Tested by ``tests/unit/build/units/test_wifi.py``, ``tests/compat/test_wifi.py`` and, with radios of
the kernel's simulator, ``tests/vm/test_wifi.py``.
"""

from collections.abc import Mapping

from reconix.build.agent.units import AGENT
from reconix.build.templates import fill
from reconix.config.schema.system import Network, System, wifi_unit
from reconix.device.settings.wifi import Wifi
from reconix.store.tree import File

RULES = "udev/rules.d/85-reconix-wifi.rules"
"""After 80-net-setup-link.rules, which gives interfaces their names."""
OF_THE_PACKAGE = "wpa_supplicant.service"
"""It waits on D-Bus for somebody who tells it what to do; nobody does."""


def make_units(system: System) -> dict[str, bytes]:
    """The units, by name."""
    return {
        wifi_unit(name): fill("units/reconix-wifi.service", network=name, agent=AGENT).encode()
        for name in sorted(system.wifi)
    }


def make_files(system: System) -> dict[str, File]:
    """What they read, and what starts them, by path below ``/etc``."""
    if not system.wifi:
        return {}
    said = {
        f"reconix/wifi/{name}.json": File(_wifi(network).print())
        for name, network in sorted(system.wifi.items())
    }
    return {**said, RULES: File(_rules(system.wifi).encode())}


def _wifi(network: Network) -> Wifi:
    assert network.ssid is not None
    return Wifi(network.ssid, network.country, network.password_secret)


def _rules(networks: Mapping[str, Network]) -> str:
    """The name of an interface is that of the kernel until a rule has given it another one."""
    lines = []
    for name, network in sorted(networks.items()):
        pattern = network.match or name
        unit = wifi_unit(name).replace("@.", "@$name.")
        wants = f'ENV{{SYSTEMD_WANTS}}+="{unit}"'
        adapter = 'ACTION!="remove", SUBSYSTEM=="net", ENV{DEVTYPE}=="wlan"'
        lines += [f'{adapter}, NAME=="?*", NAME=="{pattern}", {wants}']
        lines += [f'{adapter}, NAME=="", KERNEL=="{pattern}", {wants}']
    return "".join(f"{line}\n" for line in lines)
