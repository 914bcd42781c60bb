"""What devices may be asked to do follows from what all of them have."""

from pathlib import Path

import pytest
from tests.unit.transfer.sending.scanned import scanned_folder

from reconix.store.tree import File, folder
from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.stream import FEATURES, FIRST_FEATURES
from reconix.transfer.sending.means import Means, Sparing, means_of
from reconix.transfer.sending.trees import FolderNode

LIBRARY = compiled.file_name("aarch64")


def device(place: Path, *names: str) -> list[FolderNode]:
    """The only object of a device, with these files in a folder."""
    files = folder({"bin": folder({name: File(b"x") for name in names})})
    return [scanned_folder(files, place)]


def test_what_all_devices_have_may_be_used(tmp_path: Path) -> None:
    both = device(tmp_path / "a", "gzip", "liblz4.so.1", LIBRARY)
    one = device(tmp_path / "b", "gzip")
    every = Tool.GZIP | Tool.LZ4 | Tool.TRIES | Tool.TYPES | Tool.ZLIB
    assert means_of([both], FEATURES) == Means(every, has_library=True)
    assert means_of([both, one], FIRST_FEATURES) == Means(Tool.GZIP)
    assert means_of([], FIRST_FEATURES) == Means(NO_TOOLS)


@pytest.mark.parametrize("pack", [Pack.GZIP, Pack.XZ])
def test_where_the_processor_is_dear_nothing_is_packed(pack: Pack) -> None:
    assert Means(Tool.GZIP).packs(pack)
    assert not Means(Tool.GZIP, sparing=Sparing.CPU).packs(pack)


def test_a_reference_costs_what_looking_at_it_costs() -> None:
    by_python, by_library = Means(), Means(has_library=True)
    assert by_python.reference_bytes and by_library.reference_bytes
    assert by_library.reference_bytes < by_python.reference_bytes
    assert Means(sparing=Sparing.CPU).reference_bytes is None
