"""The end of a trial, seen from afar: the device keeps the generation, or is back and says why.

A device that restarts does not answer for a while, so it is asked again and again.

Tested by ``tests/unit/fleet/test_trial.py``.
"""

from collections.abc import Iterator

from reconix.base import progress
from reconix.base.clock import turns
from reconix.base.errors import ReconixError
from reconix.fleet.delivery import Delivery
from reconix.fleet.remote import DeviceStatus, Ended, NotReached, Remote
from reconix.store.paths import StorePath

PAUSE_SECONDS = 3.0
_BUSY_PHASES = ("armed", "on-trial", "rejected")


class FellBack(ReconixError):
    """A device tried a generation and came back."""

    exit_code = 79

    def __init__(self, to: str, ended: Ended) -> None:
        because = ": ".join(part for part in (ended.reason, ended.what) if part)
        said = "".join(f"\n    {line}" for line in ended.output.splitlines())
        super().__init__(
            f"{to} came back to its old generation, because: {because or 'unknown'}{said}",
            hint="fix the cause, then build and deploy again; the device is as it was before",
        )


class NoOutcome(ReconixError):
    """It is not known yet how a trial ended."""

    exit_code = 78


def wait(
    delivery: Delivery, *, seconds: float, pause_seconds: float = PAUSE_SECONDS
) -> DeviceStatus:
    """Wait until the device has kept the generation, and give how it is then.

    Args:
        delivery: that was sent or applied.
        seconds: how long to wait.
        pause_seconds: the least between two questions.

    Raises:
        FellBack: it has not.
        NoOutcome: nothing is known when the time is over.
    """
    device = delivery.device
    with progress.stage("trial"):
        for now in _answers(device, pause_seconds, seconds):
            if is_over(delivery.before, now, delivery.target):
                _expect_committed(device, now, delivery.target)
                return now
    raise NoOutcome(
        f"{device.to}: no outcome of the trial after {seconds:g} s",
        hint=f"ask later: {device.status_command}",
    )


def wait_live(
    delivery: Delivery, *, seconds: float, pause_seconds: float = PAUSE_SECONDS
) -> DeviceStatus:
    """Wait until the generation is live and has shown that it is healthy; how the device is then.

    Args:
        delivery: that was sent, and told to go live.
        seconds: how long to wait.
        pause_seconds: the least between two questions.

    Raises:
        FellBack: the device has restarted instead.
        NoOutcome: nothing is known when the time is over.
    """
    device = delivery.device
    with progress.stage("start"):
        for now in _answers(device, pause_seconds, seconds):
            if now.boot_id != delivery.before.boot_id:
                raise FellBack(device.to, now.left or Ended("left", "", "it has restarted", "", ""))
            if now.runs == str(delivery.target) and not now.is_unproven:
                return now
    raise NoOutcome(
        f"{device.to}: {delivery.target} is not live after {seconds:g} s",
        hint=f"ask later: {device.status_command}",
    )


def _answers(device: Remote, pause_seconds: float, seconds: float) -> Iterator[DeviceStatus]:
    """How the device is, again and again; it says nothing while it restarts."""
    for _ in turns(pause_seconds, seconds=seconds):
        try:
            now = device.status()
        except NotReached:
            continue
        yield now


def is_over(before: DeviceStatus, now: DeviceStatus, target: StorePath) -> bool:
    """Whether a trial that was started after ``before`` has ended.

    It has ended when the generation is committed, or when the device has restarted and neither
    tries it nor is about to; or when it has tried it without a restart and says why it was left.
    """
    if now.committed == target:
        return True
    if now.phase == "idle" and now.last != before.last and _was_left(now.last, target):
        return True
    return now.boot_id != before.boot_id and now.phase not in _BUSY_PHASES


def _was_left(last: Ended | None, target: StorePath) -> bool:
    """Whether a generation was tried and left; that it gives way to itself is none."""
    return last is not None and last.generation == str(target) and last.reason != "superseded"


def _expect_committed(device: Remote, now: DeviceStatus, target: StorePath) -> None:
    """Raise what a trial ended with, unless the generation is kept."""
    if now.committed == target:
        return
    if now.last is not None and now.last.generation == str(target):
        raise FellBack(device.to, now.last)
    raise FellBack(device.to, Ended("fell-back", str(target), "no reason given", "", ""))
