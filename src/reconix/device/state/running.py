"""What runs: which slot the firmware took, which generation that is, and which of its systems.

The slot is known from the firmware: the boot loader leaves the GUID of the partition that it was
loaded from. The toplevel is said by the root itself, in the link ``/nix/system`` that was made with
it; a root that has none, such as one of NixOS, was started by the kernel, whose command line names
it, ``init=<toplevel>/init``. After a soft reboot the two differ
(``device/select/soft_reboot.py``). The generation is the one that the agent's state has for the
slot. All must fit together; what does not is left open rather than guessed.

The result is written to ``/run/reconix/booted.json`` once a boot, and as ``KEY=value`` lines to
``/run/reconix/booted`` for shell scripts and ``EnvironmentFile=``.

Tested by ``tests/unit/device/state/test_running.py``.
"""

from enum import Enum
from pathlib import Path

from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass, replace
from reconix.boot.tables import Slot
from reconix.boot.trial import SlotContent
from reconix.device.paths import Paths
from reconix.store.paths import BadStorePath, StorePath

MAX_BYTES = 1 << 16


class UnknownBoot(ReconixError):
    """What runs is unknown."""

    exit_code = 75


class BootReason(Enum):
    """Why this runs."""

    COMMITTED = "committed"  # the default
    TRIAL = "trial"
    FELL_BACK = "fell-back"  # the trial before has ended; its verdict is the reason
    INTERRUPTED = "trial-interrupted"  # the trial is repeated at once
    ONCE = "once"
    ALWAYS = "always"
    ALWAYS_FAILED = "always-failed"  # the system that is wanted always did not come up
    SOFT_REBOOT = "taken-over"  # without a restart
    LIVE = "live"  # likewise, from a generation that is not committed


@dataclass(frozen=True, slots=True)
class Running:
    """What runs.

    Attributes:
        boot_id: the kernel's name for this boot.
        toplevel: the system's store path.
        system: its name.
        slot: where its boot loader came from.
        generation: the generation that lies in the slot, unless that is not known.
        deadline_seconds: until when, on the monotonic clock, a trial must be confirmed.
        soft_reboots: how often a system has taken over since the kernel was started.
        started_seconds: when the agent began to run in it, on the monotonic clock.
        reason: why this runs.
    """

    boot_id: str
    toplevel: StorePath
    system: str
    slot: Slot
    generation: StorePath | None
    deadline_seconds: int
    soft_reboots: int = 0
    started_seconds: int = 0
    reason: BootReason = BootReason.COMMITTED


def read_boot_id(paths: Paths) -> str:
    """The kernel's random name for this boot."""
    return read_bounded(paths.boot_id, 64).decode("ascii", "replace").strip()


def read_toplevel(paths: Paths) -> StorePath:
    """The system that runs, with the containers that it has now.

    Raises:
        UnknownBoot: neither its root nor the kernel's command line says.
    """
    root, adopted = _root_toplevel(paths), read_adopted(paths)
    return adopted.toplevel if adopted is not None and adopted.root == root else root


def _root_toplevel(paths: Paths) -> StorePath:
    try:
        return _toplevel(str(paths.running.readlink()))
    except OSError:
        return read_kernel_toplevel(paths)


def read_soft_reboots(paths: Paths) -> int:
    """How often a system has taken over since the kernel was started."""
    try:
        return int(read_bounded(paths.soft_reboots, 64))
    except (OSError, ValueError):
        return 0


@dataclass(frozen=True, slots=True)
class AdoptedNote:
    """What an update has made of what runs, without a restart.

    Attributes:
        slot: to which it belongs, although it was booted from another one.
        root: the toplevel of its root.
        toplevel: the one that counts for it; they differ if containers have changed.
    """

    slot: Slot
    root: StorePath
    toplevel: StorePath


