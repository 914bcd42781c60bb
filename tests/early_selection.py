"""A mistake that the prover must find, wherever an update needs no trial."""

import pytest

from reconix.boot.tables import select_slot
from reconix.boot.transitions import Event, Untouched
from reconix.boot.trial import State
from reconix.device.hardware.disk import open_disk
from reconix.device.paths import Paths
from reconix.device.state.record import record


def select_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Select the slot before it is written down that its generation needs no trial."""

    def select_first(paths: Paths, state: State, event: Event) -> State:
        if isinstance(event, Untouched):
            assert state.trial is not None and state.trial.slot is not None
            with open_disk(paths) as disk:
                select_slot(disk, state.trial.slot)
        return record(paths, state, event)

    monkeypatch.setattr("reconix.device.update.untouched.record", select_first)
