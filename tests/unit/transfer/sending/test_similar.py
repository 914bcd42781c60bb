"""What has a new name and a new content is still made from the old one."""

import random
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.transfer.sending.scanned import scanned

from reconix.store.tree import File, folder
from reconix.transfer.format.plan import Location
from reconix.transfer.sending.encode import Literal, describe
from reconix.transfer.sending.match import Index
from reconix.transfer.sending.similar import sketch

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop

CHANCE = random.Random(7)
MODEL = CHANCE.randbytes(60_000)
OTHER = CHANCE.randbytes(60_000)
TEXT = b"".join(b"setting_%d = %d\n" % (CHANCE.randrange(10**6), n) for n in range(2000))


def edited(content: bytes) -> bytes:
    """Content in which everything moves and some of it changes."""
    middle = len(content) // 2
    return b"new beginning" + content[:middle] + b"new middle" * 20 + content[middle + 100 :]


def test_sketches_of_similar_contents_share_most_numbers() -> None:
    for content in (MODEL, TEXT):
        assert len(set(sketch(content)) & set(sketch(edited(content)))) > 30
    assert not set(sketch(MODEL)) & set(sketch(OTHER))


def test_a_file_with_another_name_is_found_by_its_content(tmp_path: Path) -> None:
    old = folder({"a/model.bin": File(MODEL), "a/zz": File(OTHER), "b": File(TEXT)})
    new = folder({"detector.onnx": File(edited(MODEL)), "settings": File(edited(TEXT))})
    index = Index()
    index.add(0, scanned(old, tmp_path / "1"))
    steps = describe(scanned(new, tmp_path / "2"), Location(0), 1, index).steps
    found = {step.name: step.origin for step in steps if isinstance(step, Literal)}
    assert found == {
        b"detector.onnx": Location(0, (b"a", b"model.bin")),
        b"settings": Location(0, (b"b",)),
    }


def test_a_file_that_is_like_nothing_has_no_origin(tmp_path: Path) -> None:
    index = Index()
    index.add(0, scanned(folder({"a": File(MODEL)}), tmp_path / "1"))
    new = scanned(folder({"b": File(OTHER)}), tmp_path / "2")
    steps = describe(new, Location(0), 1, index).steps
    (literal,) = [step for step in steps if isinstance(step, Literal)]
    assert literal.origin is None
    assert literal.old is None


def test_a_moved_model_costs_what_changed_in_it(workshop: "Workshop") -> None:
    old = workshop.generation(app=folder({"models/v1.bin": File(MODEL)}))
    new = workshop.generation(app=folder({"nets/detector": File(edited(MODEL))}))
    stream = workshop.stream(old, new)
    assert len(stream) < 1500
    registry = workshop.device(old)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, new)
