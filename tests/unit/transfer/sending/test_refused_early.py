"""What devices would refuse the sender refuses, before anybody is offered it, or says otherwise."""

import io
import re
from pathlib import Path

import pytest
from tests.unit.transfer.conftest import Pair, Workshop
from tests.unit.transfer.sending.scanned import scanned

from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder
from reconix.transfer.sending import send
from reconix.transfer.sending.rehearsal import DevicesWouldRefuse, expect_held
from reconix.transfer.sending.send import NotAGeneration, StoreDamaged

CONTENT = File(b"what is in it does not matter\n" * 9)


def refused(workshop: Workshop, pair: Pair) -> DevicesWouldRefuse:
    written = io.BytesIO()
    with pytest.raises(DevicesWouldRefuse) as caught:
        send.create(workshop.store, [pair.old], pair.new, written.write)
    assert not written.getvalue()
    return caught.value


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("stream.MAX_HEADER_BYTES", 100),
        ("stream.MAX_FRAMES", 0),
        ("reading.MAX_PAYLOAD_HEAD_BYTES", 100),
        ("manifest_difference.MAX_OBJECTS", 1),
        ("manifest_difference.MAX_PLACES", 1),
        ("manifest_difference.MAX_NEW_IMAGES_BYTES", 4096),
        ("payload_head.MAX_NODES", 1),
        ("costs.MAX_MADE_NODES", 3),
        ("manifest_difference.MAX_NEW_IMAGES_BYTES", 4096),
        ("plan.MAX_DEPTH", 1),
        ("plan.MAX_SIZE", 1000),
        ("plan.MAX_PARTS", 0),
        ("plan.MAX_COPIES", 0),
    ],
)
def test_a_stream_that_breaks_a_limit_is_refused_before_a_byte_of_it_is_written(
    workshop: Workshop, pair: Pair, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(f"reconix.transfer.format.{limit}", value)
    assert refused(workshop, pair).hint


def test_bases_with_too_much_of_their_own_to_be_left_out_are_refused_with_a_way_out(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [
        workshop.generation(root=folder({"same": CONTENT, f"only-here-{number}": File(b"")}))
        for number in range(2)
    ]
    new = workshop.generation(root=folder({"same": CONTENT, "new": File(b"new")}))
    workshop.stream(old[0], new, old[1])
    monkeypatch.setattr("reconix.transfer.format.bases.MAX_LEFT_OUT", 0)
    with pytest.raises(DevicesWouldRefuse) as caught:
        workshop.stream(old[0], new, old[1])
    assert "fewer bases" in str(caught.value.hint)


def test_an_object_whose_names_a_device_could_not_hold_is_refused_by_name(
    workshop: Workshop, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconix.transfer.sending.rehearsal.MAX_WORDS_BYTES", 100)
    error = refused(workshop, pair)
    assert str(workshop.path(pair.new, "root")) in str(error)
    assert "two objects" in str(error.hint)


def test_an_object_takes_what_its_names_targets_attributes_and_small_files_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = folder({"name/inside": File(b"four"), "l": Symlink("go"), "large": File(bytes(65))})
    told = {"name": Metadata(0o755, attributes=((b"user.x", b"yz"),))}
    tree = scanned(shape, tmp_path / "tree", told)
    path = StorePath("0" * 32, "root")
    words = len("name" + "inside" + "four" + "l" + "go" + "large" + "user.x" + "yz") + 64
    monkeypatch.setattr("reconix.transfer.sending.rehearsal.MAX_WORDS_BYTES", words)
    expect_held(path, tree)
    monkeypatch.setattr("reconix.transfer.sending.rehearsal.MAX_WORDS_BYTES", words - 1)
    with pytest.raises(DevicesWouldRefuse, match=f"have {words} bytes"):
        expect_held(path, tree)


def test_a_sidecar_that_was_altered_is_named(workshop: Workshop, pair: Pair) -> None:
    """No object that is sent has other bytes, and yet the images would be others."""
    new = workshop.generation({"root": ((b".", Metadata(0o700)),)}, root=folder({}))
    sidecar = workshop.path(new, "root.sidecar")
    place = workshop.store.path(sidecar)
    place.chmod(0o644)
    place.write_bytes(place.read_bytes().replace(b"0700", b"0777"))
    with pytest.raises(StoreDamaged, match=str(sidecar)):
        workshop.stream(pair.old, new)


def test_a_target_that_promises_other_images_is_refused(workshop: Workshop, pair: Pair) -> None:
    document = (workshop.store.path(pair.new) / "generation.json").read_text()
    bent = re.sub(r'"images": \[\s*"[0-9a-f]{64}"', f'"images": ["{"0" * 64}"', document)
    assert bent != document
    refers = [workshop.path(pair.new, name) for name in ("system-default", "boot")]
    tree = folder({"generation.json": File(bent.encode())})
    other = workshop.store.add_files(tree, "generation-gateway", refers)
    with pytest.raises(NotAGeneration, match="not those that it promises"):
        workshop.stream(pair.old, other)
