"""Watching: decide about what is on trial, and make sure that the decision is carried out.

Healthy in time, and made without a new fault (``device/state/faults.py``): it is confirmed. Not
healthy, or not decidable: the reason is recorded, durably, and the device restarts. If even
recording fails, it restarts all the same: then the next boot records that the trial was
interrupted, which is true.

A system that is wanted always is watched in the same way; it has no generation to lose, but only if
it is healthy it is started at the next boot again. The same holds for one that has taken over
without a restart: if it is not healthy, the restart that follows is an ordinary boot. And for one
that an update has changed without a trial, when it is first started.

Tested by ``tests/unit/device/select/test_watch.py``.
"""

import contextlib

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.boot.transitions import Proved
from reconix.boot.transitions import Unhealthy as UnhealthyEvent
from reconix.boot.trial import Phase, Reason, Verdict
from reconix.device.device import Device
from reconix.device.settings.health import read_health
from reconix.device.settings.policy import read_policy
from reconix.device.settings.secrets import read_secrets
from reconix.device.state import events
from reconix.device.state.choice import is_to_be_proven, leaving, read_choice, well, write_choice
from reconix.device.state.faults import new_faults
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.missed import MissedPaths, read_missed, write_missed
from reconix.device.state.record import record
from reconix.device.state.running import (
    BootReason,
    Running,
    read_running,
    soft_reboot_target,
)
from reconix.device.state.secrets import missing
from reconix.device.trial import trap
from reconix.device.trial.checks import OUTPUT_CHARACTERS
from reconix.device.trial.monitor import Unhealthy, await_health
from reconix.device.update.confirm import confirm, keep_system

WAIT_SECONDS = 30.0
"""How long another command may hold the lock when a verdict is to be recorded."""


def watch(device: Device) -> bool:
    """Check what runs, and confirm it or record why not.

    Returns:
        Whether it may stay; if not, the device must be restarted.
    """
    booted = read_running(device.paths.booted)
    state = device.recall()
    if booted.reason is BootReason.LIVE:
        return _prove_live(device, booted)
    on_trial = state.trial is not None and state.trial.slot == booted.slot
    if on_trial and state.phase is Phase.REJECTED:
        return False
    if on_trial and state.phase is Phase.ON_TRIAL:
        return _decide(device, booted)
    if is_to_be_proven(read_choice(device.paths.choice), booted.system):
        return _renew(device, booted)
    if soft_reboot_target(device.paths) is not None or booted.system in state.untried:
        return _prove(device, booted)
    return True


def _when_free(device: Device) -> contextlib.AbstractContextManager[None]:
    """The lock of the device, once another command has ended."""
    return exclusive_rw(device.paths, wait_seconds=WAIT_SECONDS, clock=device.clock)


def _decide(device: Device, booted: Running) -> bool:
    problem = _faults(device) or _missing_secrets(device, booted) or _examine(device, booted)
    if problem is not None:
        _record(device, problem)
        return False
    try:
        with _when_free(device):
            confirm(device)
    except (ReconixError, OSError) as error:
        _record(device, Unhealthy("the agent confirms", str(error)))
        return False
    return True


def _renew(device: Device, booted: Running) -> bool:
    problem = _examine(device, booted)
    with _when_free(device):
        if problem is None:
            keep_system(device)
            _note_proved(device, booted)
            device.paths.soft_reboot_target.unlink(missing_ok=True)
        else:
            _leave_system(device, booted, problem)
    return problem is None


def _prove(device: Device, booted: Running) -> bool:
    problem = _examine(device, booted)
    if problem is None:
        _forget_why_left(device, booted)
        if booted.system in device.recall().untried:
            with _when_free(device):
                _note_proved(device, booted)
        device.paths.soft_reboot_target.unlink(missing_ok=True)
        return True
    with _when_free(device):
        _leave_system(device, booted, problem)
    return False


def _prove_live(device: Device, booted: Running) -> bool:
    """What is live has nothing to keep: no choice, no system that was untried."""
    if soft_reboot_target(device.paths) is None:
        return True
    problem = _examine(device, booted)
    if problem is None:
        device.paths.soft_reboot_target.unlink(missing_ok=True)
        return True
    with _when_free(device):
        _leave_system(device, booted, problem)
    return False


def _note_proved(device: Device, booted: Running) -> None:
    """A system that an update has changed without a trial was tried now."""
    state = device.recall()
    if booted.system in state.untried and not state.is_on_trial:
        record(device.paths, state, Proved(booted.system))


