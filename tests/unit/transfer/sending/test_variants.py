"""How a file is made on devices with different bases: which variants are sent, who picks which."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.unit.transfer.sending.scanned import Told, scanned, scanned_file

from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Node, folder
from reconix.transfer.format.plan import Alternatives, Location, Meta, Patched, Printed, Take
from reconix.transfer.format.plan import File as Sent
from reconix.transfer.sending.deltas import delta
from reconix.transfer.sending.encode import Literal
from reconix.transfer.sending.means import Means
from reconix.transfer.sending.overlap import Overlap
from reconix.transfer.sending.variants import Chosen, Options, Own, Variant

NOISE = random.Random(1)
NEW, UNLIKE = NOISE.randbytes(5000), NOISE.randbytes(5000)
OLDER, OLDEST = NEW[:3000] + bytes(9) + NEW[3000:], NEW[:1000] + bytes(7) + NEW[1000:]
PLACE = (b"bin", b"tool")


def variants(
    place: Path, bases: Sequence[dict[str, Node]], new: bytes = NEW, told: Told | None = None
) -> Options:
    """A file ``bin/tool``, and what each base has for it."""
    own = tuple(
        (scanned(folder(base), place / f"base-{number}", told),)
        for number, base in enumerate(bases)
    )
    file = scanned_file(new, place / "new")
    step = Literal(b"tool", file, PLACE)
    return Options(step, Own(Overlap((), (), own)).variants(step))


def chosen(options: Options) -> Chosen:
    return options.choose([delta(job) for job in options.jobs(Means())], Means())


def shown(found: Chosen) -> list[str]:
    return [_show(event) for event in found.events() if isinstance(event, Shown)]


Shown = Alternatives | Meta | Sent | Patched | Take


def _show(event: Printed) -> str:
    match event:
        case Alternatives(_, picks):
            return f"alternatives {picks}"
        case Meta(metadata):
            return f"meta {metadata.mode:o}"
        case Take(_, location):
            return f"take {b'/'.join(location.path).decode()}"
    return type(event).__name__.lower()


def has(content: bytes, name: str = "bin/tool") -> dict[str, Node]:
    return {name: File(content), "other": File(b"other")}


def test_with_one_base_there_is_one_variant(tmp_path: Path) -> None:
    options = variants(tmp_path, [has(NEW)])
    assert options.variants == (Variant(),)
    assert shown(chosen(options)) == ["file"]


def test_bases_without_anything_for_a_file_get_it_whole(tmp_path: Path) -> None:
    found = chosen(variants(tmp_path, [{"other": File(b"1")}, {"other": File(b"2")}]))
    assert (shown(found), found.picks) == (["file"], (0,))


def test_an_empty_file_has_no_variants(tmp_path: Path) -> None:
    assert variants(tmp_path, [has(b""), has(b"", "else")], b"").variants == (Variant(),)


def test_bases_that_have_the_file_elsewhere_take_it_from_there(tmp_path: Path) -> None:
    found = chosen(variants(tmp_path, [has(NEW, "one"), has(NEW, "two")]))
    assert shown(found) == ["meta 444", "alternatives (0, 1)", "take one", "take two"]
    assert found.work == 0


def test_bases_with_older_files_patch_them(tmp_path: Path) -> None:
    found = chosen(variants(tmp_path, [has(OLDER), has(OLDEST)]))
    assert shown(found) == ["alternatives (0, 1)", "patched", "patched"]
    assert found.work > len(NEW), "a device reads the variants that it does not pick"


def test_bases_with_the_same_older_file_share_a_variant(tmp_path: Path) -> None:
    options = variants(tmp_path, [has(OLDER), has(OLDER), has(OLDEST)])
    assert {variant.origin for variant in options.variants} == {Location(0, PLACE)}
    assert shown(chosen(options)) == ["alternatives (0, 0, 1)", "patched", "patched"]


def test_if_one_base_needs_the_file_whole_only_those_that_have_it_do_something_else(
    tmp_path: Path,
) -> None:
    found = chosen(variants(tmp_path, [has(OLDER), has(UNLIKE), has(NEW, "moved")]))
    assert shown(found) == ["meta 444", "alternatives (0, 0, 1)", "file", "take moved"]


def test_variants_that_are_no_smaller_together_are_not_sent(tmp_path: Path) -> None:
    half = len(NEW) // 2
    found = chosen(variants(tmp_path, [has(NEW[:half]), has(NEW[half:])]))
    assert shown(found) == ["file"]


def test_what_a_base_has_with_other_metadata_is_taken_too(tmp_path: Path) -> None:
    bases = [has(NEW, "one"), has(NEW, "two")]
    found = chosen(variants(tmp_path, bases, told={"one": Metadata(0o600)}))
    assert shown(found) == ["meta 444", "alternatives (0, 1)", "take one", "take two"]
