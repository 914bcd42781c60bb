"""Soft reboot: another system takes over while the kernel goes on.

A restart goes through firmware, boot loader, kernel and initrd only to come back to the same
kernel. Where the system that runs and the one that is wanted are alike in all that a kernel keeps,
systemd can stop the one and start the other:

====================================  =============================================================
kernel, modules, kernel parameters    of the toplevel on the kernel's command line, and the target's
``sysctl.d``, ``modules-load.d``      what we generate of these, and virtual network interfaces
====================================  =============================================================

Everything else is made anew: the last program of the old system (``build/data/leave``) mounts the
store of the new one, as the initrd does, and calls the first one of that (``build/data/switch``),
which puts the root together and removes what programs left in ``/run``.

The firmware is not told, so the next boot is an ordinary one. The system that has taken over must
show that it is healthy (``watch.py``); if it does not, or if making its root fails, the device
restarts. It takes no part in trials: none is under way when a soft reboot begins, and as the slot
is the committed one, none begins with it.

Source: systemd-soft-reboot.service(8).
Tested by ``tests/unit/device/select/test_soft_reboot.py`` and ``tests/vm/test_soft_reboot.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.boot import bootspec
from reconix.boot.bootspec import BadBootSpec, BootSpec, parse_bootspec
from reconix.device.device import Device, toplevel_folder
from reconix.device.hardware.restart import ask
from reconix.device.paths import Paths
from reconix.device.settings.health import can_be_proven
from reconix.device.state.running import Running, read_kernel_toplevel, read_running
from reconix.store.generation import InstalledSystem
from reconix.store.paths import BadStorePath, StorePath

SCRIPT = "switch"
_TARGET = "usr/lib/systemd/system/soft-reboot.target"
_KEPT_BY_KERNEL = (
    "modules-load.d/reconix.conf",
    "sysctl.d/90-reconix.conf",
    "systemd/network/*.netdev",
)
"""Generated files, below ``/etc``, whose effect outlives the system that has them."""

_MAX_BYTES = 1 << 20


def obstacle(device: Device, system: str) -> str | None:
    """Why a system cannot take over without a restart, or ``None`` if it can.

    Raises:
        UnknownSystem: the committed generation has no such system.
        ReconixError: it is not known what runs.
    """
    paths = device.paths
    booted, state = read_running(paths.booted), device.recall()
    target = device.generation(state.committed.generation).system(system)
    if booted.slot != state.committed.slot:
        return "the generation that runs is not the committed one"
    if not (paths.root / _TARGET).is_file():
        return "systemd cannot do a soft reboot"
    return _differs(device, booted, target)


def _differs(device: Device, booted: Running, target: InstalledSystem) -> str | None:
    paths = device.paths
    kernel = read_kernel_toplevel(paths)
    try:
        if not _can_take_over(paths, target.toplevel):
            return f"{target.name} has no agent that could take over"
        if _kernel(paths, kernel) != _kernel(paths, target.toplevel):
            return f"{target.name} has a different kernel or kernel parameters"
        if _settings(paths, booted.toplevel) != _settings(paths, target.toplevel):
            return f"{target.name} has different settings that a kernel keeps"
    except (OSError, BadFile, BadDocument, BadBootSpec, BadStorePath) as error:
        return f"cannot compare it with what runs: {error}"
    return None


def soft_reboot(paths: Paths, system: InstalledSystem) -> None:
    """Stop what runs and start this system.

    The scripts are told its toplevel in the first line of a file, and its images in the second.

    Raises:
        RestartInhibited: a program holds an inhibitor.
        CommandFailed: systemd refuses.
    """
    images = ",".join(digest.hex() for digest in system.images)
    write_durably(paths.next_system, f"{system.toplevel}\n{images}\n".encode())
    try:
        ask(
            "soft-reboot",
            hint="nothing has changed; end the inhibitor (systemd-inhibit --list) and repeat this",
        )
    except ReconixError:
        paths.next_system.unlink()
        raise


def _can_take_over(paths: Paths, toplevel: StorePath) -> bool:
    folder = toplevel_folder(paths, toplevel)
    return can_be_proven(folder) and (_part(paths, folder, "agent") / SCRIPT).is_file()


def _part(paths: Paths, toplevel: Path, name: str) -> Path:
    """Where a part of a system is: the links of a toplevel name paths below ``/nix/store``."""
    return paths.store / StorePath.parse(str((toplevel / name).readlink())).basename


def _kernel(paths: Paths, toplevel: StorePath) -> tuple[str, str, tuple[str, ...]]:
    folder = toplevel_folder(paths, toplevel)
    spec: BootSpec = parse_bootspec(
        read_bounded(folder / "boot.json", bootspec.MAX_BYTES), toplevel=str(toplevel)
    )
    return (spec.kernel, str((folder / "modules").readlink()), spec.kernel_parameters)


def _settings(paths: Paths, toplevel: StorePath) -> list[tuple[str, bytes]]:
    etc = _part(paths, toplevel_folder(paths, toplevel), "etc")
    return sorted(_read_all(etc))


def _read_all(etc: Path) -> Iterator[tuple[str, bytes]]:
    for pattern in _KEPT_BY_KERNEL:
        for path in etc.glob(pattern):
            yield str(path.relative_to(etc)), read_bounded(path, _MAX_BYTES)