def read_adopted(paths: Paths) -> AdoptedNote | None:
    """The note, if there was such an update since the kernel was started."""
    try:
        slot, root, toplevel = read_bounded(paths.adopted, 4096).decode("ascii").split()
        return AdoptedNote(Slot(int(slot)), StorePath.parse(root), StorePath.parse(toplevel))
    except (OSError, BadFile, ValueError, BadStorePath):
        return None


def adopt_running(paths: Paths, booted: Running, content: SlotContent) -> None:
    """Note that what runs belongs to another slot and generation from now on."""
    lines = f"{content.slot}\n{_root_toplevel(paths)}\n{booted.toplevel}\n"
    write_durably(paths.adopted, lines.encode())
    generation = StorePath.parse(content.generation)
    write_running(paths, replace(booted, slot=content.slot, generation=generation))


def soft_reboot_target(paths: Paths) -> StorePath | None:
    """The system that a soft reboot was to start and that has yet to show that it is healthy."""
    return _read_toplevel(paths.soft_reboot_target)


def next_takeover(paths: Paths) -> StorePath | None:
    """The system that a soft reboot was asked for, until that has happened."""
    return _read_toplevel(paths.next_system)


def _read_toplevel(path: Path) -> StorePath | None:
    try:
        first, _, _ = read_bounded(path, 4096).decode("ascii", "replace").partition("\n")
        return StorePath.parse(first)
    except (OSError, BadStorePath):
        return None


def read_kernel_toplevel(paths: Paths) -> StorePath:
    """The system that the kernel was told to start.

    Raises:
        UnknownBoot: the command line does not say.
    """
    line = read_bounded(paths.proc / "cmdline", MAX_BYTES).decode("ascii", "replace")
    for word in line.split():
        if word.startswith("init="):
            return _toplevel(word.removeprefix("init="))
    raise UnknownBoot("the kernel's command line has no init=", hint="is this a reconix device?")


def _toplevel(path: str) -> StorePath:
    try:
        return StorePath.containing(path)
    except BadStorePath as error:
        raise UnknownBoot(f"{path} is not in the store") from error


def write_running(paths: Paths, booted: Running) -> None:
    """Leave a note for this boot, for programs and for shells."""
    generation = str(booted.generation) if booted.generation else None
    document = print_json(
        {
            "version": 1,
            "boot_id": booted.boot_id,
            "toplevel": str(booted.toplevel),
            "system": booted.system,
            "slot": booted.slot,
            "generation": generation,
            "deadline_seconds": booted.deadline_seconds,
            "soft_reboots": booted.soft_reboots,
            "started_seconds": booted.started_seconds,
            "why": booted.reason.value,
        }
    )
    lines = (
        f"GENERATION={generation or ''}\nSYSTEM={booted.system}\n"
        f"SLOT={booted.slot}\nSOFT_REBOOTS={booted.soft_reboots}\nTOPLEVEL={booted.toplevel}\n"
        f"WHY={booted.reason.value}\n"
    )
    write_durably(paths.run / "booted", lines.encode())
    write_durably(paths.booted, document)


def read_running(path: Path) -> Running:
    """Read the note of this boot.

    Raises:
        UnknownBoot: there is none.
    """
    try:
        fields = Fields.parse(read_bounded(path, MAX_BYTES), source=str(path))
    except (BadFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnknownBoot(
            f"{path} cannot be read: {reason}",
            hint="`systemctl status reconix-start` says why",
        ) from error
    return Running(
        fields.text("boot_id"),
        StorePath.parse(fields.text("toplevel")),
        fields.text("system"),
        Slot(fields.number("slot")),
        StorePath.parse(fields.text("generation")) if fields.has("generation") else None,
        fields.number("deadline_seconds"),
        fields.number("soft_reboots"),
        fields.number("started_seconds"),
        _why(fields),
    )


def _why(fields: Fields) -> BootReason:
    try:
        return BootReason(fields.text("why"))
    except ValueError as error:
        raise BadDocument(f"{fields.source}: {fields.text('why')!r} is no boot reason") from error
