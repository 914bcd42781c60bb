"""Every file that the agent knows: one value, so that all of it can be moved aside.

Each docstring ends with who writes the file and how long it lives: *kept*, over any number of
boots; *boot*, until the kernel is started again; *system*, until another system runs, also by a
soft reboot. Its readers, and what lies there besides, are in the table of ``docs/spec/agent.md``.

On a device these are fixed paths. A test makes its own below a temporary folder: a file with a
real partition table in place of a disk, a plain folder in place of the system partition, files in
place of firmware variables. The code under test is the same.
"""

from pathlib import Path

from reconix.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of one device.

    Attributes:
        system: the system partition: ``pool``, ``images`` and ``reconix``. Mounted read-only.
        root: of the system that runs.
        run: what is known about this boot; gone at the next.
        sysfs: devices, and whether there is UEFI.
        efivars: the variables of the firmware.
        proc: command line and identity of this boot, and the last way to restart.
        dev: device nodes.
        data: what persists, of all systems.
        credentials: what systemd has given to units.
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
    credentials: Path = Path("/run/credentials")
    disk: Path | None = None
    shared: bool = True

    @property
    def pool(self) -> Path:
        """The contents of all files, by digest. receive, collect; kept."""
        return self.system / "pool"

    @property
    def images(self) -> Path:
        """Names and metadata of the trees of objects. receive, collect; kept."""
        return self.system / "images"

    @property
    def packs(self) -> Path:
        """Contents of the first image, where they are mounted. The initrd, ``leave``; boot."""
        return self.run / "packs"

    @property
    def home(self) -> Path:
        """The folder of the agent's durable files; kept."""
        return self.system / "reconix"

    @property
    def layout(self) -> Path:
        """The number of how all this is arranged. The first image; kept."""
        return self.home / "layout"

    @property
    def manifests(self) -> Path:
        """A manifest for each installed generation. receive, collect; kept."""
        return self.home / "generations"

    @property
    def state(self) -> Path:
        """What is committed, on trial, and how the last trial ended. Each step; kept."""
        return self.home / "state.json"

    @property
    def ledger(self) -> Path:
        """What must not be lost, whichever agent runs. Before ``state`` and ``trust``; kept."""
        return self.home / "ledger"

    @property
    def trust(self) -> Path:
        """Which updates are taken from now on. receive, confirm; kept."""
        return self.home / "trust.json"

    @property
    def spool(self) -> Path:
        """What has arrived of a stream so far. receive, update; until the stream is complete."""
        return self.home / "spool"

    @property
    def choice(self) -> Path:
        """Which system was asked for, once or always. boot, schedule, start, watch, apply; kept."""
        return self.home / "choice.json"

    @property
    def disk_one_shot(self) -> Path:
        """What leads back from a trial that needs no variable. apply; until the trial has ended."""
        return self.home / "way-back"

    @property
    def waiting(self) -> Path:
        """Until when a generation is not retried. update --unattended; kept."""
        return self.home / "waiting.json"

    @property
    def scrub(self) -> Path:
        """How far everything was read, and what was damaged. scrub, receive; kept."""
        return self.home / "scrub.json"

    @property
    def missed(self) -> Path:
        """What the last trial asked for and minify took. watch; until another trial ends."""
        return self.home / "missed.json"

    @property
    def hardware(self) -> Path:
        """What the hardware of the disk is called; a copy is on another. start; kept."""
        return self.home / "hardware"

    @property
    def log(self) -> Path:
        """The last events. Each step that counts; kept."""
        return self.home / "log"

    @property
    def known_faults(self) -> Path:
        """The faults that a trial is not to be blamed for. apply; kept."""
        return self.home / "faults"

    @property
    def known_identity(self) -> Path:
        """The digest of an identity that was verified once. apply-identity; kept."""
        return self.home / "identity"

    @property
    def resting(self) -> Path:
        """What the schedule wanted when nobody confirmed it. schedule; until it wants another."""
        return self.home / "resting"

    @property
    def secrets(self) -> Path:
        """The values of secrets, by name. secrets receive, the first image; until a reset."""
        return self.data / "secrets"

    @property
    def device_key(self) -> Path:
        """32 random bytes that no other device has. The first image, start, make-key; kept."""
        return self.data / "device-key"

    @property
    def secrets_lock(self) -> Path:
        """What a command locks that changes a secret. The first of them; boot."""
        return self.run / "secrets-lock"

    @property
    def lock(self) -> Path:
        """What a command locks that changes the device. The first of them; boot."""
        return self.run / "lock"

    @property
    def booted(self) -> Path:
        """What runs, and why. start; system."""
        return self.run / "booted.json"

    @property
    def faults(self) -> Path:
        """What could not be done when this root was made. The initrd, ``switch``; system."""
        return self.run / "faults"

    @property
    def containers(self) -> Path:
        """A folder for each container, with what its health check found. ``container``; system."""
        return self.run / "containers"

    @property
    def changed_containers(self) -> Path:
        """A link to what an update without a restart has brought. apply; system."""
        return self.containers / "current"

    @property
    def crun(self) -> Path:
        """What crun knows of the containers that run, a folder for each. crun; system."""
        return self.run / "crun"

    @property
    def container_objects(self) -> Path:
        """Copies of the objects that it leads to. apply; system."""
        return self.containers / "objects"

    @property
    def more_images(self) -> Path:
        """Images of such containers that the system was not started with. apply; system."""
        return self.run / "images.more"

    @property
    def adopted(self) -> Path:
        """The slot that what runs belongs to since an update that did not touch it. apply; boot."""
        return self.run / "adopted"

    @property
    def is_committed(self) -> Path:
        """There when this boot is no trial. start; boot."""
        return self.run / "committed"

    @property
    def is_unproven(self) -> Path:
        """There when what runs must show that it is healthy. start; system."""
        return self.run / "unproven"

    @property
    def is_chosen(self) -> Path:
        """There when the system that runs was asked for, and not for a trial. start; system."""
        return self.run / "chosen"

    @property
    def is_confirmed(self) -> Path:
        """There when the system that runs was confirmed. confirm; system."""
        return self.run / "confirmed"

    @property
    def schedule(self) -> Path:
        """What the schedule wanted when the agent checked last. schedule; boot."""
        return self.run / "schedule"

    @property
    def last_check(self) -> Path:
        """When an index of updates was read last, and what it offered. update; boot."""
        return self.run / "looked.json"

    @property
    def scrub_now(self) -> Path:
        """The same as it is now. scrub, receive; boot."""
        return self.run / "scrub.json"

    @property
    def next_system(self) -> Path:
        """The system that a soft reboot is to start. boot, schedule; until ``switch`` runs."""
        return self.run / "next"

    @property
    def soft_reboot_target(self) -> Path:
        """The toplevel that a soft reboot has started. ``switch``; until that is healthy."""
        return self.run / "switched"

    @property
    def live(self) -> Path:
        """The generation that runs and is not committed. live; boot."""
        return self.run / "live"

    @property
    def soft_reboots(self) -> Path:
        """The number of soft reboots since the kernel was started. ``switch``; boot."""
        return self.run / "switches"

    @property
    def discarded(self) -> Path:
        """There when a factory reset has set something aside. The initrd; boot."""
        return self.run / "discarded"

    @property
    def running(self) -> Path:
        """A link to the toplevel that runs. The initrd, ``switch``; system."""
        return self.root / "nix/system"

    @property
    def tracing(self) -> Path:
        """What the kernel can be asked to write down. The kernel; boot."""
        return self.sysfs / "kernel/tracing"

    @property
    def boot_id(self) -> Path:
        """The kernel's random name for this boot. The kernel; boot."""
        return self.proc / "sys/kernel/random/boot_id"
