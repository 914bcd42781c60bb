"""Where the agent finds things: one value, so that all of it can be moved aside.

On a device these are fixed paths. A test makes its own below a temporary folder: a file with a
real partition table in place of a disk, a plain folder in place of the system partition, files in
place of firmware variables. The code under test is the same.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of one device.

    Attributes:
        system: the system partition: ``nix/store`` and ``reconix``. Mounted read-only.
        root: of the system that runs.
        run: what is known about this boot; gone at the next.
        sysfs: devices, and whether there is UEFI.
        efivars: the variables of the firmware.
        proc: command line and identity of this boot, and the last way to restart.
        dev: device nodes.
        data: what persists, of all systems.
        disk: the whole disk with the slots; ``None`` to look for the one that holds ``system``.
        shared: whether ``system`` is mounted read-only for everybody, so that it takes a mount
            namespace of our own to write there.
    """

    system: Path = Path("/run/reconix/system")
    root: Path = Path("/")
    run: Path = Path("/run/reconix")
    sysfs: Path = Path("/sys")
    efivars: Path = Path("/sys/firmware/efi/efivars")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    data: Path = Path("/run/reconix/data")
    disk: Path | None = None
    shared: bool = True

    @property
    def store(self) -> Path:
        """The store where it can be written, in a mount namespace of our own."""
        return self.system / "nix" / "store"

    @property
    def manifests(self) -> Path:
        """The manifests of the installed generations."""
        return self.home / "generations"

    @property
    def home(self) -> Path:
        """The folder of the agent's durable files."""
        return self.system / "reconix"

    @property
    def state(self) -> Path:
        """What the agent must remember."""
        return self.home / "state.json"

    @property
    def ledger(self) -> Path:
        """What must not be forgotten, whichever agent runs."""
        return self.home / "ledger"

    @property
    def trust(self) -> Path:
        """What the agent remembers about whose updates it takes."""
        return self.home / "trust.json"

    @property
    def spool(self) -> Path:
        """What arrived of a stream so far."""
        return self.home / "spool"

    @property
    def choice(self) -> Path:
        """Which system was asked for."""
        return self.home / "choice.json"

    @property
    def disk_one_shot(self) -> Path:
        """What leads back from a trial that needs no variable of the firmware."""
        return self.home / "way-back"

    @property
    def waiting(self) -> Path:
        """Until when a generation is not tried again by itself."""
        return self.home / "waiting.json"

    @property
    def hardware(self) -> Path:
        """What the hardware of the disk is called; a copy has this, and another hardware."""
        return self.home / "hardware"

    @property
    def log(self) -> Path:
        """What happened, the last of it."""
        return self.home / "log"

    @property
    def booted(self) -> Path:
        """What was found out about this boot."""
        return self.run / "booted.json"

    @property
    def lock(self) -> Path:
        """What is locked by who works on the device."""
        return self.run / "lock"

    @property
    def faults(self) -> Path:
        """What could not be done when the root of this system was made."""
        return self.run / "faults"

    @property
    def known_faults(self) -> Path:
        """The faults that a trial is not to be blamed for."""
        return self.home / "faults"

    @property
    def known_identity(self) -> Path:
        """The digest of an identity that was verified once."""
        return self.home / "identity"

    @property
    def running(self) -> Path:
        """A link to the toplevel of the system whose root this is."""
        return self.root / "nix/system"

    @property
    def next_system(self) -> Path:
        """The toplevel that a soft reboot is to start."""
        return self.run / "next"

    @property
    def soft_reboot_target(self) -> Path:
        """The toplevel that a soft reboot has started, until that has shown that it is healthy."""
        return self.run / "switched"

    @property
    def soft_reboots(self) -> Path:
        """How many soft reboots there were since the kernel was started."""
        return self.run / "switches"

    @property
    def is_chosen(self) -> Path:
        """There when the system that runs was asked for, and not for a trial."""
        return self.run / "chosen"

    @property
    def is_confirmed(self) -> Path:
        """There when the system that runs was confirmed, as far as the schedule is concerned."""
        return self.run / "confirmed"

    @property
    def schedule(self) -> Path:
        """What the schedule wanted when the agent last looked."""
        return self.run / "schedule"

    @property
    def last_check(self) -> Path:
        """When an index of updates was read last, and what it offered."""
        return self.run / "looked.json"

    @property
    def resting(self) -> Path:
        """What the schedule wanted when it was left because nobody confirmed it."""
        return self.home / "resting"

    @property
    def is_committed(self) -> Path:
        """There when this boot is not a trial; the last thing that a broken agent is asked for."""
        return self.run / "committed"

    @property
    def is_unproven(self) -> Path:
        """There when what runs must show that it is healthy."""
        return self.run / "unproven"

    @property
    def discarded(self) -> Path:
        """There when the initrd has set something aside that is to be deleted."""
        return self.run / "discarded"

    @property
    def boot_id(self) -> Path:
        """The kernel's random name for this boot."""
        return self.proc / "sys/kernel/random/boot_id"
