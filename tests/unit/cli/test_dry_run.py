"""`reconix deploy --dry-run`, with the agent itself behind a program in place of ssh."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.device_model import HOST, Machine
from tests.unit.device.conftest import Units, machine, new_machine, store, units
from tests.unit.fleet.test_delivery import Link, link
from tools import draw_told

from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.cli.words import lasting
from reconix.store.tree import File, Node
from reconix.transfer.format.stream import FRAME_BYTES

__all__ = ["link", "machine", "new_machine", "store", "units"]

_NUMBERS = itertools.count()
"""All tests share a store, and each has generations 1 and 2."""

Captured = pytest.CaptureFixture[str]


class Project:
    """A project of whose two generations a device runs the first."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        self.name = f"dry-run-{next(_NUMBERS)}"
        host = folder / "hosts" / HOST
        (host / "systems").mkdir(parents=True)
        (host / "machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
        (host / "systems/default.toml").touch()
        self.budgets()
        machine.boot()
        noise: dict[str, Node] = {"large": File(random.Random(3).randbytes(6 * FRAME_BYTES))}
        machine.generation("two", extra=noise)
        pins = Pins(machine.store.root, self.name, HOST)
        for name in ("one", "two"):
            pins.add(machine.generations[name])

    def budgets(self, *lines: str) -> None:
        text = "\n".join([f'name = "{self.name}"', "[budgets]", *lines, ""])
        (self.folder / "reconix.toml").write_text(text)

    def __call__(self, *words: str) -> int:
        store = str(self.machine.store.root)
        return main(["--project", str(self.folder), "--store", store, *words])

    def answer(self, capsys: Captured, *words: str, expect: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert self("deploy", "--dry-run", "--unsigned", "--json", *words) == expect
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found


@pytest.fixture
def project(machine: Machine, link: Link, tmp_path: Path) -> Project:
    return Project(machine, tmp_path / "project")


TO = ("--to", "device")


def test_what_is_told_is_what_is_then_sent(
    project: Project, link: Link, units: Units, capsys: Captured
) -> None:
    said = project.answer(capsys, *TO)
    assert link.asked() == [], "nothing was sent"
    assert project("deploy", *TO, "--unsigned", "--wait", "0", "--json") == 0
    sent = json.loads(capsys.readouterr().out)
    assert said["link"]["left_bytes"] == said["link"]["stream_bytes"] == sent["sent_bytes"]
    assert (said["generation"], said["base"]) == (sent["generation"], sent["base"])
    assert said["writes"]["total_bytes"] > said["writes"]["contents"] > 6 * FRAME_BYTES
    assert said["interrupts"] == {
        "what": "restart",
        "running": "default",
        "system": "default",
        "when": "at once",
        "automatic": True,
        "window": None,
        "one_shot": "firmware",
    }


def test_what_has_arrived_already_is_not_counted(
    project: Project, link: Link, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    link.cut(4 * FRAME_BYTES, *[0] * 9)
    assert project("deploy", *TO, "--unsigned", "--wait", "0") == 78
    link.cut()
    found = project.answer(capsys, *TO)["link"]
    assert 0 < found["left_bytes"] <= found["stream_bytes"] - 2 * FRAME_BYTES


def test_a_device_need_not_be_there(project: Project, link: Link, capsys: Captured) -> None:
    asked = project.answer(capsys, *TO)
    alone = project.answer(capsys, "--base", "1")
    assert link.words().count("status --json") == 1
    same = ("link", "store", "must_be_free", "slot", "systems", "budgets")
    assert [alone[key] for key in same] == [asked[key] for key in same]
    assert alone["room"] == []
    assert alone["writes"]["slot"] >= asked["writes"]["slot"], "nobody knows what is in the slot"


def test_a_link_says_how_long_it_takes(project: Project, capsys: Captured) -> None:
    found = project.answer(capsys, "--base", "1", "--link", "lte-m")["link"]
    assert found["seconds"] > found["left_bytes"] * 8 / 300_000
    assert project("deploy", "--dry-run", "--unsigned", "-b", "1", "--link", "lte-m") == 0
    assert f"{lasting(found['seconds'])} at 300000 bit/s" in capsys.readouterr().out
    assert project("deploy", "--dry-run", "--base", "1", "--link", "pigeon") == 2


def test_each_budget_has_a_verdict_and_one_that_is_exceeded_an_exit_status(
    project: Project, capsys: Captured
) -> None:
    project.budgets('update = "1M"', 'writes = "64M"')
    found = project.answer(capsys, "--base", "1")
    assert [(each["name"], each["kept"]) for each in found["budgets"]] == [
        ("update", True),
        ("writes", True),
    ]
    project.budgets('update = "4K"', 'writes = "64M"')
    found = project.answer(capsys, "--base", "1", expect=63)
    assert [each["kept"] for each in found["budgets"]] == [False, True]
    assert project("deploy", "--dry-run", "--unsigned", "--base", "1") == 63
    assert "update   " in (said := capsys.readouterr().out) and " too much\n" in said


def test_a_device_that_lacks_room_is_told_so(
    project: Project, link: Link, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [each["kept"] for each in project.answer(capsys, *TO)["room"]] == [True, True]
    monkeypatch.setattr("reconix.transfer.receiving.room.MARGIN_BYTES", 1 << 60)
    found = project.answer(capsys, *TO, expect=56)
    assert [each["kept"] for each in found["room"]] == [False, True]


def test_a_device_that_has_it_needs_nothing(project: Project, link: Link, capsys: Captured) -> None:
    done = project.answer(capsys, *TO, "--generation", "1")
    assert done["outcome"] == "it has this generation already"
    assert project.answer(capsys, "--base", "2")["outcome"] == done["outcome"]
    project.machine.install("two")
    there = project.answer(capsys, *TO)
    assert there["link"]["stream_bytes"] == there["store"]["peak_bytes"] == 0
    assert there["writes"]["slot"] > 0


def test_systems_that_stay_are_named(project: Project, capsys: Captured) -> None:
    assert project("deploy", "--dry-run", "--unsigned", "--base", "1") == 0
    said = capsys.readouterr().out
    assert "systems  changed: default, mqtt\n" in said
    assert "stops    a restart, at once, for the trial of system default\n" in said


def test_what_it_reaches_is_drawn(project: Project, tmp_path: Path, capsys: Captured) -> None:
    picture = tmp_path / "reach.svg"
    said = project.answer(capsys, "--base", "1", "--svg", str(picture))
    assert {each["name"]: each["became"] for each in said["reach"]} == {
        "default": "changed",
        "mqtt": "changed",
    }
    assert picture.read_text() == draw_told.reach(json.dumps(said).encode())
    assert "default: runs, changed" in picture.read_text()


def test_link_and_base_are_for_a_dry_run(project: Project, capsys: Captured) -> None:
    assert project("deploy", *TO, "--link", "lte-m") == 2
    assert project("deploy", *TO, "--base", "1") == 2
    assert project("deploy", *TO, "--svg", "x.svg") == 2
    assert "--dry-run" in capsys.readouterr().err
