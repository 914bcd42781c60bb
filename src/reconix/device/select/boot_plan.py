"""The plan of a start: what follows from what was booted and from what was remembered.

No disk, no firmware and no clock: ``decide`` is a function of ``Facts``, which ``start.py`` reads,
and gives a ``Plan``, which ``start.py`` carries out.

Tested by ``tests/unit/device/select/test_boot_plan.py``, a table of cases; on a whole device by
``tests/unit/device/select/test_start.py``.
"""

from collections.abc import Mapping

from reconix.base.records import dataclass, replace
from reconix.boot.oneshots.foreign_settings import Setting
from reconix.boot.tables import Slot
from reconix.boot.transitions import Booted, advance
from reconix.boot.trial import Phase, Reason, Result, State, Verdict
from reconix.device.hardware.reset_reason import ResetReason
from reconix.device.state.choice import Choice, FollowUp, came_up, is_to_be_proven, leaving
from reconix.device.state.running import BootReason, Running
from reconix.store.generation import Generation, system_name
from reconix.store.paths import StorePath

_CHOSEN = (BootReason.ONCE, BootReason.SOFT_REBOOT, BootReason.LIVE)


@dataclass(frozen=True, slots=True)
class Boot:
    """What was booted, as root, firmware and partition table say it.

    Attributes:
        boot_id: the kernel's name for this boot.
        toplevel: the system that runs.
        slot: from which the boot loader was loaded.
        selected: the slot that the table selects, or will when the trial is over.
        soft_reboot_target: the system that was to take over, if this began with a soft reboot.
        soft_reboots: how many there were since the kernel was started.
    """

    boot_id: str
    toplevel: StorePath
    slot: Slot
    selected: Slot
    soft_reboot_target: StorePath | None = None
    soft_reboots: int = 0

    @property
    def took_over(self) -> bool:
        """Whether a system has taken over, and is the one that was to."""
        return self.soft_reboot_target == self.toplevel

    def event(self, before: ResetReason) -> Booted:
        """This boot, as the rules of a trial see it."""
        return Booted(self.slot, self.selected, before.reason, before.output)

    @property
    def did_not_take_over(self) -> bool:
        """Whether a system was to take over, and another one runs."""
        return self.soft_reboot_target not in (None, self.toplevel)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a start decides on.

    Attributes:
        boot: what was booted.
        reset_reason: how the boot before has ended.
        state: before this boot.
        is_remembered: whether that was remembered; if not, it was found out from the disk.
        choice: what was asked for before this boot.
        generations: those of the slots in question, by their paths; not those that are unreadable.
        once_has_agent: whether the system that was chosen once would have noticed that it runs.
        is_table_damaged: whether the partition table must be repaired.
        foreign_settings: what firmware and boot loader obey, and nobody here has set.
        seconds_to_confirm: how long a trial of what runs may take.
        uptime_seconds: on the monotonic clock.
        live: the generation of what runs, if that is not committed.
    """

    boot: Boot
    reset_reason: ResetReason
    state: State
    is_remembered: bool
    choice: Choice
    generations: Mapping[str, Generation]
    once_has_agent: bool = False
    is_table_damaged: bool = False
    foreign_settings: tuple[Setting, ...] = ()
    seconds_to_confirm: int = 0
    uptime_seconds: int = 0
    live: Generation | None = None

    @property
    def event(self) -> Booted:
        """This boot, as the rules of a trial see it."""
        return self.boot.event(self.reset_reason)

    def system_name(self, generation: str | None, toplevel: StorePath) -> str:
        """What a system is called in its generation; else by the name of its store path."""
        return system_name(self.generations.get(generation or ""), toplevel)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a start writes down and asks for.

    Attributes:
        facts: from which it follows.
        after: the state after this boot.
        choice: what is asked for from now on.
        running: the note for everybody.
        ask_for: the system that the firmware is to start next.
        arms: whether the trial that was cut short is armed again.
        system_on_trial: the system to arm it with; None: the default one.
        restarts: whether that should be at once, if the firmware takes it.
        is_unproven: whether what runs must show that it is healthy, if the device does not restart.
    """

    facts: Facts
    after: State
    choice: Choice
    running: Running
    ask_for: str | None = None
    arms: bool = False
    system_on_trial: str | None = None
    restarts: bool = False
    is_unproven: bool = False

    @property
    def is_committed(self) -> bool:
        """Whether the committed generation runs."""
        return self.facts.boot.slot == self.after.committed.slot

    @property
    def is_chosen(self) -> bool:
        """Whether somebody asked for the system that runs, and not for a trial."""
        return self.running.reason in _CHOSEN

    @property
    def writes(self) -> bool:
        """Whether anything must be written to the disk or told to the firmware."""
        facts = self.facts
        return bool(
            facts.is_table_damaged
            or facts.boot.did_not_take_over
            or facts.foreign_settings
            or facts.reset_reason.reason is Reason.PANIC
            or not facts.is_remembered
            or self.after != facts.state
            or self.choice != facts.choice
            or self.ask_for is not None
        )


