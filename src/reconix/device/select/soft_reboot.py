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

from reconix.base.errors import ReconixError
from reconix.base.files import write_durably
from reconix.boot import bootspec
from reconix.boot.bootspec import BootSpec, parse_bootspec
from reconix.device.device import Device
from reconix.device.hardware.restart import ask
from reconix.device.paths import Paths
from reconix.device.settings.health import can_be_proven
from reconix.device.state.live_note import note_live, read_live
from reconix.device.state.running import (
    Running,
    read_adopted,
    read_kernel_toplevel,
    read_running,
)
from reconix.store.generation import InstalledSystem
from reconix.store.paths import StorePath
from reconix.store.registry import Registry

SCRIPT = "switch"
_TARGET = "usr/lib/systemd/system/soft-reboot.target"
_KEPT_BY_KERNEL = (
    "modules-load.d/reconix.conf",
    "sysctl.d/90-reconix.conf",
)
"""Generated files, below ``/etc``, whose effect outlives the system that has them."""

_NETWORK, _DEVICE = "systemd/network", ".netdev"
"""Likewise those of virtual network interfaces."""

_MAX_BYTES = 1 << 20


def obstacle(device: Device, system: str) -> str | None:
    """Why a system cannot take over without a restart, or ``None`` if it can.

    Raises:
        UnknownSystem: the committed generation has no such system.
        ReconixError: it is not known what runs.
    """
    committed = device.generation(device.recall().committed.generation)
    return obstacle_to(device, committed.system(system))


def obstacle_to(device: Device, target: InstalledSystem) -> str | None:
    """The same of a system of any installed generation.

    Raises:
        ReconixError: it is not known what runs.
    """
    paths = device.paths
    booted, state = read_running(paths.booted), device.recall()
    if booted.slot != state.committed.slot:
        return "the generation that runs is not the committed one"
    if not (paths.root / _TARGET).is_file():
        return "systemd cannot do a soft reboot"
    return _differs(device, booted, target)


def _differs(device: Device, booted: Running, target: InstalledSystem) -> str | None:
    registry = device.registry
    kernel = _kernel_toplevel(device.paths)
    try:
        if not _can_take_over(registry, target.toplevel):
            return f"{target.name} has no agent that could take over"
        if _kernel(registry, kernel) != _kernel(registry, target.toplevel):
            return f"{target.name} has a different kernel or kernel parameters"
        if _settings(registry, booted.toplevel) != _settings(registry, target.toplevel):
            return f"{target.name} has different settings that a kernel keeps"
    except ReconixError as error:
        return f"cannot compare it with what runs: {error}"
    return None


def soft_reboot(paths: Paths, system: InstalledSystem, *, live: StorePath | None = None) -> None:
    """Stop what runs and start this system.

    The scripts are told its toplevel in the first line of a file, and its images in the second.

    Args:
        paths: of the device.
        system: that takes over.
        live: its generation, if that is not the committed one.

    Raises:
        RestartInhibited: a program holds an inhibitor.
        CommandFailed: systemd refuses.
    """
    images = ",".join(digest.hex() for digest in system.images)
    before = read_live(paths)
    note_live(paths, live)
    write_durably(paths.next_system, f"{system.toplevel}\n{images}\n".encode())
    try:
        ask(
            "soft-reboot",
            hint="nothing has changed; end the inhibitor (systemd-inhibit --list) and repeat this",
        )
    except ReconixError:
        paths.next_system.unlink()
        note_live(paths, before)
        raise


def _can_take_over(registry: Registry, toplevel: StorePath) -> bool:
    if not can_be_proven(registry, toplevel):
        return False
    return registry.has(_part(registry, toplevel, "agent"), SCRIPT)


def _part(registry: Registry, toplevel: StorePath, name: str) -> StorePath:
    """The object of a part of a system, to which a link of its toplevel leads."""
    return StorePath.parse(registry.link(toplevel, name))


def _kernel_toplevel(paths: Paths) -> StorePath:
    """The toplevel with the kernel that runs, or what has taken its place without a restart."""
    started, adopted = read_kernel_toplevel(paths), read_adopted(paths)
    return adopted.toplevel if adopted is not None and adopted.root == started else started


def _kernel(registry: Registry, toplevel: StorePath) -> tuple[str, str, tuple[str, ...]]:
    content = registry.read(toplevel, "boot.json", limit_bytes=bootspec.MAX_BYTES)
    spec: BootSpec = parse_bootspec(content, toplevel=str(toplevel))
    return (spec.kernel, registry.link(toplevel, "modules"), spec.kernel_parameters)


def _settings(registry: Registry, toplevel: StorePath) -> list[tuple[str, bytes]]:
    etc = _part(registry, toplevel, "etc")
    return [(path, _read(registry, etc, path)) for path in sorted(_kept(registry, etc))]


def _kept(registry: Registry, etc: StorePath) -> Iterator[str]:
    yield from (path for path in _KEPT_BY_KERNEL if registry.has(etc, *path.split("/")))
    found = registry.names(etc, *_NETWORK.split("/"))
    yield from (f"{_NETWORK}/{name}" for name in found if name.endswith(_DEVICE))


def _read(registry: Registry, etc: StorePath, path: str) -> bytes:
    return registry.read(etc, *path.split("/"), limit_bytes=_MAX_BYTES)
