"""The picture of the disk is that of the layout, and says itself what it shows."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

from tests.project_files import ROOT
from tools import draw_disk
from tools.draw_disk import begin, draw, end, parts, tables_of_example

PICTURE = ROOT / "docs/disk.svg"
SPACE = "{http://www.w3.org/2000/svg}"


def test_the_picture_in_the_repository_is_that_of_the_example() -> None:
    picture = draw(tables_of_example())
    assert PICTURE.read_text() == picture, "renew it: python tools/draw_disk.py docs/disk.svg"
    assert len(picture) < 200_000
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_each_sector_is_in_one_piece() -> None:
    tables = tables_of_example()
    for pieces, first, last in (
        (parts(tables), 0, tables.sectors),
        (begin(tables), 0, tables.slots[0].first),
        (end(tables), tables.last_usable + 1, tables.sectors),
    ):
        assert pieces[0].first == first
        assert all(one.first + one.sectors == other.first for one, other in pairwise(pieces))
        assert pieces[-1].first + pieces[-1].sectors == last


def test_what_has_a_colour_has_a_word_and_nothing_lies_over_another() -> None:
    root = ElementTree.fromstring(draw(tables_of_example()))
    groups = root.findall(f"{SPACE}g")
    assert len(groups) > 15
    for group in groups:
        assert all(text.text for text in group.findall(f"{SPACE}text"))
    boxes = [group.find(f"{SPACE}rect") for group in groups]
    found = sorted((float(b.attrib["y"]), float(b.attrib["x"]), b) for b in boxes if b is not None)
    for (y, x, one), (other_y, other_x, _) in pairwise(found):
        width = float(one.attrib["width"])
        assert y != other_y or x + width <= other_x + 0.2
        assert width > 20 and x + width <= draw_disk._WIDTH


def test_the_header_leads_to_the_array_of_the_slot_that_boots() -> None:
    root = ElementTree.fromstring(draw(tables_of_example()))
    assert len(root.findall(f"{SPACE}path")) == 2
