"""What is asked for and went is caught, once, with who asked; and nothing else."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.device.hardware.lookups import Event, Fork, LookUp, Lost
from reconix.device.hardware.processes import Processes
from reconix.device.settings.removed import Removed, print_removed
from reconix.device.state.missed import MAX_MISSED, Missed
from reconix.device.trial import trap
from reconix.device.trial.trap import Caught, Judge
from reconix.store.tree import File

GONE = 999_999_999
"""No process has this number."""
REMOVED = {"/usr/bin/ss": Removed(5), "/usr/bin/man": Removed(3, "nobody reads manuals")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    return tmp_path


def hear(root: Path, events: Iterable[Event], *, has_containers: bool = False) -> Caught:
    caught = Caught()
    unexpected = {path: each for path, each in REMOVED.items() if not each.is_expected}
    Judge(unexpected, Processes(Path("/proc"), root), caught, has_containers).hear(events)
    return caught


def test_a_path_is_caught_once_with_who_asked_first(root: Path) -> None:
    asked = [LookUp("/bin/ss", GONE, "one"), LookUp("/usr/bin/ss", GONE, "two")]
    assert hear(root, asked).missed == {"/usr/bin/ss": Missed("/usr/bin/ss", 5, "one")}


@pytest.mark.parametrize(
    "path", ["/usr/bin/man", "/usr/bin/never", "/usr/local/bin/ss", "/ss", "/bin/../../ss"]
)
def test_what_stays_is_expected_or_never_was_is_not_caught(root: Path, path: str) -> None:
    assert not hear(root, [LookUp(path, GONE, "one")]).missed


def test_who_has_another_root_asks_for_another_file(root: Path) -> None:
    """This process has one: its root is not the folder of the test."""
    assert not hear(root, [LookUp("/usr/bin/ss", os.getpid(), "one")]).missed
    by_a_child: list[Event] = [Fork(GONE, os.getpid()), LookUp("/usr/bin/ss", GONE, "one")]
    assert not hear(root, by_a_child).missed


def test_who_has_ended_may_have_been_in_a_container(root: Path) -> None:
    assert not hear(root, [LookUp("/usr/bin/ss", GONE, "one")], has_containers=True).missed


def test_what_the_agent_itself_looks_for_is_not_caught(root: Path) -> None:
    assert not hear(root, [LookUp("/usr/bin/ss", threading.get_native_id(), "python3")]).missed


def test_what_is_lost_is_counted(root: Path) -> None:
    assert hear(root, [Lost(3), Lost(4)]).lost == 7


def test_what_is_caught_is_bounded() -> None:
    caught = Caught()
    for number in range(MAX_MISSED + 3):
        for _ in range(2):
            caught.add(Missed(f"/{number}", 1, "x"))
    found = caught.found("", "default")
    assert (len(found.missed), found.others) == (MAX_MISSED, 3)


def test_a_kernel_that_cannot_tell_fails_no_start(machine: Machine) -> None:
    """The device of a test has no kernel at all."""
    machine.boot()
    machine.generation("two", extra={"removed": File(print_removed(REMOVED))})
    machine.install("two")
    two = machine.device.generation(machine.generations["two"]).system("default").toplevel
    trap.set_up(machine.device, two)
    with trap.watching(machine.device, two) as caught:
        pass
    assert not caught.is_whole
