"""P13: a secret arrives, and is cut at each step: the device has the old value or the new one."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from tests.asking import put
from tests.crash.test_fault_storage import Failing
from tests.cuts import states
from tests.device_model import Machine

from reconix.device.state.lock import exclusive_secrets
from reconix.device.state.secrets import KEY_BYTES, kept_secrets, make_device_key, remove

OLD, NEW = b"the old value", b"the new value, which is longer"


def value(machine: Machine) -> bytes | None:
    """What a unit would get."""
    place = machine.paths.secrets / "mqtt-password"
    return place.read_bytes() if place.exists() else None


def cut(machine: Machine, place: Path) -> Machine:
    return replace(machine, place=place)


@pytest.mark.parametrize("old", [OLD, None])
def test_p13_a_cut_at_any_step_leaves_the_old_value_or_the_new_one(
    machine: Machine, old: bytes | None
) -> None:
    if old is not None:
        put(machine, "mqtt-password", old)
    found = set()
    for place in states(machine.place, lambda: put(machine, "mqtt-password", NEW), at_least=5):
        left = cut(machine, place)
        found.add(value(left))
        assert all(not kept.fault and not kept.note for kept in kept_secrets(left.paths))
        put(left, "mqtt-password", NEW)
        assert [path.name for path in left.paths.secrets.iterdir()] == ["mqtt-password"]
        left.remove()
    assert found == {old, NEW}


def test_p13_a_cut_removal_leaves_the_value_or_nothing(machine: Machine) -> None:
    put(machine, "mqtt-password", OLD)

    def work() -> None:
        with exclusive_secrets(machine.paths):
            remove(machine.paths, "mqtt-password")

    found = {value(cut(machine, place)) for place in states(machine.place, work, at_least=2)}
    assert found == {OLD, None}


def test_p13_a_device_whose_first_start_is_cut_makes_its_key_at_the_next(machine: Machine) -> None:
    machine.paths.device_key.unlink()
    for place in states(machine.place, lambda: make_device_key(machine.paths), at_least=4):
        left = cut(machine, place)
        key = left.paths.device_key
        was_there = key.read_bytes() if key.exists() else None
        assert was_there is None or len(was_there) == KEY_BYTES
        assert make_device_key(left.paths) == (was_there is None)
        assert was_there in (None, key.read_bytes())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_p13_a_disk_that_is_full_or_fails_at_any_step_keeps_the_old_value(
    machine: Machine, number: int
) -> None:
    put(machine, "mqtt-password", OLD)
    for allowed in range(99):
        with Failing(allowed, number) as disk:
            try:
                put(machine, "mqtt-password", NEW)
            except OSError as error:
                assert error.errno == number
        assert value(machine) in (OLD, NEW)
        assert all(not kept.fault for kept in kept_secrets(machine.paths))
        put(machine, "mqtt-password", OLD)
        assert [path.name for path in machine.paths.secrets.iterdir()] == ["mqtt-password"]
        if disk.steps <= allowed:
            assert allowed > 4
            return
    raise AssertionError("it has no end")
