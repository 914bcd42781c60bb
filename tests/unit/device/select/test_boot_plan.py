"""What follows from a boot: one case a line, on values."""

from dataclasses import dataclass, replace

import pytest
from tests.trial_states import (
    ARMED,
    IDLE,
    NEW,
    OLD,
    ON_TRIAL,
    ONE,
    REJECTED,
    SECOND,
    TWO,
    WRITTEN,
    store_path,
)

from reconix.boot.oneshots.foreign_settings import Setting
from reconix.boot.tables import Slot
from reconix.boot.transitions import advance
from reconix.boot.trial import Outcome, Phase, Reason, Result, State, Verdict
from reconix.device.hardware.reset_reason import ResetReason
from reconix.device.select.boot_plan import Boot, Facts, Plan, decide
from reconix.device.state.choice import Always, Choice, LeftSystem
from reconix.device.state.running import BootReason
from reconix.store.generation import InstalledSystem
from reconix.store.paths import StorePath

UNKNOWN = Verdict(Reason.UNKNOWN)
NOTHING, NO_REASON = Choice(), ResetReason()
PANIC = ResetReason(Reason.PANIC, "no init")

KNOWN = {str(each.path): each for each in (OLD, NEW)}


def boot(system: str = "default", slot: Slot = ONE, *, selected: Slot = ONE) -> Boot:
    of = OLD if slot == ONE else NEW
    return Boot("b", of.system(system).toplevel, slot, selected)


def facts(
    booted: Boot,
    state: State = IDLE,
    choice: Choice = NOTHING,
    reset_reason: ResetReason = NO_REASON,
    *,
    is_remembered: bool = True,
    once_has_agent: bool = False,
) -> Facts:
    return Facts(booted, reset_reason, state, is_remembered, choice, KNOWN, once_has_agent)


def soft(target: str, runs: str) -> Boot:
    """A soft reboot was to start one system, and one runs."""
    return replace(boot(runs), soft_reboot_target=OLD.system(target).toplevel, soft_reboots=1)


ALWAYS = Choice(always=Always("web", failures=1))
AGAIN = Choice(always=Always("web", failures=2), left=LeftSystem("web", UNKNOWN, 1))
GIVEN_UP = Choice(always=Always("web", failures=3), left=LeftSystem("web", UNKNOWN, 2))
ONCE = Choice(once="mqtt")
BOTH = replace(ALWAYS, once="mqtt")


@dataclass(frozen=True)
class Case:
    """What is found, and what is to follow."""

    facts: Facts
    reason: BootReason
    choice: Choice = NOTHING
    phase: Phase = Phase.IDLE
    arms: bool = False
    ask_for: str | None = None
    restarts: bool = False
    is_unproven: bool = False
    writes: bool = True


