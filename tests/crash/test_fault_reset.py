"""P10: a factory reset is cut before each of its steps, and carried out by the next boot."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.initrd_functions import Functions

STEPS = ("mkdir", "mv", "rm", "sync")
KEPT = {
    "machine-id": "1",
    "shared/var/lib/dropbear/key": "2",
    "systems/mqtt/var/lib/mosquitto/db": "3",
    "systems/web/var/lib/web/db": "4",
    "lost+found/x": "5",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A partition on which two systems have kept something."""
    for name, text in KEPT.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "data/.discarded").mkdir()
    return tmp_path / "data"


def boot(data: Path, *, allowed: int) -> bool:
    """What the initrd does about resets, cut after so many steps; whether it came to its end."""
    names = ("set_aside", "reset_data")
    return Functions(names, STEPS, data.parent, {"DATA": str(data), "data": "x"}).run(
        allowed=allowed
    )


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
        (copy / ".reset").write_text(order)
        finished = boot(copy, allowed=allowed)
        assert finished or (copy / ".reset").exists() or kept(copy).keys() != KEPT.keys()
        assert boot(copy, allowed=99)
        assert not (copy / ".reset").exists()
        yield copy
        if finished:
            assert allowed >= 5
            return
    raise AssertionError("the reset has no end")


def test_p10_a_cut_reset_of_everything_is_carried_out_by_the_next_boot(
    data: Path, tmp_path: Path
) -> None:
    for copy in cuts(data, tmp_path, "all\n"):
        assert kept(copy) == {"lost+found/x": "5"}


def test_p10_d4_a_cut_reset_of_one_system_leaves_the_others_alone(
    data: Path, tmp_path: Path
) -> None:
    expected = {name: text for name, text in KEPT.items() if "mqtt" not in name}
    for copy in cuts(data, tmp_path, "systems/mqtt\n"):
        assert kept(copy) == expected


def test_p10_what_was_set_aside_is_left_to_the_agent(data: Path) -> None:
    (data / ".reset").write_text("systems/mqtt\n")
    assert boot(data, allowed=99)
    assert (data.parent / "discarded").exists()
    assert [path.name for path in (data / ".discarded").glob("*/*")] == ["mqtt"]


@pytest.mark.parametrize("order", ["systems/../shared\n", "systems/\n", "shared\n", "\n"])
def test_an_order_that_the_agent_does_not_give_is_not_obeyed(data: Path, order: str) -> None:
    (data / ".reset").write_text(order)
    assert boot(data, allowed=99)
    assert kept(data) == KEPT


def test_without_an_order_nothing_is_done(data: Path) -> None:
    assert boot(data, allowed=0)
    assert kept(data) == KEPT