def decide(facts: Facts) -> Plan:
    """What follows from the facts."""
    boot, after = facts.boot, advance(facts.state, facts.event)
    system = system_name(facts.live, boot.toplevel) if facts.live else ""
    system = system or facts.system_name(after.in_slot(boot.slot), boot.toplevel)
    asked, follow = facts.choice, FollowUp(facts.choice)
    if boot.slot == after.committed.slot:
        asked = replace(facts.choice, once=system) if boot.took_over else facts.choice
        follow = _follow(facts, asked, system)
    arms = _was_cut_short(facts.state, after)
    runs_trial = after.is_on_trial and boot.slot != after.committed.slot
    return Plan(
        facts=facts,
        after=after,
        choice=_noting_failed_soft_reboot(facts, after, follow.choice),
        running=_describe(facts, after, system, _reason(facts, after, asked, follow, system)),
        ask_for=None if arms else follow.ask_for,
        arms=arms,
        system_on_trial=asked.once,
        restarts=arms or follow.restart,
        is_unproven=(
            boot.took_over
            or runs_trial
            or is_to_be_proven(follow.choice, system)
            or (boot.slot == after.committed.slot and system in after.untried)
        ),
    )


def _was_cut_short(before: State, after: State) -> bool:
    """Whether a trial has ended without a verdict, and is tried again."""
    return before.phase in (Phase.ARMED, Phase.ON_TRIAL) and after.phase is Phase.WRITTEN


def _follow(facts: Facts, asked: Choice, system: str) -> FollowUp:
    """What follows for the choice when a system of the committed generation runs."""
    how = Verdict(facts.reset_reason.reason, output=facts.reset_reason.output)
    follow = came_up(asked, system, how)
    if not _should_have_run(facts, system):
        return follow
    return replace(follow, choice=leaving(follow.choice, str(facts.choice.once), how))


def _should_have_run(facts: Facts, system: str) -> bool:
    """Whether another system was asked for once, and its agent would have noticed that it runs."""
    was_asked = facts.choice.once not in (None, system)
    is_ordinary = facts.is_remembered and facts.state.trial is None
    is_full_reboot = facts.boot.soft_reboot_target is None
    return was_asked and is_ordinary and is_full_reboot and facts.once_has_agent


def _noting_failed_soft_reboot(facts: Facts, after: State, choice: Choice) -> Choice:
    """The choice, and that the system was left to which a soft reboot has not led."""
    target = facts.boot.soft_reboot_target
    if target is None or not facts.boot.did_not_take_over:
        return choice
    system = facts.system_name(after.committed.generation, target)
    before = facts.reset_reason
    return leaving(choice, system, Verdict(before.reason, "it did not come up", before.output))


def _describe(facts: Facts, after: State, system: str, reason: BootReason) -> Running:
    boot = facts.boot
    generation = str(facts.live.path) if facts.live else after.in_slot(boot.slot)
    return Running(
        boot_id=boot.boot_id,
        toplevel=boot.toplevel,
        system=system,
        slot=boot.slot,
        generation=StorePath.parse(generation) if generation else None,
        deadline_seconds=facts.uptime_seconds + facts.seconds_to_confirm,
        soft_reboots=boot.soft_reboots,
        started_seconds=facts.uptime_seconds,
        reason=reason,
    )


def _reason(facts: Facts, after: State, asked: Choice, follow: FollowUp, system: str) -> BootReason:
    before, boot = facts.state, facts.boot
    if boot.took_over:
        return BootReason.LIVE if facts.live else BootReason.SOFT_REBOOT
    if boot.slot != after.committed.slot:
        return BootReason.TRIAL
    if _was_cut_short(before, after):
        return BootReason.INTERRUPTED
    if after.last != before.last and after.last and after.last.result is Result.FELL_BACK:
        return BootReason.FELL_BACK
    always = follow.choice.always
    if always is not None and always.system == system:
        return BootReason.ALWAYS
    if always != asked.always:
        return BootReason.ALWAYS_FAILED
    return BootReason.ONCE if asked.once == system else BootReason.COMMITTED
