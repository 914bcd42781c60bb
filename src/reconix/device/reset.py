"""Factory reset: what systems have kept is forgotten, at the next boot.

The data of a running system cannot be taken away under its programs. So the agent only leaves an
order, one durable file, and restarts. The initrd carries it out before it binds anything:

    .reset         what goes, a line each: "all" or "systems/<name>"
    .discarded/    what the initrd has set aside, under names that nobody uses

Setting aside is a rename for each folder; deleting may take long and is left to a unit that runs
when the system is up. A cut at any moment leaves the order there, and it is carried out again, or
leaves something to delete, which is deleted later. The system partition is not touched: a reset
changes neither what boots nor whether it boots.

Proven by ``tests/unit/device/test_reset.py`` and ``tests/crash/test_fault_reset.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, sync_folder, write_durably
from reconix.boot.trial import Phase
from reconix.device import events
from reconix.device.apply import OnTrial
from reconix.device.device import Device
from reconix.device.places import Places

ORDER, DISCARDED = ".reset", ".discarded"


class NoData(ReconixError):
    """There is nothing that persists."""

    exit_code = 79


def order_reset(device: Device, *, system: str | None) -> None:
    """Let the next boot forget what a system has of its own, or everything that persists.

    Must be called while ``working``. Orders add up until the next boot.

    Raises:
        UnknownSystem: the committed generation has no such system.
        OnTrial: the next boot is a trial, or this one is.
        NoData: the partition is not mounted.
    """
    state = device.recall()
    if state.trial is not None and state.phase in (Phase.ARMED, Phase.ON_TRIAL, Phase.REJECTED):
        raise OnTrial(state.trial.generation)
    wanted = "all"
    if system is not None:
        wanted = f"systems/{device.generation(state.committed.generation).system(system).name}"
    order = _data(device.places) / ORDER
    before = order.read_text().splitlines() if order.exists() else []
    lines = dict.fromkeys([*before, wanted])
    write_durably(order, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    events.record(device.places.log, "reset-ordered", text=wanted)


def discard(device: Device) -> int:
    """Delete what was set aside.

    It may take long, so nobody is kept from working meanwhile.

    Returns:
        How many resets left something.
    """
    data = _data(device.places)
    folder = data / DISCARDED
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in found:
        remove_tree(path)
    if folder.is_dir():
        folder.rmdir()
        sync_folder(data)
    return len(found)


def _data(places: Places) -> Path:
    """The root of the data partition."""
    if places.shared and not places.data.is_mount():
        raise NoData("what persists is not mounted", hint="the kernel's log says why: dmesg")
    return places.data
