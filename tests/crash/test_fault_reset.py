"""P10: a factory reset is cut before each of its steps, and carried out by the next boot."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.initrd_functions import Functions

from reconix.device.factory_reset import leave_order

STEPS = ("mv", "rm", "sync")
NAMES = ("fault", "discard", "set_aside", "make_room", "reset_data")
KEPT = {
    "machine-id": "1",
    "shared/var/lib/dropbear/key": "2",
    "systems/mqtt/var/lib/mosquitto/db": "3",
    "systems/web/var/lib/web/db": "4",
    "lost+found/x": "5",
    "secrets/wifi": "6",
    "device-key": "7",
    "identity.json": "8",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A partition on which two systems have kept something."""
    for name, text in KEPT.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "data/.discarded").mkdir()  # as earlier initrds made it
    return tmp_path / "data"


def boot(data: Path, *, allowed: int) -> bool:
    """What the initrd does about resets, cut after so many steps; whether it came to its end."""
    setting = {"DATA": str(data), "data": "x", "DELETE_SECONDS": "15"}
    return Functions(NAMES, STEPS, data.parent, setting).run(allowed=allowed)


def kept(data: Path) -> dict[str, str]:
    """What systems would find."""
    return {
        str(path.relative_to(data)): path.read_text()
        for path in data.rglob("*")
        if path.is_file() and not path.relative_to(data).parts[0].startswith(".")
    }


def cuts(data: Path, tmp_path: Path, order: str) -> Iterator[Path]:
    """The partition after a cut at each step and a boot that was not cut."""
    for allowed in range(99):
        copy = tmp_path / f"cut-{allowed}" / "data"
        shutil.copytree(data, copy)
        leave_order(copy, order)
        finished = boot(copy, allowed=allowed)
        assert finished or list(copy.glob(".reset.*")) or kept(copy).keys() != KEPT.keys()
        assert boot(copy, allowed=99)
        assert not list(copy.glob(".reset.*"))
        yield copy
        if finished:
            assert allowed >= 4
            return
    raise AssertionError("the reset has no end")


def test_p10_a_cut_reset_of_everything_is_carried_out_by_the_next_boot(
    data: Path, tmp_path: Path
) -> None:
    for copy in cuts(data, tmp_path, "all"):
        assert kept(copy) == {"lost+found/x": "5", "device-key": "7", "identity.json": "8"}


def test_p10_d4_a_cut_reset_of_one_system_leaves_the_others_alone(
    data: Path, tmp_path: Path
) -> None:
    expected = {name: text for name, text in KEPT.items() if "mqtt" not in name}
    for copy in cuts(data, tmp_path, "systems.mqtt"):
        assert kept(copy) == expected


def test_p10_what_was_set_aside_is_left_to_the_agent(data: Path) -> None:
    leave_order(data, "systems.mqtt")
    assert boot(data, allowed=99)
    assert (data.parent / "discarded").exists()
    assert [path.name for path in (data / ".discarded.1").iterdir()] == ["var"]


@pytest.mark.parametrize("order", ["systems", "systems.", "shared", "systems...", ""])
def test_an_order_that_the_agent_does_not_give_stays_and_is_told(data: Path, order: str) -> None:
    leave_order(data, order)
    assert boot(data, allowed=99)
    assert kept(data) == KEPT
    assert (data / f".reset.{order}").exists()
    told = f"the factory reset ({order}) is still to be done: there is no such order\n"
    assert (data.parent / "faults").read_text() == told


def test_without_an_order_nothing_is_done(data: Path) -> None:
    assert boot(data, allowed=0)
    assert kept(data) == KEPT
