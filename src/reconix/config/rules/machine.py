"""The default system exists, the disk holds its partitions, no port is forwarded twice.

Nor is anything both compressed and compared by the kernel; and what U-Boot must know is said.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.base.architecture import Architecture
from reconix.base.firmware import FirmwareKind
from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.firmware import SlotDeviceTree
from reconix.config.schema.hosts import Host
from reconix.config.schema.values import OneShot
from reconix.store.generation import Integrity

_MIN_SLOT_BYTES = 36 << 20
"""FAT32 has at least 65525 clusters (Microsoft's FAT specification 1.03, section 3.5)."""
_MIN_SYSTEM_BYTES = 64 << 20
_MIN_DATA_BYTES = 8 << 20
_MAX_RESERVED_BYTES = 64 << 20
_REPAIRED_BYTES = 34 * 512
_TABLES_BYTES = 4 << 20
"""For the partition tables at both ends of a disk, and for alignment."""


def check_machine(
    host: Host, table: Table, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """What must hold for a machine."""
    yield from _default_exists(host, table, tables, file)
    yield from _parts_are_large_enough(host, table, file)
    yield from _disk_holds_all(host, table, file)
    yield from _forwards_differ(host, table, file)
    yield from _packed_or_compared(host, table, file)
    yield from _fits_the_firmware(host, table, file)
    yield from _fits_the_device_tree(host, table, file)
    yield from _reserves_whole_mib(host, table, file)
    yield from _loaders_outlive_repairs(host, table, file)


def _default_exists(
    host: Host, table: Table, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """Asked of all systems that have a file, because one with errors exists as well."""
    name = host.machine.boot.default
    if name in host.nixos:
        place = place_of(table, "boot", "default", default=file)
        hint = "name a Debian system, and start this one with `reconix-device boot`"
        fact = f"system {name!r} is built by Nix: without the agent it cannot repair the device"
        yield Problem(place, "boot.default", fact, hint)
    elif name not in tables:
        place = place_of(table, "boot", "default", default=file)
        known = ", ".join(tables) or "none"
        hint = f"create systems/{name}.toml; this host has: {known}"
        yield Problem(place, "boot.default", f"unknown system {name!r}", hint)


def _parts_are_large_enough(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    for keys, size, least in (
        (("boot", "slot_size"), host.machine.boot.slot_size, _MIN_SLOT_BYTES),
        (("disk", "system_size"), host.machine.disk.system_size, _MIN_SYSTEM_BYTES),
        (("disk", "data_size"), host.machine.disk.new_data_size, _MIN_DATA_BYTES),
    ):
        if size < least:
            fact = f"{size} bytes is too small"
            hint = f'the minimum is "{least >> 20}M"'
            yield Problem(place_of(table, *keys, default=file), ".".join(keys), fact, hint)


def _disk_holds_all(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    boot, disk = host.machine.boot, host.machine.disk
    needed = boot.slots * boot.slot_size + disk.system_size + disk.new_data_size + _TABLES_BYTES
    needed += disk.reserved
    if disk.size is not None and disk.size < needed:
        place = place_of(table, "disk", "size", default=file)
        fact = f"slots, system and data need {needed} bytes, but the disk has {disk.size}"
        hint = f'set it to at least "{-(-needed >> 20)}M", or remove it'
        yield Problem(place, "disk.size", fact, hint)


def _fits_the_firmware(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    boot = host.machine.boot
    if boot.firmware is FirmwareKind.UEFI:
        if boot.load_base is not None:
            place = place_of(table, "boot", "load_base", default=file)
            fact = "UEFI chooses itself where a kernel goes"
            yield Problem(place, "boot.load_base", fact, 'remove it, or set firmware = "u-boot"')
        return
    place = place_of(table, "boot", "firmware", default=file)
    if host.architecture not in (Architecture.ARM64, Architecture.ARMHF):
        fact = f"there is no boot script for U-Boot on {host.architecture.value}"
        yield Problem(place, "boot.firmware", fact, "it must be arm64 or armhf")
    if boot.load_base is None:
        fact = "U-Boot must be told where in memory a kernel goes"
        yield Problem(place, "boot.firmware", fact, "set boot.load_base, or name a board")
    if boot.one_shot is OneShot.DISK:
        place = place_of(table, "boot", "one_shot", default=file)
        fact = "U-Boot needs no variables: the control sector is on the disk already"
        yield Problem(place, "boot.one_shot", fact, "remove it")


def _packed_or_compared(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    """What the kernel compares is a file of its own on the disk, and in a pack there are none."""
    disk = host.machine.disk
    if disk.compress and disk.integrity is Integrity.VERITY:
        place = place_of(table, "disk", "compress", default=file)
        fact = 'integrity = "verity" needs a file for each content, and a pack has all in one'
        yield Problem(place, "disk.compress", fact, "remove either of them")


def _reserves_whole_mib(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    reserved = host.machine.disk.reserved
    if reserved % (1 << 20) or reserved > _MAX_RESERVED_BYTES:
        place = place_of(table, "disk", "reserved", default=file)
        fact = f"{reserved} bytes cannot be reserved"
        hint = f'whole MiB, at most "{_MAX_RESERVED_BYTES >> 20}M"'
        yield Problem(place, "disk.reserved", fact, hint)


def _loaders_outlive_repairs(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    """UEFI firmware writes there when it repairs a partition table."""
    boot = host.machine.boot
    low = [each for each in boot.firmware_files if each.offset < _REPAIRED_BYTES]
    if low and boot.firmware is FirmwareKind.UEFI:
        place = place_of(table, "boot", "firmware_files", default=file)
        fact = f"UEFI writes to the first {_REPAIRED_BYTES} bytes of a disk itself"
        yield Problem(place, "boot.firmware_files", fact, "set a larger offset")


def _fits_the_device_tree(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    boot = host.machine.boot
    if boot.device_tree is not None and host.architecture is Architecture.AMD64:
        place = place_of(table, "boot", "device_tree", default=file)
        fact = f"kernels for {host.architecture.value} have no device trees"
        yield Problem(place, "boot.device_tree", fact, "remove it, or set architecture")
    copies = [each for each in boot.slot_files if isinstance(each, SlotDeviceTree)]
    if boot.device_tree is None and copies:
        place = place_of(table, "boot", "slot_files", default=file)
        fact = f"there is no device tree for {copies[0].device_tree}"
        yield Problem(place, "boot.slot_files", fact, "set boot.device_tree as well")
    if boot.device_tree is None and boot.disk is not None:
        place = place_of(table, "boot", "disk", default=file)
        fact = "there is no device tree that has it"
        yield Problem(place, "boot.disk", fact, "set boot.device_tree as well")
    if boot.device_tree is None and boot.device_tree_overlays:
        place = place_of(table, "boot", "device_tree_overlays", default=file)
        fact = "there is no device tree that they could change"
        yield Problem(place, "boot.device_tree_overlays", fact, "set boot.device_tree as well")


def _forwards_differ(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    forwards = host.machine.run.forward
    place = place_of(table, "run", "forward", default=file)
    names = [forward.name for forward in forwards]
    ports = [str(forward.host_port) for forward in forwards if forward.host_port]
    of_device = [str(forward.port) for forward in forwards]
    kinds = (("name", names), ("local port", ports), ("device port", of_device))
    for what, values in kinds:
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield Problem(place, "run.forward", f"{what} {value} is used twice")
