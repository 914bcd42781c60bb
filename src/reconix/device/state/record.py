"""Recording what happened: one event, one durable step.

An event changes the state by the rules of ``boot/transitions.py`` and is on the disk before
anything is done that relies on it. Events that change nothing write nothing. What must outlive any
change of the agent is written first, into the ledger: a cut in between leaves it one step ahead.
"""

from reconix.boot import transitions
from reconix.boot.transitions import ended
from reconix.boot.trial import Outcome, State, write_state
from reconix.device.paths import Paths
from reconix.device.state import events


def record(paths: Paths, state: State, event: transitions.Event) -> State:
    """Let an event happen, durably.

    Raises:
        NotNow, WrongSlot: it cannot.
    """
    following = transitions.advance(state, event)
    if following != state:
        from reconix.device.state.ledger import (  # late: most starts do without
            read_ledger,
            write_ledger,
        )

        before = read_ledger(paths.ledger)
        write_ledger(paths.ledger, before, before.following(state, following))
        write_state(paths.state, following)
        _log(paths, state, following)
    return following


def record_found(paths: Paths, found: State) -> None:
    """Record a state that was found out, because none could be read."""
    from reconix.device.state.ledger import read_ledger, write_ledger  # late: hardly ever needed

    before = read_ledger(paths.ledger)
    write_ledger(paths.ledger, before, before.replacing(found))
    write_state(paths.state, found)


def _log(paths: Paths, before: State, after: State) -> None:
    """Put a line into the log for what a person would want to know later."""
    outcome = ended(before, after)
    if outcome is not None:
        events.append(
            paths.log,
            outcome.result.value,
            generation=outcome.generation,
            text=reason_of(outcome) or untried_text(after),
        )
    elif after.phase != before.phase and after.trial is not None:
        said = f"{after.verdict.what}\n{after.verdict.output}" if after.verdict else ""
        events.append(
            paths.log, after.phase.value, generation=after.trial.generation, text=said.strip()
        )


def untried_text(state: State) -> str:
    """Which systems of the committed generation have yet to be tried, for people; "" if none."""
    return f"not yet tried: {', '.join(state.untried)}" if state.untried else ""


def reason_of(outcome: Outcome) -> str:
    """Why a trial ended as it did, in a line for people."""
    if outcome.verdict is None:
        return ""
    what = f": {outcome.verdict.what}" if outcome.verdict.what else ""
    return f"{outcome.verdict.reason.value}{what}"
