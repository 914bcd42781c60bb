"""Crash states really boot: a real firmware finds in each the generation that was expected.

There is no operating system on the small device: in place of the boot loader each generation has a
tiny program that says which one it is.
"""

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from tests.small_device import SmallDevice, need_recording, small_device
from tests.vm.test_firmware_and_slots import program

from reconix.prove.boots import Boot, Sample, Says, Virtual, boot_sample
from reconix.prove.prover import Job
from reconix.prove.record import record
from reconix.prove.workload import everything
from reconix.store.paths import StorePath
from reconix.vm.qemu import PROGRAM, Accelerator

pytestmark = pytest.mark.vm

COUNT, STATES, SEED = 14, 1000, 1
ONE, TWO = "generation one runs", "generation two runs"


@pytest.fixture
def device(need: Callable[..., None], tmp_path: Path) -> Iterator[SmallDevice]:
    need(PROGRAM)
    need_recording(need)
    one = program(ONE, {}, restarts=False)
    two = program(TWO, {}, restarts=False)
    with small_device(tmp_path, one=one, two=two) as made:
        yield made


@pytest.fixture
def job(device: SmallDevice, tmp_path: Path) -> Job:
    folder = tmp_path / "job"
    folder.mkdir()
    return record(device.image, device.known, folder, lambda rig: everything(rig, device.update))


def booting(
    job: Job, says: Says, folder: Path, *, seconds: float = 120, count: int = COUNT
) -> Generator[Boot, None, None]:
    virtual = Virtual(Accelerator.TCG, memory_mib=256, seconds=seconds)
    return boot_sample(job, Sample(count, STATES, SEED), says, folder, virtual)


def test_a_sample_of_crash_states_boots_what_was_expected(
    device: SmallDevice, job: Job, tmp_path: Path
) -> None:
    says = {device.update.base.path: [ONE], device.update.target.path: [TWO]}

    def expected(path: StorePath) -> list[str]:
        return says[path]

    boots = list(booting(job, expected, tmp_path))
    assert len(boots) == COUNT
    assert [boot for boot in boots if boot.problem] == []
    assert {boot.generation for boot in boots} == set(says), "the sample has old and new states"
    assert len({boot.step for boot in boots}) > 10


def test_who_stops_early_waits_for_no_device(job: Job, tmp_path: Path) -> None:
    """Two run side by side; one has come up, the other one never says what it should."""
    asked: list[StorePath] = []

    def expected(path: StorePath) -> list[str]:
        asked.append(path)
        return ["runs"] if len(asked) == 1 else ["what nobody says"]

    boots = booting(job, expected, tmp_path, seconds=3600, count=2)
    assert next(boots).problem == ""
    began = time.monotonic()
    boots.close()
    assert time.monotonic() - began < 60
    assert not list(tmp_path.glob("booted-*")), "and nothing is left"
