"""A device to make a history with: the real agent on a recorded disk, and a firmware.

What the agent changes on the disk is recorded, but for the data partition: a folder stands for it;
that has a workload of its own (``data_workload.py``). Firmware, boot loader and kernel are played:
the one-shots are taken before they are used, the table is read as a firmware reads it, and the
command line names the system of the generation that lies in the slot. So is systemd, as far as it
is asked about containers (``services.py``), and time, for which nobody waits.
Everything else is the agent's own code, in this process.

Tested by ``tests/crash/test_prover.py``.
"""

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reconix.base.clock import Clock
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, sync_folder
from reconix.boot.control import NOTHING, PARTITION, read_request
from reconix.boot.disk import Disk
from reconix.boot.gpt import SECTOR, Guid, Partition
from reconix.boot.loaders.loader import IMAGES
from reconix.boot.loaders.systemd_boot import Program, system_of_entry
from reconix.boot.loaders.u_boot import BOOTED
from reconix.boot.oneshots.disk import BEGUN, SECTORS
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.oneshots.load_option import parse_load_option, parse_text, print_text
from reconix.boot.oneshots.oneshot import Firmware
from reconix.boot.oneshots.u_boot import UBoot
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables
from reconix.boot.tables import BootMark, Selection, Slot, read_selection
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, holds, open_disk
from reconix.device.paths import Paths
from reconix.device.select.start import start
from reconix.device.settings import health
from reconix.device.state.lock import exclusive_rw
from reconix.prove.history import Asked, Step
from reconix.prove.oracle import Known
from reconix.prove.recorder import Recording
from reconix.prove.services import Services, played
from reconix.store.generation import Generation, InstalledSystem
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry

_MAX_RESTARTS = 8


class DoesNotBoot(ReconixError):
    """The device does not come up, without any power cut."""

    exit_code = 36


@dataclass(frozen=True, slots=True)
class WatchedFirmware:
    """A firmware that tells when the slot of the next boot changes."""

    inner: Firmware
    changed: Callable[[Guid | None], None]

    def booted_partition(self) -> Guid | None:
        """See ``OneShots``."""
        return self.inner.booted_partition()

    def arm(self, selection: Selection, slot: Slot, system: str) -> None:
        """See ``OneShots``; what is on the disk may be there before it is done."""
        if isinstance(self.inner, UBoot):
            self.changed(selection.tables.slot(slot).guid)
        self.inner.arm(selection, slot, system)
        self.changed(selection.tables.slot(slot).guid)

    def knows(self, selection: Selection, slot: Slot) -> bool:
        """See ``OneShots``."""
        return self.inner.knows(selection, slot)

    def next_slot(self, selection: Selection) -> Slot | None:
        """See ``OneShots``."""
        return self.inner.next_slot(selection)

    def disarm(self, system: str | None) -> None:
        """See ``OneShots``."""
        self.inner.disarm(system)
        self.changed(None)

    def ask_for(self, system: str | None) -> None:
        """See ``OneShots``."""
        self.inner.ask_for(system)

    def asked_for(self) -> str | None:
        """See ``OneShots``."""
        return self.inner.asked_for()

    def starts(self, systems: Sequence[str]) -> str | None:
        """See ``OneShots``."""
        return self.inner.starts(systems)

    def astray(self) -> str:
        """See ``OneShots``."""
        return self.inner.astray()

    def foreign_settings(self, slots: Slots, *, asked: Collection[str]) -> tuple[Setting, ...]:
        """See ``OneShots``."""
        return tuple(self.inner.foreign_settings(slots, asked=asked))

    def remove(self, setting: Setting) -> None:
        """See ``OneShots``."""
        self.inner.remove(setting)
        if setting.name in ("BootNext", PARTITION):
            self.changed(None)


