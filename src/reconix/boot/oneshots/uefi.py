"""UEFI with systemd-boot: one boot from another slot, one boot of another system.

``BootNext`` names a load option and is forgotten by the firmware before it is tried: so a trial
happens once, whatever comes of it. Each slot gets one load option of its own, found again by the
GUID of its partition. The options stand in no boot order; without ``BootNext`` the firmware boots
what it always boots, the EFI system partition of the selected table, and needs no variable at all.

``LoaderEntryOneShot`` names an entry of systemd-boot and is forgotten by systemd-boot in the same
way. In the other direction systemd-boot leaves the GUID of the partition that it was loaded from.

Source: UEFI Specification 2.10, section 3.3; systemd, *The Boot Loader Interface*.
Tested by ``tests/unit/boot/oneshots/test_uefi.py``, and on OVMF by
``tests/vm/test_firmware_and_slots.py``.
"""

import re
import struct
from collections.abc import Collection, Sequence

from reconix.base.records import dataclass
from reconix.boot.gpt import BadPartitionTable, Guid
from reconix.boot.loaders.systemd_boot import entry_name, system_of_entry
from reconix.boot.oneshots import foreign_settings
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.oneshots.load_option import (
    ForeignLoadOption,
    LoadOption,
    parse_load_option,
    parse_text,
    print_load_option,
    print_text,
)
from reconix.boot.oneshots.variables import GLOBAL, LOADER, FirmwareRefuses, Variables
from reconix.boot.tables import Selection, Slot, slot_name

_OPTION = re.compile(r"Boot([0-9A-F]{4})")
_NEXT = "BootNext"
_ONE_SHOT = "LoaderEntryOneShot"
_PARTITION = "LoaderDevicePartUUID"
_MAX_OPTIONS = 1 << 16


@dataclass(frozen=True, slots=True)
class Uefi:
    """The one-shots of a UEFI firmware.

    Args:
        variables: of the firmware.
        program: the loader in a slot, for instance ``EFI/BOOT/BOOTX64.EFI``.
    """

    variables: Variables
    program: str

    def booted_partition(self) -> Guid | None:
        """The partition from which the boot loader was loaded, if it tells."""
        text = self._text(_PARTITION)
        try:
            return Guid.parse(text) if text else None
        except BadPartitionTable:
            return None

    def arm(self, selection: Selection, slot: Slot, system: str) -> None:
        """See ``OneShots``. What needs most memory is written first, and what arms it last.

        Raises:
            FirmwareRefuses: it cannot be told. What it was told for the next boot is as before.
        """
        wanted = self._option_for(selection, slot)
        option = self._option_of(wanted.partition)
        if option is None:
            option = self._free_option()
        self.variables.set(f"Boot{option:04X}", GLOBAL, print_load_option(wanted))
        before = self.variables.get(_ONE_SHOT, LOADER)
        try:
            self.ask_for(system)
            self.variables.set(_NEXT, GLOBAL, struct.pack("<H", option))
        except FirmwareRefuses:
            try:
                self.variables.remove(_NEXT, GLOBAL)
            finally:
                self._restore(before)
            raise

    def _option_for(self, selection: Selection, slot: Slot) -> LoadOption:
        """The load option of a slot, with its number in the table that is selected now."""
        partition = selection.tables.slot(slot)
        guids = [each.guid for each in selection.tables.partitions(selection.slot)]
        number = 1 + guids.index(partition.guid)
        name, first = slot_name(slot), partition.first
        return LoadOption(name, number, first, partition.sectors, partition.guid, self.program)

    def _restore(self, one_shot: bytes | None) -> None:
        self.variables.remove(_ONE_SHOT, LOADER)
        if one_shot is not None:
            self.variables.set(_ONE_SHOT, LOADER, one_shot)

    def knows(self, selection: Selection, slot: Slot) -> bool:
        """See ``OneShots``: whether there still is a load option of ours for a slot.

        It is kept over any number of boots. So if it is gone after one, the firmware forgets.
        """
        return self._option_of(selection.tables.slot(slot).guid) is not None

    def next_slot(self, selection: Selection) -> Slot | None:
        """See ``OneShots``; a load option that is not ours is none."""
        value = self.variables.get(_NEXT, GLOBAL)
        if value is None or len(value) != 2:
            return None
        found = self._load_option(int.from_bytes(value, "little"))
        if found is None or found.path != self.program:
            return None
        return selection.tables.slot_with(found.partition)

    def disarm(self, system: str | None) -> None:
        """See ``OneShots``.

        Raises:
            FirmwareRefuses: it cannot be told.
        """
        self.variables.remove(_NEXT, GLOBAL)
        if self.asked_for() != system:
            self.ask_for(system)

    def ask_for(self, system: str | None) -> None:
        """Start this system at the next boot, or the default one.

        Raises:
            FirmwareRefuses: it cannot be told.
        """
        if system is None:
            self.variables.remove(_ONE_SHOT, LOADER)
        else:
            self.variables.set(_ONE_SHOT, LOADER, print_text(entry_name(system)))

    def asked_for(self) -> str | None:
        """The system that was asked for at the next boot."""
        entry = self._text(_ONE_SHOT)
        return system_of_entry(entry) if entry else None

    def starts(self, systems: Sequence[str]) -> str | None:
        """The system that the boot loader starts next, if it was told one, by whomever."""
        return foreign_settings.starts(self.variables, systems)

    def astray(self) -> str:
        """Why the next boot will not be of a slot and system; nothing: it will."""
        return foreign_settings.astray(
            self.variables, self.booted_partition(), program=self.program
        )

    def foreign_settings(self, slots: Slots, *, asked: Collection[str]) -> tuple[Setting, ...]:
        """What is obeyed and not ours, when a system has just started."""
        return foreign_settings.find(self.variables, slots, asked=asked)

    def remove(self, setting: Setting) -> None:
        """Take a setting of somebody else away.

        Raises:
            FirmwareRefuses: it is still there.
        """
        foreign_settings.remove(self.variables, setting)

    def _text(self, name: str) -> str | None:
        value = self.variables.get(name, LOADER)
        try:
            return parse_text(value) if value is not None else None
        except UnicodeDecodeError:
            return None

    def _option_of(self, partition: Guid) -> int | None:
        for number in self._options():
            found = self._load_option(number)
            if found and found.partition == partition and found.path == self.program:
                return number
        return None

    def _options(self) -> list[int]:
        names = self.variables.names(GLOBAL)
        return [int(match[1], 16) for name in names if (match := _OPTION.fullmatch(name))]

    def _free_option(self) -> int:
        used = set(self._options())
        for number in range(_MAX_OPTIONS):
            if number not in used:
                return number
        raise FirmwareRefuses("Boot####", why="all numbers are taken")

    def _load_option(self, number: int) -> LoadOption | None:
        content = self.variables.get(f"Boot{number:04X}", GLOBAL)
        try:
            return parse_load_option(content) if content is not None else None
        except ForeignLoadOption:
            return None
