"""What must hold between options: mistakes that no option shows alone.

Each rule is a small function that gives the problems it finds. It is told the result, which is easy
to judge, and the merged values, which know where everything was written.
"""

import itertools
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from reconix.base.address import Address, Refused
from reconix.base.files import BadFile, read_text
from reconix.base.http import Proxy
from reconix.config.merge import List, Scalar, Table, Value, dotted
from reconix.config.problems import Place, Problem
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.hosts import Host
from reconix.config.schema.nixos import Nixos
from reconix.config.schema.project import Project
from reconix.config.schema.system import Content, File, System

MIN_SLOT_BYTES = 36 << 20
"""FAT32 has at least 65525 clusters (Microsoft's FAT specification 1.03, section 3.5)."""
MIN_SYSTEM_BYTES = 64 << 20
MIN_DATA_BYTES = 8 << 20
TABLES_BYTES = 4 << 20
"""For the partition tables at both ends of a disk, and for alignment."""
FIRST_UID, LAST_UID = 100, 59999
"""What is not given for ever, nor by systemd (Debian Policy 9.2.2)."""
_CLOCKS = {"chrony.service", "systemd-timesyncd.service"}
_HOLD_OTHERS = tuple(map(PurePosixPath, ("/", "/etc", "/etc/systemd", "/etc/systemd/system")))
_NEVER_KEPT = (
    "/etc/reconix",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/nix",
    "/boot",
    "/run",
    "/dev",
    "/proc",
    "/sys",
)
_MAX_CERTIFICATE_BYTES = 1 << 20
_IS_INTERFACE = re.compile(r"[A-Za-z0-9_-]{1,15}")
"""What the kernel takes as a name (IFNAMSIZ), and no pattern."""
_IS_LOCKED = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def place_of(table: Table, *keys: str, default: Place) -> Place:
    """Where an option was set, or what contains it if it was not."""
    value: Value = table
    place = default
    for key in keys:
        found = value.entries.get(key) if isinstance(value, Table) else None
        if found is None:
            return place
        value, place = found, _place(found, place)
    return place


def place_of_item(table: Table, *keys: str, item: object, default: Place) -> Place:
    """Where an item of a list was written, or the default."""
    value: Value | None = table
    for key in keys:
        value = value.entries.get(key) if isinstance(value, Table) else None
    items = value.items if isinstance(value, List) else ()
    return next((each.place for each in items if each.value == item), default)


def _place(value: Value, default: Place) -> Place:
    if isinstance(value, Scalar):
        return value.settings[-1].place if value.settings else default
    place = value.added[-1].place if isinstance(value, List) and value.added else value.place
    return place if place.line else default