def _forget_why_left(device: Device, booted: Running) -> None:
    choice = read_choice(device.paths.choice)
    if well(choice, booted.system) != choice:
        with _when_free(device):
            write_choice(device.paths.choice, well(choice, booted.system))


def _leave_system(device: Device, booted: Running, problem: Unhealthy) -> None:
    """Record why a system is left, for the log and for ``status`` of the one that comes after."""
    path, verdict = device.paths.choice, Verdict(Reason.UNHEALTHY, problem.check, problem.output)
    write_choice(path, leaving(read_choice(path), booted.system, verdict))
    progress.note(f"{booted.system} is not healthy: {problem.check}: {problem.output}")
    text = f"{booted.system}: {problem.check}\n{problem.output}"
    events.append(device.paths.log, "system-unhealthy", text=text)


def _faults(device: Device) -> Unhealthy | None:
    """What could not be done when the root was made; only a trial is judged by that."""
    found = new_faults(device.paths)
    if not found:
        return None
    return Unhealthy("its root is made without a new fault", "\n".join(found)[:OUTPUT_CHARACTERS])


def _missing_secrets(device: Device, booted: Running) -> Unhealthy | None:
    """A secret that the system needs and the device has not; waiting would not bring it."""
    try:
        asked = read_secrets(device.registry, booted.toplevel)
    except (ReconixError, OSError) as error:
        return Unhealthy("secrets.json can be read", str(error))
    lacking = [each for each in missing(device.paths, asked) if each.is_required]
    if not lacking:
        return None
    needed = "\n".join(f"{', '.join(each.units)} needs secret {each.name}" for each in lacking)
    return Unhealthy(f"secret {lacking[0].name} is there", needed[:OUTPUT_CHARACTERS])


def _examine(device: Device, booted: Running) -> Unhealthy | None:
    try:
        health = read_health(device.registry, booted.toplevel)
    except (ReconixError, OSError) as error:
        return Unhealthy("health.json can be read", str(error))
    with trap.watching(device, booted.toplevel) as caught:
        problem = await_health(
            health,
            booted.deadline_seconds,
            note=progress.note,
            clock=device.clock,
            containers=device.paths.containers,
        )
    found = caught.found(str(booted.generation or ""), booted.system)
    _remember(device, found)
    return problem or _missed(device, booted, found if caught.is_whole else None)


def _remember(device: Device, found: MissedPaths) -> None:
    """Remember what was asked for, for ``status``; if that fails the trial goes on all the same."""
    if not found.is_empty:
        progress.note("\n".join(found.lines()))
    if found.is_empty and read_missed(device.paths) is None:
        return
    try:
        with _when_free(device):
            write_missed(device.paths, found)
            if found.missed:
                text = "\n".join(found.lines())
                events.append(device.paths.log, "missed", generation=found.generation, text=text)
    except (ReconixError, OSError) as error:
        progress.note(f"cannot record what was asked for: {error}")


def _missed(device: Device, booted: Running, found: MissedPaths | None) -> Unhealthy | None:
    """That something was asked for which went, where that counts."""
    try:
        is_strict = read_policy(device.registry, booted.toplevel).strict_minify
    except (ReconixError, OSError) as error:
        return Unhealthy("update.json can be read", str(error))
    if not is_strict or (found is not None and not found.missed):
        return None
    told = "the kernel of this device cannot tell" if found is None else "\n".join(found.lines())
    return Unhealthy("nothing is asked for that minify took", told[:OUTPUT_CHARACTERS])


def _record(device: Device, problem: Unhealthy) -> None:
    """Record the verdict; if that fails, the restart that follows is verdict enough."""
    progress.note(f"not healthy: {problem.check}: {problem.output}")
    try:
        with _when_free(device):
            verdict = UnhealthyEvent(problem.check, problem.output)
            record(device.paths, device.recall(), verdict)
    except (ReconixError, OSError) as error:
        progress.note(f"cannot record the reason: {error}")


def mark_bad(device: Device, why: str) -> None:
    """Record that the agent failed, if what runs is on trial; the unit restarts the device."""
    trap.take_down(device.paths)
    booted = read_running(device.paths.booted)
    state = device.recall()
    if state.phase is Phase.ON_TRIAL and state.trial and state.trial.slot == booted.slot:
        _record(device, Unhealthy(why, ""))
    elif soft_reboot_target(device.paths) is not None or booted.system in state.untried:
        with _when_free(device):
            _leave_system(device, booted, Unhealthy(why, ""))
