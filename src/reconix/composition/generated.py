"""Which option a generated file below ``/etc`` comes from.

``files`` and ``units`` name their files themselves. What other options come to is known from the
name that the generator gives it; a test makes every kind of generated file and asks for each.

Tested by ``tests/unit/composition/test_generated.py``.
"""

import posixpath
import re
from dataclasses import dataclass

from reconix.build.units.unit_files import FOLDER
from reconix.composition import requests
from reconix.composition.requests import Request
from reconix.config.merge import Table
from reconix.config.schema.system import System

_LINKED = rf"{FOLDER}/[^/]+\.(wants|requires|upholds)/[^/]+"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: str
    what: str
    option: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Below ``/etc``, if such files of the configuration lead to it."""


_UNITS = rf"{FOLDER}/(?:[^/]+\.(?:wants|requires|upholds)/)?"
_RULES = (
    _Rule(r"hostname|hosts", "the name of the device", ("hostname",)),
    _Rule(r"machine-id", "the device's own identity is laid over it when it starts"),
    _Rule(r"(passwd|group|shadow|gshadow)", "all users and groups", ("users",)),
    _Rule(r"reconix/authorized_keys(/(?P<name>.*))?", "the keys that may log in", ("users",)),
    _Rule(r"tmpfiles\.d/00-reconix-users\.conf", "homes and the keys in them", ("users",)),
    _Rule(r"ssh/sshd_config\.d/00-reconix\.conf", "where sshd finds keys", ("users",)),
    _Rule(
        r"systemd/network(/(\d+-)?(?P<name>[^./]+)\..*)?",
        "networks, for systemd-networkd",
        ("network",),
    ),
    _Rule(r"resolv\.conf|systemd/resolved\.conf\.d/.*", "where names are found", ("network",)),
    _Rule(r"NetworkManager/.*", "what NetworkManager leaves alone", ("network",)),
    _Rule(r"sub[ug]id", "numbers for users in containers", ("users",)),
    _Rule(r"ssl/certs/.*", "who is trusted", ("certificates", "authorities")),
    _Rule(rf"{_UNITS}systemd-networkd.*", "what sets up networks", ("network",)),
    _Rule(
        rf"{_UNITS}(dbus-org\.freedesktop\.network1|systemd-network-.*)\..*",
        "what sets up networks",
        ("network",),
    ),
    _Rule(r"sysctl\.d/90-reconix\.conf", "settings of the kernel", ("sysctl",)),
    _Rule(r"modules-load\.d/reconix\.conf", "modules that are loaded", ("kernel", "modules")),
    _Rule(r"reconix/wifi(/(?P<name>.*)\.json)?", "a Wi-Fi network", ("network",)),
    _Rule(r"udev/rules\.d/85-reconix-wifi\.rules", "Wi-Fi networks", ("network",)),
    _Rule(rf"{_UNITS}reconix-wifi-(?P<name>[^@]*)@?\..*", "joining Wi-Fi networks", ("network",)),
    _Rule(
        rf"{_UNITS}reconix-libraries\..*", "finding libraries", files=("ld.so.conf", "ld.so.conf.d")
    ),
    _Rule(rf"{_UNITS}reconix-hardware\..*", "learning of hardware", files=("udev/hwdb.d",)),
    _Rule(rf"{_UNITS}reconix-(update|window)\..*", "when updates are looked for", ("update",)),
    _Rule(rf"{_UNITS}reconix-schedule\..*", "when which system runs", ("schedule",)),
    _Rule(rf"{FOLDER}/[^/]*\.d/reconix-secrets\.conf", "secrets for a unit", ("secrets",)),
    _Rule(rf"{_UNITS}reconix-scrub\..*", "looking for damage", ("disk", "scrub")),
    _Rule(rf"{FOLDER}/[^/]*\.(mount|automount)\.d/.*", "nothing unmounts it too early"),
    _Rule(rf"{_UNITS}[^/]*\.mount", "volumes", ("volumes",)),
    _Rule(rf"{_UNITS}reconix-.*|reconix/.*", "the agent"),
)
"""The first that fits; those of units are asked after what names the unit itself."""

EVERY_SYSTEM = "every system has it"


@dataclass(frozen=True, slots=True)
class Generated:
    """Where a generated file comes from."""

    what: str
    requests: tuple[Request, ...] = ()


def origin(system: System, machine: Table, table: Table, path: str) -> Generated:
    """Where a generated file or folder comes from.

    Args:
        system: machine and system file, merged.
        machine: what the machine's files say.
        table: the values that the system was made from.
        path: below ``/etc``.
    """
    asked = requests.for_files(table, path, f"/etc/{path}")
    if asked:
        return Generated("files of the configuration", asked)
    unit = posixpath.basename(path)
    if unit in system.units:
        return Generated(f"the unit {unit}", requests.for_option(table, "units", unit))
    return _of_service(system, table, path, unit) or _by_rule(machine, table, path)


def _of_service(system: System, table: Table, path: str, unit: str) -> Generated | None:
    """A link that starts a unit, or keeps it from being started."""
    if not path.startswith(f"{FOLDER}/"):
        return None
    for key, names in (
        ("mask", system.services.mask),
        ("disable", system.services.disable),
        ("enable", system.services.enable),
    ):
        if unit in names:
            asked = requests.for_item(table, "services", key, item=unit)
            return Generated(f"{unit}, which is {key}d", asked)
    return None


def _by_rule(machine: Table, table: Table, path: str) -> Generated:
    for rule in _RULES:
        found = re.fullmatch(rule.pattern, path)
        if found:
            return Generated(rule.what, _asked(machine, table, rule, found.groupdict().get("name")))
    if re.fullmatch(_LINKED, path):
        return Generated("a unit that is started with another one")
    return Generated(EVERY_SYSTEM)


def _asked(machine: Table, table: Table, rule: _Rule, name: str | None) -> tuple[Request, ...]:
    """Who asked for it: for the one of this name, if the option has one."""
    return (
        (requests.for_option(table, *rule.option, name) if name else ())
        or requests.for_option(table, *rule.option)
        or requests.for_option(machine, *rule.option)
        or requests.for_files(table, *rule.files)
    )