CASES = {
    "nothing special": Case(facts(boot()), BootReason.COMMITTED, writes=False),
    "the trial": Case(
        facts(boot(slot=TWO), ARMED),
        BootReason.TRIAL,
        phase=Phase.ON_TRIAL,
        is_unproven=True,
    ),
    "the trial, and what was chosen is of no interest": Case(
        facts(boot("mqtt", TWO), ARMED, BOTH),
        BootReason.TRIAL,
        BOTH,
        Phase.ON_TRIAL,
        is_unproven=True,
    ),
    "the trial once more, after its verdict": Case(
        facts(boot(slot=TWO), REJECTED),
        BootReason.TRIAL,
        phase=Phase.REJECTED,
        is_unproven=True,
        writes=False,
    ),
    "a slot that somebody else has chosen in the firmware": Case(
        facts(boot(slot=TWO), replace(IDLE, contents=WRITTEN.contents)),
        BootReason.TRIAL,
        writes=False,
    ),
    "back from a trial that was cut short": Case(
        facts(boot(), ON_TRIAL),
        BootReason.INTERRUPTED,
        phase=Phase.WRITTEN,
        arms=True,
        restarts=True,
    ),
    "never in the trial that was armed": Case(
        facts(boot(), ARMED),
        BootReason.INTERRUPTED,
        phase=Phase.WRITTEN,
        arms=True,
        restarts=True,
    ),
    "cut short, and a system is wanted always": Case(
        facts(boot("web"), ON_TRIAL, ALWAYS),
        BootReason.INTERRUPTED,
        ALWAYS,
        Phase.WRITTEN,
        arms=True,
        restarts=True,
        is_unproven=True,
    ),
    "cut short, and another system is wanted always": Case(
        facts(boot(), ON_TRIAL, BOTH),
        BootReason.INTERRUPTED,
        ALWAYS,
        Phase.WRITTEN,
        arms=True,
        restarts=True,
    ),
    "cut short as often as is allowed": Case(facts(boot(), SECOND), BootReason.FELL_BACK),
    "back from a trial that was not healthy": Case(facts(boot(), REJECTED), BootReason.FELL_BACK),
    "back from a trial with a panic": Case(
        facts(boot(), ON_TRIAL, reset_reason=PANIC), BootReason.FELL_BACK
    ),
    "written, and not armed": Case(
        facts(boot(), WRITTEN), BootReason.COMMITTED, phase=Phase.WRITTEN, writes=False
    ),
    "chosen once": Case(facts(boot("mqtt"), choice=ONCE), BootReason.ONCE),
    "chosen once, and its agent has noticed": Case(
        facts(boot("mqtt"), choice=ONCE, once_has_agent=True), BootReason.ONCE
    ),
    "chosen once, and another system runs": Case(facts(boot(), choice=ONCE), BootReason.COMMITTED),
    "chosen once, and its agent has not noticed": Case(
        facts(boot(), choice=ONCE, once_has_agent=True),
        BootReason.COMMITTED,
        Choice(left=LeftSystem("mqtt", UNKNOWN)),
    ),
    "chosen once, and its agent has not noticed, of which nothing was remembered": Case(
        facts(boot(), choice=ONCE, once_has_agent=True, is_remembered=False),
        BootReason.COMMITTED,
    ),
    "chosen once, and an update was under way": Case(
        facts(boot(), WRITTEN, ONCE, once_has_agent=True),
        BootReason.COMMITTED,
        phase=Phase.WRITTEN,
    ),
    "chosen always": Case(
        facts(boot("web"), choice=ALWAYS),
        BootReason.ALWAYS,
        ALWAYS,
        is_unproven=True,
        writes=False,
    ),
    "chosen always, and did not come up": Case(
        facts(boot(), choice=ALWAYS), BootReason.ALWAYS_FAILED, AGAIN, ask_for="web", restarts=True
    ),
    "chosen always, and did not come up as often as is allowed": Case(
        facts(boot(), choice=AGAIN), BootReason.ALWAYS_FAILED, GIVEN_UP
    ),
    "chosen always, and given up": Case(
        facts(boot(), choice=GIVEN_UP), BootReason.COMMITTED, GIVEN_UP, writes=False
    ),
    "another one chosen once": Case(
        facts(boot("mqtt"), choice=BOTH), BootReason.ONCE, ALWAYS, ask_for="web"
    ),
    "another one chosen once, which did not run": Case(
        facts(boot(), choice=BOTH), BootReason.COMMITTED, ALWAYS, ask_for="web", restarts=True
    ),
    "a soft reboot": Case(
        facts(soft("mqtt", "mqtt")), BootReason.SOFT_REBOOT, is_unproven=True, writes=False
    ),
    "a soft reboot away from what is wanted always": Case(
        facts(soft("mqtt", "mqtt"), choice=ALWAYS),
        BootReason.SOFT_REBOOT,
        ALWAYS,
        ask_for="web",
        is_unproven=True,
    ),
    "a soft reboot that led elsewhere": Case(
        facts(soft("mqtt", "default")),
        BootReason.COMMITTED,
        Choice(left=LeftSystem("mqtt", replace(UNKNOWN, what="it did not come up"))),
    ),
    "a soft reboot that led elsewhere, not for the first time": Case(
        facts(
            soft("mqtt", "default"),
            choice=Choice(left=LeftSystem("mqtt", replace(UNKNOWN, what="it did not come up"))),
        ),
        BootReason.COMMITTED,
        Choice(left=LeftSystem("mqtt", replace(UNKNOWN, what="it did not come up"))),
    ),
    "a cut between the selection of a slot and its record": Case(
        facts(boot(slot=TWO, selected=TWO), ON_TRIAL), BootReason.COMMITTED
    ),
    "a slot that somebody has selected": Case(
        facts(boot(slot=TWO, selected=TWO), replace(IDLE, contents=WRITTEN.contents)),
        BootReason.FELL_BACK,
    ),
    "nothing was remembered": Case(facts(boot(), is_remembered=False), BootReason.COMMITTED),
    "a damaged table": Case(replace(facts(boot()), is_table_damaged=True), BootReason.COMMITTED),
    "a setting of somebody else": Case(
        replace(facts(boot()), foreign_settings=(Setting("Timeout", "x", "it waits"),)),
        BootReason.COMMITTED,
    ),
    "a panic of the committed generation": Case(
        facts(boot(), reset_reason=PANIC), BootReason.COMMITTED
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_follows(case: Case) -> None:
    plan = decide(case.facts)
    assert (plan.running.reason, plan.choice, plan.after.phase) == (
        case.reason,
        case.choice,
        case.phase,
    )
    assert (plan.arms, plan.ask_for, plan.restarts) == (case.arms, case.ask_for, case.restarts)
    assert (plan.is_unproven, plan.writes) == (case.is_unproven, case.writes)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_decided_once_is_not_decided_again(case: Case) -> None:
    """After the plan is carried out, the same boot gives nothing more to do for the state."""
    done = decide(case.facts)
    assert advance(done.after, replace(case.facts.event, reset_reason=Reason.UNKNOWN)) == done.after


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_only_what_was_asked_for_and_is_no_trial_is_chosen(case: Case) -> None:
    chosen = (BootReason.ONCE, BootReason.SOFT_REBOOT)
    assert decide(case.facts).is_chosen == (case.reason in chosen)


def test_the_trial_is_armed_with_the_system_that_it_was_armed_with() -> None:
    plan = decide(facts(boot(), ON_TRIAL, ONCE))
    assert (plan.arms, plan.system_on_trial) == (True, "mqtt")


def test_the_verdict_of_a_boot_is_how_it_ended() -> None:
    last = decide(facts(boot(), ON_TRIAL, reset_reason=PANIC)).after.last
    assert last == Outcome(Result.FELL_BACK, str(NEW.path), Verdict(Reason.PANIC, output="no init"))
    left = decide(facts(boot(), choice=ONCE, once_has_agent=True, reset_reason=PANIC)).choice.left
    assert left == LeftSystem("mqtt", Verdict(Reason.PANIC, output="no init"))
    failed = decide(facts(boot(), choice=ALWAYS, reset_reason=PANIC)).choice.left
    assert failed == LeftSystem("web", Verdict(Reason.PANIC, output="no init"), 1)
    gone = decide(facts(soft("web", "default"), reset_reason=PANIC)).choice.left
    assert gone == LeftSystem("web", Verdict(Reason.PANIC, "it did not come up", "no init"))


def noted(plan: Plan) -> tuple[str, Slot, StorePath | None]:
    return plan.running.system, plan.running.slot, plan.running.generation


def test_the_note_says_what_runs() -> None:
    assert noted(decide(facts(boot("web")))) == ("web", ONE, OLD.path)
    assert noted(decide(facts(boot("mqtt", TWO), ARMED))) == ("mqtt", TWO, NEW.path)
    plan = decide(replace(facts(soft("mqtt", "mqtt")), uptime_seconds=70, seconds_to_confirm=60))
    times = plan.running.started_seconds, plan.running.deadline_seconds
    assert (times, plan.running.soft_reboots) == ((70, 130), 1)
    assert (plan.running.boot_id, plan.running.toplevel) == ("b", OLD.system("mqtt").toplevel)


def test_what_cannot_be_named_has_the_name_of_its_store_path() -> None:
    unreadable = replace(facts(boot("web")), generations={})
    assert noted(decide(unreadable)) == ("web", ONE, OLD.path)
    foreign = replace(boot(), toplevel=store_path("c", "nixos-system"))
    assert noted(decide(facts(foreign))) == ("nixos-system", ONE, OLD.path)
    unknown = facts(replace(boot(), slot=Slot(3)))
    assert noted(decide(unknown)) == ("default", Slot(3), None)


def test_a_system_has_the_name_that_its_generation_gives_it() -> None:
    tops = {"default": store_path("c", "nixos-system"), "mqtt": store_path("d", "nixos-system")}
    foreign = replace(OLD, systems=tuple(InstalledSystem(*each, ()) for each in tops.items()))
    known = replace(facts(boot()), generations={str(OLD.path): foreign})
    runs = replace(known.boot, toplevel=tops["mqtt"])
    assert decide(replace(known, boot=runs)).running.system == "mqtt"
    failed = replace(known.boot, toplevel=tops["default"], soft_reboot_target=tops["mqtt"])
    left = decide(replace(known, boot=failed)).choice.left
    assert left is not None and left.system == "mqtt"


@pytest.mark.parametrize(
    ("state", "slot", "selected", "is_committed"),
    [
        (IDLE, ONE, ONE, True),
        (ARMED, TWO, ONE, False),
        (ON_TRIAL, TWO, TWO, True),
    ],
)
def test_the_committed_generation_runs(
    state: State, slot: Slot, selected: Slot, is_committed: bool
) -> None:
    assert decide(facts(boot(slot=slot, selected=selected), state)).is_committed is is_committed