class MarkedRegistry(Registry):
    """A registry that tells when a generation is to be installed, and whose health is played."""

    def __init__(self, system_root: Path, adding: Callable[[], None]) -> None:
        super().__init__(system_root)
        self._adding = adding

    def register(self, manifest: Manifest) -> None:
        """See ``Registry``."""
        self._adding()
        super().register(manifest)

    def read(self, path: StorePath, *names: str, limit_bytes: int) -> bytes:
        """See ``Registry``."""
        content = super().read(path, *names, limit_bytes=limit_bytes)
        return played(content) if names == (health.NAME,) else content


@dataclass(frozen=True, slots=True)
class MarkedDevice(Device):
    """A device whose registry is a marked one."""

    adding: Callable[[], None]

    @property
    def registry(self) -> Registry:
        """See ``Device``."""
        if not self._opened:
            self._opened.append(MarkedRegistry(self.paths.system, self.adding))
        return self._opened[0]


@dataclass
class Rig:
    """One device under recording, and what was done to it so far.

    Attributes:
        recording: its disk.
        folder: for what a device keeps in memory or in its firmware.
        known: the generations that may be on it.
    """

    recording: Recording
    folder: Path
    known: tuple[Known, ...]
    program: str = Program.AMD64.value
    steps: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    boots: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("run", "sys", "efivars", "proc/sys/kernel/random", "data"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.services = Services(
            self.folder / "services",
            self.recording.log,
            self.paths.changed_containers,
            tuple(shape for each in self.known for shape in each.shapes),
        )
        selection = self._selection()
        flashed = self._generation_in(selection.tables.slot(selection.slot))
        self.services.start(flashed.system(flashed.default).toplevel, position=0)

    @property
    def paths(self) -> Paths:
        """Where the agent finds everything."""
        return Paths(
            system=self.recording.system,
            run=self.folder / "run",
            sysfs=self.folder / "sys",
            efivars=self.folder / "efivars",
            proc=self.folder / "proc",
            dev=self.folder / "dev",
            data=self.folder / "data",
            disk=self.recording.disk,
            shared=False,
        )

    @property
    def device(self) -> Device:
        """The device as the agent sees it."""
        firmware = WatchedFirmware(self._firmware, self._changed)
        clock = Clock(now=lambda: self.seconds, pause=self._wait)
        return MarkedDevice(self.paths, firmware, self._mark, clock=clock)

    def do(
        self,
        name: str,
        work: Callable[[Device], object],
        *,
        installs: str = "",
        broken: StorePath | None = None,
    ) -> None:
        """Record one operation of the agent under a name.

        Args:
            name: of the operation.
            work: what is done.
            installs: the name of its last part, which installs a generation if that is not there.
            broken: an object with containers that do not start.
        """
        begin = self.recording.position()
        self.marks.clear()
        with self.recording.writable():
            with exclusive_rw(self.paths), self.services.played(broken=broken):
                work(self.device)
            acknowledged = self.recording.position()
        for mark in self.marks[:1] if installs else ():
            self.steps.append(Step(name, begin, mark, mark))
            name, begin = installs, mark
        self.steps.append(Step(name, begin, acknowledged, self.recording.position()))

    def boot(self, name: str) -> None:
        """Record what the agent does when the device starts, until it does not restart again."""
        begin = self.recording.position()
        with self.recording.writable():
            for _ in range(_MAX_RESTARTS):
                started = self._play_firmware()
                if self._play_initrd() and not start(self.device).restart:
                    self.services.start(started.toplevel, position=self.recording.position())
                    break
            else:
                raise DoesNotBoot("the device restarts for ever")
            acknowledged = self.recording.position()
        self.steps.append(Step(name, begin, acknowledged, self.recording.position()))

    # -- firmware, boot loader, kernel -------------------------------------------------------------

    @property
    def _variables(self) -> Variables:
        return Variables(self.paths.efivars)

    @property
    def _is_u_boot(self) -> bool:
        return self._selection().tables.mark is BootMark.U_BOOT

    @property
    def _firmware(self) -> Firmware:
        if self._is_u_boot:
            return UBoot(partial(open_disk, self.paths), self.paths.proc / "cmdline")
        return Uefi(self._variables, self.program)

    def _changed(self, guid: Guid | None) -> None:
        self.asked.append(Asked(self.recording.position(), guid.value if guid else None))

    def _wait(self, seconds: float) -> None:
        self.seconds += seconds

    def _mark(self) -> None:
        self.marks.append(self.recording.position())

    def _play_initrd(self) -> bool:
        """What it does about a trial that the disk remembers; whether the device goes on."""
        armed = self.device.disk_one_shot.read()
        if armed is None or self._selection().slot != armed.trial:
            return True
        if not armed.has_begun:
            (self.paths.disk_one_shot / BEGUN).touch()
            sync_folder(self.paths.disk_one_shot)
            return True
        folder = self.paths.disk_one_shot
        with open_disk(self.paths) as disk:
            for line in (folder / SECTORS).read_text().splitlines():
                lba, name = line.split()
                disk.write(int(lba) * SECTOR, (folder / name).read_bytes())
                disk.flush()
        return False

    def _selection(self) -> Selection:
        with open_disk(self.paths) as disk:
            return read_selection(disk)

    def _play_firmware(self) -> InstalledSystem:
        selection = self._selection()
        asked = (
            self._take_request(selection) if self._is_u_boot else self._take_variables(selection)
        )
        partition, name = asked
        generation = self._generation_in(partition)
        system = name if name in [each.name for each in generation.systems] else generation.default
        self.boots += 1
        remove_tree(self.paths.run)
        self.paths.run.mkdir()
        started = generation.system(system)
        images = ",".join(digest.hex() for digest in started.images)
        guid = str(partition.guid).lower()
        self._variables.set("LoaderDevicePartUUID", LOADER, print_text(guid))
        (self.paths.proc / "cmdline").write_text(
            f"init={started.toplevel}/init {IMAGES}{images} gpt panic=10 {BOOTED}{guid}\n"
        )
        (self.paths.run / "images").write_text(f"{images}\n")
        self.paths.boot_id.write_text(f"boot-{self.boots}\n")
        return started

    def _take_variables(self, selection: Selection) -> tuple[Partition, str | None]:
        """The slot and the system that UEFI and systemd-boot start, forgotten first."""
        partition = self._take_next(selection)
        entry = self._variables.get("LoaderEntryOneShot", LOADER)
        self._variables.remove("LoaderEntryOneShot", LOADER)
        return partition, system_of_entry(parse_text(entry)) if entry else None

    def _take_request(self, selection: Selection) -> tuple[Partition, str | None]:
        """The slot and the system that the script of U-Boot starts, forgotten first."""
        control = selection.tables.named(PARTITION)
        with open_disk(self.paths) as disk:
            request = read_request(disk, control)
            if request is not None:
                disk.write(control.first * SECTOR, NOTHING)
                self._forget(disk)
        self._changed(None)
        if request is None:
            return selection.tables.slot(selection.slot), None
        return selection.tables.slot(request.slot or selection.slot), request.system

    def _forget(self, disk: Disk) -> None:
        """What the script has written is kept before it is obeyed: U-Boot's disks write through."""
        disk.flush()

    def _take_next(self, selection: Selection) -> Partition:
        """The slot that boots; the one-shot is forgotten first."""
        chosen = self._variables.get("BootNext", GLOBAL)
        self._variables.remove("BootNext", GLOBAL)
        self._changed(None)
        if not chosen:
            return selection.tables.slot(selection.slot)
        (number,) = struct.unpack("<H", chosen)
        option = self._variables.get(f"Boot{number:04X}", GLOBAL)
        guid = parse_load_option(option).partition if option else None
        for slot in selection.tables.slots:
            if slot.guid == guid:
                return slot
        raise DoesNotBoot(f"the firmware was told to boot {guid}, which is not a slot")

    def _generation_in(self, partition: Partition) -> Generation:
        with open_disk(self.paths) as disk:
            for path in self.device.installed():
                generation = self.device.generation(path)
                if holds(PartitionView(disk, partition), generation.slot):
                    return generation
        raise DoesNotBoot(f"{partition.name} boots and holds no installed generation")
