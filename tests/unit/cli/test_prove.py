"""What else is done with an update that needs no restart."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.live_containers import made

from reconix.cli.prove import without_restart
from reconix.nix.chroot import ChrootStore
from reconix.prove.data_workload import Persisting
from reconix.prove.subject import Subject, known
from reconix.prove.workload import Update, Workload, in_place, untouched
from reconix.store.paths import StorePath


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ChrootStore(tmp_path / "build") as store:
        yield Machine.make(tmp_path / "device", store)


def done(
    machine: Machine, only: Collection[str], containers: Mapping[str, StorePath]
) -> tuple[Workload, ...]:
    """With an update from containers of version 1."""
    begin = {"default": made(machine.store, ["web 1"])}
    old = machine.generation("base", containers=begin)
    new = machine.generation("two", only=only, like="base", containers=containers or begin)
    both = known(machine.store, old), known(machine.store, new)
    update = Update(both[0].generation, both[1].generation, Path("stream"))
    subject = Subject(Path("image"), update, both, Persisting("", ()))
    return without_restart(machine.store, subject)


def test_what_an_update_touches_says_what_is_done(machine: Machine) -> None:
    changed = {"default": made(machine.store, ["web 2"])}
    assert done(machine, [], changed) == (in_place,)
    assert done(machine, ["mqtt"], {}) == (untouched,)
    assert done(machine, ["default"], changed) == ()
