"""A trial is watched from afar until the device keeps the generation or is back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_status import DOCUMENT, NEW, OLD, STATUS

from reconix.base.documents import JsonInput, print_json
from reconix.fleet.delivery import Delivery
from reconix.fleet.remote import DeviceStatus, Ended, Remote
from reconix.fleet.trial import FellBack, NoOutcome, is_over, wait, wait_live

SSH = """\
#!/bin/sh
answer=$(ls '{folder}' | head -n 1)
cat "{folder}/$answer"
test -s "{folder}/$answer"; status=$?
test "$(ls '{folder}' | wc -l)" = 1 || rm "{folder}/$answer"
test $status = 0 || exit 255
"""
"""Gives one answer after the other, the last one for ever; an empty one is a device that is off."""

Answer = Mapping[str, JsonInput]
OFF: Answer = {}
TRIED: Answer = {"booted": {"boot_id": "boot-2", "system": "default"}, "phase": "on-trial"}
KEPT: Answer = {**TRIED, "phase": "idle", "committed": {"generation": str(NEW)}}
LEFT = Ended("fell-back", str(NEW), "unhealthy", "container broker works", "")
BACK: Answer = {**TRIED, "phase": "idle"}


def delivery(folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> Delivery:
    """To a device that answers this, one after the other."""
    said, program = folder / "said", folder / "ssh"
    said.mkdir()
    for number, each in enumerate(answers):
        document = {**json.loads(print_json(DOCUMENT)), **each} if each else None
        (said / f"{number}").write_bytes(print_json(document) if document else b"")
    program.write_text(SSH.format(folder=said))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Delivery(Remote("gateway"), STATUS, NEW)


def test_a_device_may_be_away_before_it_keeps_the_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = delivery(tmp_path, monkeypatch, OFF, TRIED, OFF, KEPT)
    assert wait(sent, seconds=60, pause_seconds=0).committed == NEW
    assert len(list((tmp_path / "said").iterdir())) == 1, "it was asked until it said so"


def test_what_is_kept_without_a_trial_says_what_was_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: Answer = {"committed": {"generation": str(NEW)}, "untried": ["mqtt"]}
    sent = delivery(tmp_path, monkeypatch, kept)
    assert wait(sent, seconds=60, pause_seconds=0).untried == ("mqtt",)


def test_a_device_that_is_back_has_not_kept_it_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FellBack, match=r"unhealthy: nginx\.service"):
        wait(delivery(tmp_path, monkeypatch, TRIED, BACK), seconds=60, pause_seconds=0)


def test_a_device_that_is_back_and_tells_of_another_trial_is_not_misread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last: Answer = {"result": "fell-back", "generation": str(OLD)}
    with pytest.raises(FellBack, match="no reason given"):
        wait(delivery(tmp_path, monkeypatch, {**BACK, "last": last}), seconds=60, pause_seconds=0)


def test_a_device_that_stays_away_leaves_the_outcome_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoOutcome, match="no outcome of the trial") as caught:
        wait(delivery(tmp_path, monkeypatch, OFF), seconds=0.1, pause_seconds=0)
    assert caught.value.hint == "ask later: reconix status --to gateway"


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (STATUS, False),  # it has not restarted yet
        (replace(STATUS, boot_id="boot-2", phase="on-trial"), False),
        (replace(STATUS, boot_id="boot-2", phase="rejected"), False),
        (replace(STATUS, boot_id="boot-2", phase="armed"), False),  # tried once more
        (replace(STATUS, boot_id="boot-3"), True),  # it is back
        (replace(STATUS, boot_id="boot-2", committed=NEW), True),
        (replace(STATUS, last=LEFT), True),  # without a restart
        (replace(STATUS, last=replace(LEFT, reason="superseded")), False),
        (replace(STATUS, last=LEFT, phase="armed"), False),
    ],
)
def test_a_trial_is_over_when_it_is_kept_or_the_device_is_back(
    now: DeviceStatus, *, over: bool
) -> None:
    assert is_over(STATUS, now, NEW) is over


def test_coming_back_is_told_with_its_reason() -> None:
    assert STATUS.last is not None
    error = FellBack("gateway", STATUS.last)
    assert str(error).splitlines() == [
        "gateway came back to its old generation, because: unhealthy: nginx.service",
        "    bad directive",
    ]
    assert error.exit_code == 79


def live(folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> DeviceStatus:
    sent = replace(delivery(folder, monkeypatch, *answers), is_live=True)
    return wait_live(sent, seconds=60, pause_seconds=0)


def test_a_live_generation_is_waited_for_until_it_has_shown_that_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = json.loads(print_json(DOCUMENT))["booted"]["boot_id"]
    booted: Answer = {
        "boot_id": boot,
        "system": "default",
        "generation": str(NEW),
        "why": "live",
    }
    started: Answer = {"booted": booted, "unproven": True}
    found = live(tmp_path, monkeypatch, {"phase": "idle"}, OFF, started, {"booted": booted})
    assert (found.runs, found.is_live, found.committed) == (str(NEW), True, OLD)
    assert len(list((tmp_path / "said").iterdir())) == 1


def test_a_device_that_restarts_has_left_the_live_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = {"reason": "unhealthy", "what": "unit nginx.service is active", "said": "eighty"}
    left: Answer = {**BACK, "left_system": {"system": "default", "verdict": verdict}}
    with pytest.raises(FellBack, match=r"nginx.service is active\n    eighty"):
        live(tmp_path, monkeypatch, OFF, left)