def about_project(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for what all hosts share."""
    for path in project.update.authorities_files:
        try:
            ssl.create_default_context(cadata=read_text(path, _MAX_CERTIFICATE_BYTES))
        except (BadFile, ssl.SSLError, ValueError):
            place = place_of(table, "update", "authorities_files", default=file)
            hint = "write PEM, which begins with -----BEGIN CERTIFICATE-----"
            fact = f"{path} holds no certificate"
            yield Problem(place, "update.authorities_files", fact, hint)
    yield from _servers_can_be_asked(project, table, file)


def _servers_can_be_asked(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """What stands there may hold a password, so it is not repeated."""
    parsers: dict[str, Callable[[str], object]] = {"url": Address.parse, "proxy": Proxy.parse}
    for key, text in (("url", project.update.url), ("proxy", project.update.proxy)):
        try:
            if text is not None:
                parsers[key](text)
        except Refused as error:
            place = place_of(table, "update", key, default=file)
            yield Problem(place, f"update.{key}", str(error), "write http://host:port")


def about_host(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for a machine and between its systems."""
    yield from _default_exists(host, table, file)
    yield from _parts_are_large_enough(host, table, file)
    yield from _disk_holds_all(host, table, file)
    yield from _forwards_differ(host, table, file)


def about_system(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold within one system."""
    yield from _content_is_said_once(system.files, "files", table, file)
    yield from _content_is_said_once(system.units, "units", table, file)
    yield from _interfaces_have_addresses(system, table, file)
    yield from _virtual_interfaces_stand_on_others(system, table, file)
    yield from _users_have_numbers_of_their_own(system, table, file)
    yield from _persisted_folders_are_apart(system, table, file)
    yield from _what_decides_is_not_persisted(system, table, file)
    yield from _units_are_wanted_or_not(system, table, file)
    yield from _one_program_sets_the_clock(system, table, file)
    yield from _health_fits_the_trial(system, table, file)
    yield from _volumes_are_apart(system, table, file)
    yield from _images_are_locked(system, table, file)


def about_nix_system(nixos: Nixos, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for a system that Nix built."""
    for key, value in table.entries.items():
        if key != "nix":
            hint = "write it in the configuration of NixOS, or remove nix"
            yield Problem(
                _place(value, file), key, "Nix built this system: nothing adds to it", hint
            )
    place = place_of(table, "nix", default=file)
    if (nixos.path is None) == (nixos.flake is None):
        said = "neither path nor flake" if nixos.path is None else "path and flake"
        yield Problem(place, "nix", f"has {said}", "write one of the two")
    if (nixos.flake is None) != (nixos.attribute is None):
        missing, there = ("attribute", "flake") if nixos.flake else ("flake", "attribute")
        yield Problem(place, "nix", f"has {there} without {missing}", f"add {missing}")
    if nixos.specialisation is not None and nixos.all_specialisations:
        fact = "has one specialisation and all of them"
        yield Problem(place, "nix", fact, "remove specialisation or all_specialisations")


def _default_exists(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    name = host.machine.boot.default
    if name in host.nixos:
        place = place_of(table, "boot", "default", default=file)
        hint = "name one of Debian's, and choose this one with `reconix-device boot`"
        fact = f"Nix built the system {name!r}: without the agent it cannot mend the device"
        yield Problem(place, "boot.default", fact, hint)
    elif name not in host.systems:
        place = place_of(table, "boot", "default", default=file)
        known = ", ".join(host.systems) or "none"
        hint = f"write systems/{name}.toml; the systems of this host are: {known}"
        yield Problem(place, "boot.default", f"there is no system {name!r}", hint)


def _parts_are_large_enough(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    for keys, size, least in (
        (("boot", "slot_size"), host.machine.boot.slot_size, MIN_SLOT_BYTES),
        (("disk", "system_size"), host.machine.disk.system_size, MIN_SYSTEM_BYTES),
        (("disk", "data_size"), host.machine.disk.data_size, MIN_DATA_BYTES),
    ):
        if size < least:
            fact = f"{size} bytes are too small"
            hint = f'the smallest that works is "{least >> 20}M"'
            yield Problem(place_of(table, *keys, default=file), ".".join(keys), fact, hint)


def _disk_holds_all(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    boot, disk = host.machine.boot, host.machine.disk
    needed = boot.slots * boot.slot_size + disk.system_size + disk.data_size + TABLES_BYTES
    if disk.size is not None and disk.size < needed:
        place = place_of(table, "disk", "size", default=file)
        fact = f"slots, system and data need {needed} bytes, the disk has {disk.size}"
        hint = f'write at least "{-(-needed >> 20)}M", or leave the size out'
        yield Problem(place, "disk.size", fact, hint)


def _forwards_differ(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    forwards = host.machine.run.forward
    place = place_of(table, "run", "forward", default=file)
    names = [forward.name for forward in forwards]
    ports = [str(forward.host_port) for forward in forwards if forward.host_port]
    of_device = [str(forward.port) for forward in forwards]
    kinds = (("name", names), ("port here", ports), ("port of the device", of_device))
    for what, values in kinds:
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield Problem(place, "run.forward", f"the {what} {value} stands twice")


def _content_is_said_once(
    contents: Mapping[str, Content], option: str, table: Table, file: Place
) -> Iterator[Problem]:
    for name, content in contents.items():
        kinds = ("text", "source", "link") if isinstance(content, File) else ("text", "source")
        said = [kind for kind in kinds if getattr(content, kind) is not None]
        if len(said) != 1:
            fact = f"has {' and '.join(said)}" if said else f"has neither {' nor '.join(kinds)}"
            place = place_of(table, option, name, default=file)
            yield Problem(place, dotted(option, name), fact, "write one of them")


def _interfaces_have_addresses(system: System, table: Table, file: Place) -> Iterator[Problem]:
    carrying = {network.on for network in system.network.values()}
    joined = {member for network in system.network.values() for member in network.bridge}
    for name, network in system.network.items():
        addressed = network.dhcp or bool(network.address)
        place = place_of(table, "network", name, default=file)
        if not addressed and name not in carrying | joined:
            hint = "write dhcp = true, or an address"
            yield Problem(place, dotted("network", name), "has no way to get an address", hint)
        if addressed and name in joined:
            hint = "the bridge has the address of all that it joins"
            yield Problem(place, dotted("network", name), "is part of a bridge", hint)


def _virtual_interfaces_stand_on_others(
    system: System, table: Table, file: Place
) -> Iterator[Problem]:
    for name, network in system.network.items():
        key, place = dotted("network", name), place_of(table, "network", name, default=file)
        if (network.vlan is None) != (network.on is None):
            yield Problem(place, key, "vlan and on belong together", "write both, or none")
        if network.vlan is not None and network.bridge:
            yield Problem(place, key, "is a VLAN and a bridge", "make it two tables")
        if network.is_virtual and (network.match or not _IS_INTERFACE.fullmatch(name)):
            fact = "a new interface is called as its table: at most 15 letters, digits, - and _"
            yield Problem(place, key, fact, "rename the table, and leave match out")
        for other in (*network.bridge, *((network.on,) if network.on else ())):
            if other not in system.network or other == name:
                known = ", ".join(sorted(system.network.keys() - {name})) or "none"
                fact = f"stands on {other}, which is no other network"
                yield Problem(place, key, fact, f"the networks are: {known}")


def _users_have_numbers_of_their_own(
    system: System, table: Table, file: Place
) -> Iterator[Problem]:
    users = [
        (name, user.uid) for name, user in sorted(system.users.items()) if user.uid is not None
    ]
    for name, uid in users:
        place = place_of(table, "users", name, "uid", default=file)
        if (uid == 0) != (name == "root"):
            fact = "root has the number 0, and nobody else"
            yield Problem(place, f"users.{name}.uid", fact, "leave uid out")
        elif uid and not FIRST_UID <= uid <= LAST_UID:
            fact = f"{uid} is for Debian or systemd to give"
            hint = f"choose one from {FIRST_UID} to {LAST_UID}, best from 1000 on"
            yield Problem(place, f"users.{name}.uid", fact, hint)
    for (one, first), (other, second) in itertools.combinations(users, 2):
        if first == second:
            place = place_of(table, "users", other, "uid", default=file)
            yield Problem(place, f"users.{other}.uid", f"is that of {one}", "choose another number")


def _persisted_folders_are_apart(system: System, table: Table, file: Place) -> Iterator[Problem]:
    persist = system.persist
    paths = [("shared", path) for path in persist.shared] + [("paths", p) for p in persist.paths]
    for (_, one), (option, other) in itertools.permutations(paths, 2):
        inside = PurePosixPath(other).is_relative_to(one)
        if inside and (one != other or option == "paths"):
            place = place_of(table, "persist", option, default=file)
            fact = f"{other} is persisted already: {one}"
            hint = f'keep one of the two: persist.{option} = {{ remove = ["{other}"] }}'
            yield Problem(place, f"persist.{option}", fact, hint)


def _what_decides_is_not_persisted(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for option in ("shared", "paths"):
        for path in getattr(system.persist, option):
            if _is_of_the_generation(PurePosixPath(path)):
                place = place_of_item(table, "persist", option, item=path, default=file)
                fact = f"{path} belongs to the generation or to the running system"
                hint = "kept, it would hide what an update brings; name the folder of one program"
                yield Problem(place, f"persist.{option}", fact, hint)


def _is_of_the_generation(path: PurePosixPath) -> bool:
    """Whether keeping it would decide instead of the configuration: who exists, what runs."""
    return path in _HOLD_OTHERS or any(path.is_relative_to(each) for each in _NEVER_KEPT)


def _units_are_wanted_or_not(system: System, table: Table, file: Place) -> Iterator[Problem]:
    checked = {check.unit for check in system.health.checks if isinstance(check, UnitCheck)}
    for unit in sorted(set(system.services.enable) & set(system.services.disable)):
        place = place_of(table, "services", "disable", default=file)
        yield Problem(
            place, "services.disable", f"{unit} is enabled as well", "keep one of the two"
        )
    for option, wanted in (
        ("services.enable", set(system.services.enable)),
        ("health.checks", checked),
    ):
        for unit in sorted(wanted & set(system.services.mask)):
            place = place_of(table, *option.split("."), default=file)
            hint = "take it out of services.mask, or out of here"
            yield Problem(place, option, f"{unit} is masked and can never start", hint)


def _one_program_sets_the_clock(system: System, table: Table, file: Place) -> Iterator[Problem]:
    if set(system.services.enable) >= _CLOCKS:
        place = place_of(table, "services", "enable", default=file)
        fact = f"{' and '.join(sorted(_CLOCKS))} would both set the clock"
        yield Problem(place, "services.enable", fact, "leave out time.ntp or chrony")


def _health_fits_the_trial(system: System, table: Table, file: Place) -> Iterator[Problem]:
    if system.health.timeout >= system.update.trial_timeout:
        place = place_of(table, "health", "timeout", default=file)
        fact = f"{system.health.timeout} s leave no time to confirm"
        hint = f"update.trial_timeout is {system.update.trial_timeout} s and must be longer"
        yield Problem(place, "health.timeout", fact, hint)
    if system.health.stable >= system.health.timeout:
        place = place_of(table, "health", "stable", default=file)
        fact = f"{system.health.stable} s of good health do not fit"
        hint = f"health.timeout is {system.health.timeout} s and must be longer"
        yield Problem(place, "health.stable", fact, hint)


def _volumes_are_apart(system: System, table: Table, file: Place) -> Iterator[Problem]:
    taken = [("persist", path) for path in (*system.persist.shared, *system.persist.paths)]
    for name, volume in sorted(system.volumes.items()):
        key, place = dotted("volumes", name), place_of(table, "volumes", name, default=file)
        if volume.device is not None and volume.size is not None:
            hint = "leave out size, or leave out device for a volume in memory"
            yield Problem(place, key, "has a size, but a disk is as large as it is", hint)
        for other, path in taken:
            if PurePosixPath(volume.path) == PurePosixPath(path):
                fact = f"{path} is that of {other} as well"
                yield Problem(place, key, fact, "each has a path of its own")
        taken.append((key, volume.path))


def _images_are_locked(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for name, container in system.containers.items():
        if not _IS_LOCKED.search(container.image):
            place = place_of(table, "containers", name, "image", default=file)
            fact = "is not locked: the same name may be another image tomorrow"
            hint = f"name its content: {container.image.partition('@')[0]}@sha256:…"
            yield Problem(place, f"{dotted('containers', name)}.image", fact, hint)
