"""Streams of ``nix-store --export``: theirs into our store, ours into theirs."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconix.base.process import Word
from reconix.nix.chroot import ChrootStore
from reconix.nix.database import NotValid
from reconix.nix.export import BadExport, export_stream, import_stream
from reconix.nix.nix_store import take_from_nix
from reconix.store.links import LINKS
from reconix.store.nar import BadArchive

if TYPE_CHECKING:
    from .conftest import Nix

Need = Callable[..., None]


def test_exports_of_nix_are_taken_in_and_given_back(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    need("nix-store", "nix-build", "busybox")
    theirs, back = tmp_path / "theirs", tmp_path / "back"
    (path,) = nix.build(theirs, closure_expression, "all")
    with ChrootStore(theirs) as source, ChrootStore(tmp_path / "ours") as ours:
        ordered = [info.path for info in source.in_order([path])]
        stream = nix("nix-store", "--store", theirs, "--export", *map(str, ordered))
        taken = import_stream(ours, io.BytesIO(stream).read)
        assert sorted(taken) == sorted(ordered)
        assert ours.closure_of(path) == source.closure_of(path)
        assert ours.path_info(path).deriver == source.path_info(path).deriver
        written = bytearray()
        export_stream(ours, taken, written.extend)
        assert bytes(written) == stream
    (back / "nix").mkdir(parents=True)
    nix("nix-store", "--store", back, "--import", stdin=bytes(written))
    nix("nix-store", "--store", back, "--verify", "--check-contents")


def test_closures_are_taken_from_the_nix_of_this_machine(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    need("nix-store", "nix-build", "busybox")
    theirs = tmp_path / "theirs"
    (path,) = nix.build(theirs, closure_expression, "all")
    options: list[Word] = ["--store", theirs, "--option", "build-users-group", ""]
    with ChrootStore(theirs) as source, ChrootStore(tmp_path / "ours") as ours:
        assert sorted(take_from_nix(ours, [path], options)) == ours.closure(path)
        assert ours.closure_of(path) == source.closure_of(path)
        assert take_from_nix(ours, [path], options) == []


def test_a_truncated_export_adds_nothing_half(tmp_path: Path) -> None:
    with ChrootStore(tmp_path / "a") as source, ChrootStore(tmp_path / "b") as target:
        (tmp_path / "file").write_bytes(b"content")
        path = source.add(tmp_path / "file", "file")
        stream = bytearray()
        export_stream(source, [path], stream.extend)
        for size in range(len(stream) - 8):
            with pytest.raises((BadExport, BadArchive)):
                import_stream(target, io.BytesIO(stream[:size]).read)
            assert target.database.valid_paths() == set()
            assert [one.name for one in target.store_dir.iterdir()] == [LINKS]
        assert import_stream(target, io.BytesIO(stream).read) == [path]


def test_an_export_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    with ChrootStore(tmp_path / "a") as source, ChrootStore(tmp_path / "b") as target:
        (tmp_path / "one").write_bytes(b"content")
        one = source.add(tmp_path / "one", "one")
        (tmp_path / "two").write_bytes(str(one).encode())
        two = source.add(tmp_path / "two", "two", [one])
        stream = bytearray()
        export_stream(source, [two], stream.extend)
        with pytest.raises(NotValid, match=r"-two refers to it"):
            import_stream(target, io.BytesIO(stream).read)
