"""What a trial asked for and minify took is remembered, and with strict the reason to leave it.

The kernel is a folder and a pipe here; with a real one it is done in ``tests/vm/test_hangs.py``.
"""

import os
from collections.abc import Iterator

import pytest
from tests.device_model import Machine
from tests.status_parts import part
from tests.unit.device.conftest import Units
from tests.unit.device.select.test_watch import BROKEN, on_trial, verdict

from reconix.boot.trial import Reason, Verdict
from reconix.device.select.watch import watch
from reconix.device.settings.policy import NAME, Policy, print_policy
from reconix.device.settings.removed import Removed, print_removed
from reconix.device.state.events import read_events
from reconix.device.state.missed import read_missed
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.store.tree import File, Node

LOOK_UP = (
    b"  monitor.sh-99999999 [000] ..... 2.7: looked_up: (vfs_statx <- filename_lookup)"
    b' result=-2 comm="monitor.sh" path="%s"\n'
)
TOLD = (
    "/usr/bin/ss was asked for by monitor.sh (unit not known); removed because nothing reaches "
    'it; minify.keep = ["/usr/bin/ss"], 128.2 KiB'
)
WHAT = "nothing is asked for that minify took"


def trapped(*, strict: bool = False) -> dict[str, Node]:
    """What a toplevel has besides."""
    removed = {"/usr/bin/ss": Removed(131240), "/usr/bin/man": Removed(1, "nobody reads")}
    policy = print_policy(Policy(trial_timeout_seconds=60, strict_minify=strict))
    return {"removed": File(print_removed(removed)), NAME: File(policy)}


@pytest.fixture
def kernel(machine: Machine) -> Iterator[int]:
    """Where the kernel writes."""
    instance = machine.paths.tracing / "instances/reconix"
    instance.mkdir(parents=True)
    (instance / "tracing_on").touch()
    (machine.paths.tracing / "kprobe_events").touch()
    os.mkfifo(instance / "trace_pipe")
    descriptor = os.open(instance / "trace_pipe", os.O_RDWR | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def test_what_was_asked_for_is_told_once_and_the_trial_is_kept(
    machine: Machine, units: Units, kernel: int
) -> None:
    on_trial(machine, extra=trapped())
    os.write(kernel, LOOK_UP % b"/usr/bin/ss" * 2 + LOOK_UP % b"/usr/bin/man")
    assert watch(machine.device)
    assert machine.selected == 2
    told = part(status_lines(read_status(machine.device)), "missed")
    assert told == [
        f"missed     {TOLD}",
        f"           in the last trial of default, {machine.generations['two']}",
    ]
    events = [each for each in read_events(machine.paths.log) if each.name == "missed"]
    assert [each.text for each in events] == [TOLD]


def test_with_strict_it_is_the_reason_to_leave(machine: Machine, units: Units, kernel: int) -> None:
    on_trial(machine, extra=trapped(strict=True))
    os.write(kernel, LOOK_UP % b"/usr/bin/ss")
    assert not watch(machine.device)
    machine.boot()
    assert verdict(machine) == Verdict(Reason.UNHEALTHY, WHAT, TOLD)
    assert read_missed(machine.paths) is not None


def test_with_strict_a_trial_that_misses_nothing_is_kept(
    machine: Machine, units: Units, kernel: int
) -> None:
    on_trial(machine, extra=trapped(strict=True))
    os.write(kernel, LOOK_UP % b"/usr/bin/man")
    assert watch(machine.device)
    assert read_missed(machine.paths) is None


def test_with_strict_a_kernel_that_cannot_tell_is_a_reason(machine: Machine, units: Units) -> None:
    on_trial(machine, extra=trapped(strict=True))
    assert not watch(machine.device)
    machine.boot()
    told = "the kernel of this device cannot tell"
    assert verdict(machine) == Verdict(Reason.UNHEALTHY, WHAT, told)


def test_a_check_that_fails_is_the_reason_before_it(
    machine: Machine, units: Units, kernel: int
) -> None:
    on_trial(machine, health=BROKEN, extra=trapped(strict=True))
    os.write(kernel, LOOK_UP % b"/usr/bin/ss")
    assert not watch(machine.device)
    machine.boot()
    found = verdict(machine)
    assert found is not None
    assert found.what == "unit nginx.service is active"
    assert read_missed(machine.paths) is not None


def test_the_next_trial_forgets_it(machine: Machine, units: Units, kernel: int) -> None:
    on_trial(machine, extra=trapped())
    os.write(kernel, LOOK_UP % b"/usr/bin/ss")
    assert watch(machine.device)
    on_trial(machine, name="three")
    assert watch(machine.device)
    assert read_missed(machine.paths) is None
