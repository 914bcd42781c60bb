"""Applying: put an installed generation into an idle slot and try it at the next boot.

Every step is recorded before it is relied on, and each can be repeated:

==============  ================================================================================
disarm          nothing may boot the slot while it is written
write the slot  the image is computed from the boot tree; only blocks that differ are written
compare         read back from the medium, against the hash in the generation
arm             recorded first, then told to the firmware, or to the disk where the
                configuration says so: no trial that nobody counted
==============  ================================================================================

The committed slot and the partition table are not touched. After a cut anywhere the old generation
boots; applying the same generation again continues.

Tested by ``tests/unit/device/update/test_apply.py`` and ``tests/crash/test_agent_cut.py``.
"""

from reconix.base import progress
from reconix.boot import fat
from reconix.boot.slots import SlotSizeDiffers, write_slot
from reconix.boot.tables import Slot, read_selection, slot_name
from reconix.boot.transitions import Cancelled, Received, WriteBegun, Written, slot_for
from reconix.boot.tree import BootTree
from reconix.boot.trial import Phase, Reason, State
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, holds, open_disk
from reconix.device.settings.policy import Policy, read_policy
from reconix.device.state.record import record
from reconix.device.state.running import UnknownBoot, read_running
from reconix.device.trial.arm import arm, disarm, expect_agent, has_agent
from reconix.device.trial.disks import expect_fit_disk
from reconix.store.generation import Generation, expect_known
from reconix.store.paths import StorePath


def apply(device: Device, path: StorePath, *, system: str | None = None) -> Slot | None:
    """Write a generation to an idle slot and arm its trial; must be called under ``exclusive_rw``.

    Args:
        device: to change.
        path: an installed generation.
        system: the system that runs in the trial; the one that runs now if there is one of that
            name, else the default one.

    Returns:
        The slot; ``None`` if the generation is committed already, and nothing was armed.

    Raises:
        DiskIsShort, CopyAttached: no trial could be kept, or be made from this disk alone.
        OnTrial: first the trial that runs must end.
        WithoutAgent: nobody would confirm the system.
        FirmwareRefuses: it does not take the one-shot.
        SlotSizeDiffers, WrongImage, NotKept: the generation does not fit, is damaged, or the
            medium is. Nothing is armed.
    """
    expect_fit_disk(device)
    generation = device.generation(path)
    expect_known(generation)
    name = generation.system(system or _running(device, generation)).name
    expect_agent(device, generation, name)
    state = write(device, generation, system=name)
    return None if state is None else arm(device, state, system=name)


def write(device: Device, generation: Generation, *, system: str) -> State | None:
    """Have a generation in an idle slot, which nothing boots yet; under ``exclusive_rw``.

    Args:
        device: to change.
        generation: an installed one.
        system: the one that will run in the trial; it says how often that is attempted.

    Returns:
        What is remembered then; ``None`` if the generation is committed already.

    Raises:
        OnTrial: first the trial that runs must end.
        SlotSizeDiffers, WrongImage, NotKept: as for ``apply``.
    """
    state = device.recall()
    state.expect_not_on_trial()
    if _is_written(device, state, generation):
        return state
    state = end_other(device, state)
    if state.committed.generation == str(generation.path):
        return None
    expect_slots(device, generation.slot.slot_size_bytes)
    attempts = _policy(device, generation, system).trial_attempts
    state = record(device.paths, state, Received(str(generation.path), attempts))
    return _write(device, state, generation)


def _is_written(device: Device, state: State, generation: Generation) -> bool:
    """Whether a trial of this very generation was prepared, and its slot still is right."""
    trial = state.trial
    prepared = state.phase in (Phase.WRITTEN, Phase.ARMED)
    if not prepared or trial is None or trial.slot is None:
        return False
    if trial.generation != str(generation.path):
        return False
    with open_disk(device.paths) as disk:
        partition = read_selection(disk).tables.slot(trial.slot)
        return holds(PartitionView(disk, partition), generation.slot)


def end_other(device: Device, state: State) -> State:
    """End an update that was begun, before its slot is written; what was received of it stays."""
    disarm(device, state)
    if state.phase is Phase.ARMED:
        return record(device.paths, state, Cancelled(Reason.SUPERSEDED))
    return state


def expect_slots(device: Device, size_bytes: int) -> None:
    """Check that the boot slots have the size that a generation was made for.

    Raises:
        SlotSizeDiffers: one has not.
    """
    for slot in device.selection().tables.slots:
        if slot.size_bytes != size_bytes:
            raise SlotSizeDiffers(made_for_bytes=size_bytes, slot_bytes=slot.size_bytes)


def _write(device: Device, state: State, generation: Generation) -> State:
    with open_disk(device.paths) as disk:
        tables = read_selection(disk).tables
        slot = slot_for(state, str(generation.path), tables.numbers)
        state = record(device.paths, state, WriteBegun(slot))
        tree = BootTree.of_tree(device.registry.tree(generation.boot), device.registry.pool)
        partition = tables.slot(slot)
        image = fat.image(tree, partition.size_bytes)
        write_slot(image, PartitionView(disk, partition), generation.slot.digest)
    progress.note(f"{slot_name(slot)} holds {generation.path}")
    return record(device.paths, state, Written())


def _policy(device: Device, generation: Generation, system: str) -> Policy:
    return read_policy(device.registry, generation.system(system).toplevel)


def _running(device: Device, generation: Generation) -> str:
    """The system that runs now, if the generation has one of that name, with the agent."""
    try:
        name = read_running(device.paths.booted).system
    except UnknownBoot:
        return generation.default
    names = [each.name for each in generation.systems if has_agent(device, each)]
    return name if name in names else generation.default
