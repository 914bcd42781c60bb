"""The health monitor: all checks, round after round, until they have passed for long enough.

Rounds are a second apart and make all checks in order. A round in which all pass begins the *stable
period*; the system is healthy when that has passed without a failure. A check that fails in it, or
passes for another reason than before (a unit that was restarted), begins it anew, and that may
happen a limited number of times: what flaps is not healthy. At the deadline, the first check that
failed in the last round is the reason, with the end of its output; a round that the deadline cut
short does not count for that if the one before has a reason. A unit that systemd has given up on is
not waited for.

Tested by ``tests/unit/device/trial/test_monitor.py``.
"""

from collections.abc import Callable
from pathlib import Path

from reconix.base.clock import REAL, Clock
from reconix.base.records import dataclass
from reconix.device.settings.health import Check, Health
from reconix.device.trial.checks import CONTAINERS, Finding, find

_PAUSE_SECONDS = 1.0
_ROUNDS_GIVEN_UP = 3
"""In how many rounds running a unit must have failed; it may be started again in between."""


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """The check that did not hold at the deadline, and the end of its output."""

    check: str
    output: str


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round found: the first check that failed, or the identities of what passed."""

    failed: Check | None
    finding: Finding
    identities: tuple[str, ...] = ()

    @property
    def problem(self) -> Unhealthy:
        """As it is reported."""
        return Unhealthy(str(self.failed.condition) if self.failed else "", self.finding.output)


Note = Callable[[str], None]


def await_health(
    health: Health,
    deadline: float,
    *,
    note: Note = lambda _: None,
    clock: Clock = REAL,
    containers: Path = CONTAINERS,
) -> Unhealthy | None:
    """Make all checks until all have passed for the stable period.

    Args:
        health: what must hold.
        deadline: when it must, by the clock.
        note: called each time another check is the first to fail.
        clock: what the deadline is on.
        containers: where a folder is for each container that runs.

    Returns:
        ``None`` if all passed, else the first that failed in the last round.
    """
    return _Monitor(health, deadline, note, clock, containers).run()


class _Monitor:
    """The state between two rounds."""

    def __init__(
        self, health: Health, deadline: float, note: Note, clock: Clock, containers: Path
    ) -> None:
        self._health, self._deadline, self._note = health, deadline, note
        self._clock, self._containers = clock, containers
        self._noted = ""
        self._given_up = 0
        self._retries_left = health.retries
        self._stable_since: float | None = None
        self._before: tuple[str, ...] = ()

    def run(self) -> Unhealthy | None:
        last = None
        while True:
            found = self._round()
            problem = self._judge(found)
            if problem is None and self._is_stable():
                return None
            if problem is not None and self._is_over():
                return problem
            if problem is not None and last is not None and self._clock.now() > self._deadline:
                return last
            if self._clock.now() + _PAUSE_SECONDS >= self._deadline:
                return problem or Unhealthy(self._stable_text(), "the deadline passed before that")
            last = problem
            self._clock.pause(_PAUSE_SECONDS)

    def _round(self) -> _Round:
        identities = []
        for check in self._health.checks:
            left = max(1.0, self._deadline - self._clock.now())
            found = find(check, left, self._containers)
            if not found.holds:
                return _Round(check, found)
            identities.append(found.identity)
        return _Round(None, Finding(holds=True), tuple(identities))

    def _judge(self, found: _Round) -> Unhealthy | None:
        """What is wrong in this round; a unit that was restarted in between counts as wrong."""
        problem = found.problem if found.failed else self._replaced(found.identities)
        self._given_up = self._given_up + 1 if found.finding.given_up else 0
        if problem is None:
            if self._stable_since is None:
                self._stable_since = self._clock.now()
                self._before = found.identities
            return None
        if self._stable_since is not None:
            self._stable_since = None
            self._retries_left -= 1
        if problem.check != self._noted:
            self._noted = problem.check
            self._note(f"waiting until {self._noted}")
        return problem

    def _replaced(self, identities: tuple[str, ...]) -> Unhealthy | None:
        if self._stable_since is None:
            return None
        for check, before, now in zip(self._health.checks, self._before, identities, strict=True):
            if before != now:
                return Unhealthy(str(check.condition), "it was restarted in between")
        return None

    def _is_stable(self) -> bool:
        since = self._stable_since
        return since is not None and self._clock.now() - since >= self._health.stable_seconds

    def _is_over(self) -> bool:
        return self._given_up >= _ROUNDS_GIVEN_UP or self._retries_left < 0

    def _stable_text(self) -> str:
        return f"all checks pass for {self._health.stable_seconds} s"
