"""Foreign settings: what firmware and boot loader obey, and our agent has not set.

The memory of a firmware outlives the disk. Another system that was once installed on the machine,
or somebody with ``bootctl`` or ``efibootmgr``, may have left there that the loader waits in its
menu, that it starts another entry by default, that the firmware boots another disk first. A device
that obeys does what nobody who built it has said, and nobody is there to press a key.

So whatever is obeyed and not ours is removed, and told:

=======================  ===========================================================================
of systemd-boot          how it shows its menu, and what it starts by default: nothing of ours is
                         among these
``LoaderEntryOneShot``   if it names another system than the agent has asked for
``BootNext``             if it is there when a system has started: it was meant for this boot, or
                         for one that has been decided otherwise
``BootOrder``            options for a slot that the table does not select: the table would mean
                         nothing. And options that start a file of another disk and stand before the
                         one that was taken this time: what did not start now may the next time.
                         Options after it, and those that name no file, stay
``Timeout``              if the firmware is told to wait for ever
``OsIndications``        if it is told to show its menu
=======================  ===========================================================================

An option that is out of the order is still in the firmware's menu. What keeps the device from ever
starting our agent, the agent cannot remove: ``docs/flashing.md`` says what to look for then.

Source: UEFI Specification 2.10, sections 3.1.2, 3.1.3, 3.3, 8.5.4; systemd, *The Boot Loader
Interface* and sd-boot's *boot.c*.
Tested by ``tests/unit/boot/oneshots/test_foreign_settings.py``; on OVMF and systemd-boot by
``tests/vm/test_soft_reboot.py``.
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from reconix.base.records import dataclass
from reconix.boot.gpt import Guid
from reconix.boot.loaders.systemd_boot import entry_name
from reconix.boot.oneshots.load_option import (
    ForeignLoadOption,
    Started,
    parse_load_option,
    parse_started,
    parse_text,
)
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables

_MENU = "how long the boot loader waits in its menu"
_STARTS = "what the boot loader starts"
_LOADER_SETTINGS = {
    "LoaderConfigConsoleMode": "the mode of the boot loader's console",
    "LoaderConfigTimeout": _MENU,
    "LoaderConfigTimeoutOneShot": _MENU,
    "LoaderEntryDefault": _STARTS,
    "LoaderEntryPreferred": _STARTS,
    "LoaderEntrySysFail": "what the boot loader starts after a failure of the machine",
}
_ONE_SHOT, _NEXT, _ORDER, _CURRENT = "LoaderEntryOneShot", "BootNext", "BootOrder", "BootCurrent"
_PATTERNS = (_ONE_SHOT, "LoaderEntryPreferred", "LoaderEntryDefault")
"""What names an entry, by a pattern, in the order in which systemd-boot asks."""

_TIMEOUT, _FOR_EVER = "Timeout", b"\xff\xff"
_INDICATIONS, _SHOW_MENU = "OsIndications", 1
_NO_WAIT = ("0", "menu-hidden", "menu-disabled")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that another program has made.

    Attributes:
        name: the variable.
        vendor: whose variable it is.
        effect: what it decides, and how; with text of others in it.
        instead: the value that it should have; None: none.
    """

    name: str
    vendor: str
    effect: str
    instead: bytes | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.effect}"


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a device, by the GUID of their partitions."""

    selected: Guid | None
    all: Collection[Guid]


def find(variables: Variables, slots: Slots, *, asked: Collection[str]) -> tuple[Setting, ...]:
    """What is obeyed and not ours, when a system has just started.

    Args:
        variables: of the firmware.
        slots: of the device.
        asked: the systems that the agent may have asked for at the next boot.
    """
    return (
        *_loader(variables, asked),
        *_next(variables),
        *_order(variables, slots),
        *_menus(variables),
    )


def remove(variables: Variables, setting: Setting) -> None:
    """Take a setting away.

    Raises:
        FirmwareRefuses: it is still there.
    """
    if setting.instead is None:
        variables.remove(setting.name, setting.vendor)
    else:
        variables.set(setting.name, setting.vendor, setting.instead)


def starts(variables: Variables, systems: Sequence[str]) -> str | None:
    """The system that the boot loader starts next, if it was told one; patterns are obeyed."""
    for name in _PATTERNS:
        pattern = _text(variables, name)
        for system in sorted(systems, reverse=True):  # as systemd-boot sorts its entries
            if pattern and fnmatchcase(entry_name(system), pattern):
                return system
    return None


def astray(variables: Variables, booted: Guid | None, *, program: str) -> str:
    """Why the next boot will not be of a slot and system, but something else; nothing: it will.

    Args:
        variables: of the firmware.
        booted: the partition from which this boot was.
        program: the loader in a slot.
    """
    next_one = _numbers(variables.get(_NEXT, GLOBAL))
    if next_one and not _is_ours(variables, next_one[0], program):
        return f"the firmware boots {_described(variables, next_one[0])} (BootNext)"
    for each in [*_order(variables, Slots(booted, ())), *_menus(variables)]:
        return str(each)
    return _waits(variables)


def _is_ours(variables: Variables, number: int, program: str) -> bool:
    content = variables.get(f"Boot{number:04X}", GLOBAL)
    try:
        return content is not None and parse_load_option(content).path == program
    except ForeignLoadOption:
        return False


def _waits(variables: Variables) -> str:
    for name in ("LoaderConfigTimeoutOneShot", "LoaderConfigTimeout"):
        value = _text(variables, name)
        if value is not None:  # the first one that is there decides
            return (
                "" if value in _NO_WAIT else f"the boot loader waits in its menu ({name}: {value})"
            )
    return ""


def _loader(variables: Variables, asked: Collection[str]) -> Iterator[Setting]:
    for name, effect in _LOADER_SETTINGS.items():
        value = variables.get(name, LOADER)
        if value is not None:
            yield Setting(name, LOADER, f"{effect} ({_text(variables, name) or value.hex()})")
    entry = _text(variables, _ONE_SHOT)
    if entry is not None and entry not in map(entry_name, asked):
        yield Setting(_ONE_SHOT, LOADER, f"{_STARTS}, once ({entry})")


def _next(variables: Variables) -> Iterator[Setting]:
    value = variables.get(_NEXT, GLOBAL)
    if value is not None:
        number = int.from_bytes(value[:2], "little")
        yield Setting(
            _NEXT, GLOBAL, f"what the firmware boots next ({_described(variables, number)})"
        )


def _menus(variables: Variables) -> Iterator[Setting]:
    if variables.get(_TIMEOUT, GLOBAL) == _FOR_EVER:
        yield Setting(_TIMEOUT, GLOBAL, "the firmware waits in its menu for ever")
    value = variables.get(_INDICATIONS, GLOBAL)
    if value is not None and int.from_bytes(value, "little") & _SHOW_MENU:
        kept = int.from_bytes(value, "little") & ~_SHOW_MENU
        instead = kept.to_bytes(len(value), "little") if kept else None
        yield Setting(_INDICATIONS, GLOBAL, "the firmware shows its menu next", instead)


def _order(variables: Variables, slots: Slots) -> Iterator[Setting]:
    order = _numbers(variables.get(_ORDER, GLOBAL))
    current = _numbers(variables.get(_CURRENT, GLOBAL))
    before = order[: order.index(current[0])] if current and current[0] in order else ()
    others = {number for number in order if _is_other(variables, number, slots, number in before)}
    if others:
        kept = [number for number in order if number not in others]
        named = ", ".join(_described(variables, number) for number in order if number in others)
        yield Setting(
            _ORDER,
            GLOBAL,
            f"what the firmware boots before the selected slot, or instead of it ({named})",
            struct.pack(f"<{len(kept)}H", *kept) if kept else None,
        )


def _is_other(variables: Variables, number: int, slots: Slots, is_before: bool) -> bool:
    """Whether an option starts what the table does not select."""
    found = _started(variables, number)
    if found is None or found.partition == slots.selected:
        return False
    return found.partition in slots.all or is_before


def _started(variables: Variables, number: int) -> Started | None:
    content = variables.get(f"Boot{number:04X}", GLOBAL)
    try:
        return parse_started(content) if content is not None else None
    except ForeignLoadOption:
        return None


def _described(variables: Variables, number: int) -> str:
    found = _started(variables, number)
    return f"Boot{number:04X} {found.description}, {found.path}" if found else f"Boot{number:04X}"


def _numbers(value: bytes | None) -> tuple[int, ...]:
    found = value or b""
    return struct.unpack(f"<{len(found) // 2}H", found[: len(found) // 2 * 2])


def _text(variables: Variables, name: str) -> str | None:
    value = variables.get(name, LOADER)
    try:
        return parse_text(value) if value is not None else None
    except UnicodeDecodeError:
        return None
