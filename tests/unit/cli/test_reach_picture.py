"""What an update reaches, drawn from what the command told."""

from collections.abc import Mapping

import pytest

from reconix.base.documents import Fields, JsonInput, parse_json, print_json
from reconix.cli.reach_picture import draw, reach_document
from reconix.composition.reach import Became, PartChange, SystemChange

SYSTEMS = (
    SystemChange(
        "default",
        Became.CHANGED,
        (
            PartChange("packages", Became.CHANGED, details=("less (none) → 1",)),
            PartChange("agent", Became.SAME),
            PartChange("broker", Became.CHANGED, True),
            PartChange("logger", Became.SAME, True),
            PartChange("added", Became.NEW, True),
        ),
    ),
    SystemChange("mqtt", Became.SAME),
    SystemChange("web", Became.CHANGED),
)


def drawn(what: str, **interrupts: str) -> str:
    effect = {"running": "default", "system": "default", "when": "at once", **interrupts}
    told: Mapping[str, JsonInput] = {
        "host": "gateway",
        "number": 3,
        "interrupts": {"what": what, **effect},
        "reach": reach_document(SYSTEMS),
    }
    return draw(Fields.of(parse_json(print_json(told), source="told"), source="told"))


def test_a_restart_stops_all_that_runs() -> None:
    picture = drawn("restart")
    for words in (
        "gateway, generation 3: a restart, at once",
        "● default: runs, changed",
        "All of it stops: the device restarts, at once.",
        "● container broker: changed, stops",
        "● container logger: same, stops",
        "◐ packages: changed",
        "less (none) → 1",
        "◐ container added: new",
        "○ agent: same",
    ):
        assert f">{words}<" in picture, words


def test_changed_containers_stop_alone() -> None:
    picture = drawn("containers")
    assert ">● container broker: changed, stops<" in picture
    assert ">○ container logger: same<" in picture
    assert ">◐ default: runs, changed<" in picture


def test_what_does_not_run_interrupts_nothing() -> None:
    picture = drawn("nothing", running="mqtt", system="mqtt")
    assert ">○ mqtt: runs, same<" in picture and ">◐ web: changed<" in picture
    assert ">◐ container broker: changed<" in picture
    assert picture.index("mqtt: runs") < picture.index("default: changed"), "what runs is first"
    assert "generation 3: nothing stops" in picture


def test_a_restart_may_try_another_system() -> None:
    assert ">It is what the restart tries.<" in drawn("restart", running="gone", system="web")


@pytest.mark.parametrize("what", ["restart", "containers", "nothing"])
def test_the_same_answer_gives_the_same_bytes(what: str) -> None:
    assert drawn(what) == drawn(what)
