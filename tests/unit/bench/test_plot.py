"""The picture of the figures."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from bench.updates import pairs, plot, table
from bench.updates.ours import Reconix
from bench.updates.table import Row

ROOT = Path(__file__).resolve().parents[3]
FIGURES, PICTURE = ROOT / "docs/updates.csv", ROOT / "docs/updates.svg"
ROWS = [
    Row("config", "ours", "2026-11-30", 100, 1.0, 1.0, 1, 1.0, 2.0, 1),
    Row("config", "a & b", "2026-11-30", 400, 1.0, 1.0, 1, 1.0, 0.0, 1),
]
SPACE = "{http://www.w3.org/2000/svg}"


def bars(picture: str) -> list[float]:
    found = ElementTree.fromstring(picture).findall(f"{SPACE}rect")
    return [float(each.attrib["width"]) for each in found if each.attrib["width"] != "100%"]


def test_the_picture_in_the_repository_is_that_of_its_figures() -> None:
    rows = table.parse_csv(FIGURES.read_text())
    picture = plot.draw(rows, pairs.NAMES, Reconix.name)
    assert PICTURE.read_text() == picture
    assert len(picture) < 200_000
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_bars_are_as_long_as_the_figures() -> None:
    assert bars(plot.draw(ROWS, ["config"], "ours")) == [47.5, 190.0, 190.0, 1.0]


def test_what_was_not_measured_is_not_shown() -> None:
    picture = plot.draw(ROWS, ["nix", "config"], "ours")
    assert "nix" not in picture and "a &amp; b" in picture
