"""Templates of units and scripts: every place is filled, and a comment on top stays here."""

import re

import pytest
from tests.project_files import enough

from reconix.build.templates import DATA, fill

UNITS = enough(
    sorted(path.name for path in (DATA / "units").iterdir()), at_least=13, what="templates"
)


def test_what_stands_above_a_unit_is_not_in_it() -> None:
    name = "units/reconix-start.service"
    assert (DATA / name).read_text().startswith("# ")
    assert fill(name, agent="/agent").startswith("[Unit]\n")


def test_places_are_filled() -> None:
    text = fill("units/reconix-start.service", agent="/agent")
    assert "\nExecStart=/agent start\n" in text


def test_a_place_without_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="agent"):
        fill("units/reconix-start.service")


@pytest.mark.parametrize("name", UNITS)
def test_below_its_comment_a_template_begins_with_a_section(name: str) -> None:
    places = re.findall(r"@(\w+)@", (DATA / "units" / name).read_text())
    assert fill(f"units/{name}", **dict.fromkeys(places, "x")).startswith("[Unit]\n")
