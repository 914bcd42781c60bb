"""Which secrets the installed systems ask for, and whether this device has them.

Those of the committed generation count, and of what runs, which may be on trial. A value is never
read here.

Tested by ``tests/unit/device/status/test_asked.py``.
"""

from collections.abc import Iterator

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.device.device import Device
from reconix.device.settings.secrets import AskedSecret, read_secrets
from reconix.device.state.running import UnknownBoot, read_running
from reconix.device.state.secrets import KeptSecret, kept_secrets
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Asked:
    """A secret, who asks for it, and whether it is there.

    Attributes:
        name: of it.
        systems: that ask for it, by name.
        units: of them that read it.
        is_required: whether one of them is unhealthy without it.
        kept: what is on the device; ``None``: nothing.
    """

    name: str
    systems: tuple[str, ...]
    units: tuple[str, ...]
    is_required: bool
    kept: KeptSecret | None

    @property
    def is_there(self) -> bool:
        """Whether a unit can get it."""
        return self.kept is not None and not self.kept.fault


def read_asked(device: Device) -> tuple[Asked, ...]:
    """Each secret that is asked for or there, by name."""
    kept = {each.name: each for each in kept_secrets(device.paths)}
    found: dict[str, list[tuple[str, AskedSecret]]] = {name: [] for name in kept}
    for system, toplevel in sorted(_systems(device).items()):
        for each in _asked_by(device, toplevel):
            found.setdefault(each.name, []).append((system, each))
    return tuple(
        Asked(
            name,
            tuple(dict.fromkeys(system for system, _ in asked)),
            tuple(sorted({unit for _, each in asked for unit in each.units})),
            any(each.is_required for _, each in asked),
            kept.get(name),
        )
        for name, asked in sorted(found.items())
    )


def _asked_by(device: Device, toplevel: StorePath) -> Iterator[AskedSecret]:
    """Nothing for a system that cannot be read: another check tells that."""
    try:
        yield from read_secrets(device.registry, toplevel)
    except (ReconixError, OSError):
        return


def _systems(device: Device) -> dict[str, StorePath]:
    """The systems that may run next, by name; what runs counts before the others."""
    committed = device.generation(device.recall().committed.generation)
    found = {system.name: system.toplevel for system in committed.systems}
    try:
        booted = read_running(device.paths.booted)
    except UnknownBoot:
        return found
    return {**found, booted.system: booted.toplevel}
