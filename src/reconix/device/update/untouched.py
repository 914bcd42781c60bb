"""Untouched: an update that changes nothing of what runs is committed without interrupting it.

A host has several systems, and one runs. Where a new generation has the very same system, and what
all failures end in, the default system, is the same too, a trial would stop what runs only to start
it again and learn nothing. Then the slot is written and read back as ever, and selected while the
system goes on, which is a part of the new generation from then on:

============================  ==================================================================
the same, by their names      toplevel and images of the system that runs and of the default one
the same, byte for byte       the loader, its settings, the entries of these two
may differ                    other systems, and what belongs to the generation: keys, addresses
============================  ==================================================================

A name of a toplevel holds everything below it, kernel and initrd included. ``untried`` are the
systems that differ from when they were last kept. Such a system must show that it is healthy when
it is first started (``device/select/watch.py``); if it does not, the device ends in the default
system, as from every choice. Until then the generation before is kept, also if others come on top.

A cut before the slot is selected leaves the old generation, one after it the new one, and what runs
after it is the same in both.

Tested by ``tests/unit/device/update/test_untouched.py`` and ``tests/crash/test_untouched_cut.py``.
"""

from collections.abc import Callable
from functools import partial

from reconix.base import progress
from reconix.boot.loaders.alike import starts_alike
from reconix.boot.transitions import Adopted, Untouched, advance
from reconix.boot.tree import BootTree
from reconix.boot.trial import Phase, State
from reconix.device.device import Device
from reconix.device.settings import policy
from reconix.device.settings.policy import read_policy
from reconix.device.state.record import record
from reconix.device.state.running import (
    BootReason,
    Running,
    UnknownBoot,
    adopt_running,
    read_boot_id,
    read_running,
)
from reconix.device.trial.arm import has_agent
from reconix.device.trial.disks import expect_fit_disk
from reconix.device.update.apply import end_other, write
from reconix.device.update.confirm import select, tidy
from reconix.store.generation import Generation, InstalledSystem, expect_known
from reconix.store.paths import StorePath


def adopt(device: Device, path: StorePath) -> State | None:
    """Commit a generation that does not touch what runs; must be called under ``exclusive_rw``.

    Args:
        device: to change.
        path: an installed generation.

    Returns:
        What is remembered then; ``None`` if it touches what runs, and must be tried.

    Raises:
        DiskIsShort, CopyAttached, OnTrial, SlotSizeDiffers, WrongImage, NotKept: as for ``apply``.
    """
    target, state = device.generation(path), device.recall()
    expect_known(target)
    state.expect_not_on_trial()
    if state.committed.generation == str(path):
        return None
    booted = running(device, state)
    if booted is None:
        return None
    if reason := touches(device, state, booted, target):
        progress.note(f"a trial is needed: {reason}")
        return None
    expect_fit_disk(device)
    return _adopt(device, target, booted)


def _adopt(device: Device, target: Generation, booted: Running) -> State:
    return commit(device, written(device, target, booted), target, booted)


def written(device: Device, target: Generation, booted: Running) -> State:
    """Have a generation in an idle slot, which nothing is to try; gives what is remembered then."""
    state = device.recall()
    if state.phase is Phase.ARMED:
        end_other(device, state)
    after = write(device, target, system=booted.system)
    assert after is not None
    return after


def commit(device: Device, state: State, target: Generation, booted: Running) -> State:
    """Commit what is written without a boot.

    Args:
        device: to change.
        state: what is remembered.
        target: the generation in the slot.
        booted: what runs, as a part of that.
    """
    assert state.trial is not None and state.trial.slot is not None
    others = (name for name in untried(device, state, target) if name != booted.system)
    state = record(device.paths, state, Untouched(tuple(others)))
    advance(state, Adopted())
    assert state.trial is not None and state.trial.slot is not None
    select(device, state.trial.slot)
    state = record(device.paths, state, Adopted())
    adopt_running(device.paths, booted, state.committed)
    progress.note(f"committed {state.committed.generation}")
    tidy(device, state)
    return state


def running(device: Device, state: State) -> Running | None:
    """What runs, if that is known and is the committed generation; nothing if it is live."""
    try:
        booted = read_running(device.paths.booted)
    except UnknownBoot:
        return None
    is_ours = booted.boot_id == read_boot_id(device.paths) and booted.reason is not BootReason.LIVE
    return booted if is_ours and booted.slot == state.committed.slot else None


def touches(device: Device, state: State, booted: Running, target: Generation) -> str:
    """Why a generation cannot be committed without a trial; "" if it can.

    Raises:
        ReconixError: what is installed cannot be read.
    """
    committed = device.generation(state.committed.generation)
    if read_policy(device.registry, booted.toplevel).untouched is policy.Untouched.TRIAL:
        return "the system that runs asks for one (update.untouched)"
    if _system(target, booted.system) != _system(committed, booted.system):
        return f"system {booted.system} changes"
    return "" if starts_the_same(device, committed, target, also=booted.system) else _OTHERWISE


_OTHERWISE = "the default system, or how the boot loader starts it or what runs, changes"


def starts_the_same(
    device: Device, one: Generation, other: Generation, *, also: str = "", but: str = ""
) -> bool:
    """Whether two generations of a device start alike; see ``start_alike``."""
    return start_alike(one, other, partial(_boot_tree, device), also=also, but=but)


def start_alike(
    one: Generation,
    other: Generation,
    boot_tree: Callable[[Generation], BootTree],
    *,
    also: str = "",
    but: str = "",
) -> bool:
    """Whether two generations start the default system in the same way, and what is named.

    Args:
        one: a generation.
        other: another one.
        boot_tree: gives the boot tree of each.
        also: a system that must be started in the same way, too.
        but: a system about which nothing is asked, even if it is the default one.
    """
    if (one.default, one.integrity) != (other.default, other.integrity):
        return False
    names = {one.default, also} - {"", but}
    if any(_system(one, name) != _system(other, name) for name in names):
        return False
    return starts_alike(boot_tree(one), boot_tree(other), names)


def untried(device: Device, state: State, target: Generation) -> tuple[str, ...]:
    """The systems of a generation that differ from when they were kept last, sorted.

    One that nobody could judge, because it has no agent, is not among them.
    """
    committed = device.generation(state.committed.generation)
    kept = device.generation(state.previous) if state.untried and state.previous else committed
    return tuple(
        system.name
        for system in target.systems
        if system != _system(kept if system.name in state.untried else committed, system.name)
        and has_agent(device, system)
    )


def _system(generation: Generation, name: str) -> InstalledSystem | None:
    return next((system for system in generation.systems if system.name == name), None)


def _boot_tree(device: Device, generation: Generation) -> BootTree:
    return BootTree.of_tree(device.registry.tree(generation.boot), device.registry.pool)
