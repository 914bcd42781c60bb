"""Crash states really boot: a real firmware finds in each the generation that was expected.

There is no operating system on the small device: in place of the boot loader each generation has a
tiny program that says which one it is.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.small_device import need_recording, small_device
from tests.vm.test_firmware_and_slots import program

from reconix.prove.boots import Virtual, boot_some
from reconix.prove.record import record
from reconix.prove.scenario import everything
from reconix.store.paths import StorePath
from reconix.vm.qemu import PROGRAM, Accelerator

pytestmark = pytest.mark.vm

COUNT, STATES, SEED = 14, 1000, 1


def test_a_sample_of_crash_states_boots_what_was_expected(
    need: Callable[..., None], tmp_path: Path
) -> None:
    need(PROGRAM)
    need_recording(need)
    one = program("generation one runs", {}, restarts=False)
    two = program("generation two runs", {}, restarts=False)
    with small_device(tmp_path, one=one, two=two) as device:
        folder = tmp_path / "job"
        folder.mkdir()
        job = record(device.image, device.known, folder, lambda rig: everything(rig, device.update))
        says = {
            device.update.base.path: ["generation one runs"],
            device.update.target.path: ["generation two runs"],
        }
        virtual = Virtual(Accelerator.TCG, memory_mib=256, seconds=120)

        def expected(path: StorePath) -> list[str]:
            return says[path]

        boots = list(boot_some(job, COUNT, expected, tmp_path, virtual, wanted=STATES, seed=SEED))
    assert len(boots) == COUNT
    assert [boot for boot in boots if boot.problem] == []
    assert {boot.generation for boot in boots} == set(says), "the sample has old and new states"
    assert len({boot.step for boot in boots}) > 10
