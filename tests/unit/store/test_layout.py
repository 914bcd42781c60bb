"""Which layout a system partition has: said by a file, and believed only if it makes sense."""

from pathlib import Path

import pytest

from reconix.store.layout import LAYOUT, OtherLayout, expect_layout, print_layout, read_layout


def written(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "reconix").mkdir()
    (tmp_path / "reconix/layout").write_bytes(content)
    return tmp_path


def test_what_is_printed_is_read(tmp_path: Path) -> None:
    assert read_layout(written(tmp_path, print_layout())) == LAYOUT
    expect_layout(tmp_path)


def test_a_disk_that_says_nothing_is_one_of_the_first(tmp_path: Path) -> None:
    assert read_layout(tmp_path) == 1
    with pytest.raises(OtherLayout, match="has layout 1; this release needs layout 2"):
        expect_layout(tmp_path)


def test_w3_a_newer_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(OtherLayout) as raised:
        expect_layout(written(tmp_path, b"37\n"))
    assert raised.value.found == 37


@pytest.mark.parametrize("content", [b"", b"2", b"two\n", b"02\n", b"2\n\n", b"-2\n", b"2" * 99])
def test_what_makes_no_sense_is_no_layout(tmp_path: Path, content: bytes) -> None:
    assert read_layout(written(tmp_path, content)) == 0
    with pytest.raises(OtherLayout):
        expect_layout(tmp_path)


def test_a_folder_or_a_link_is_no_layout(tmp_path: Path) -> None:
    (tmp_path / "reconix/layout").mkdir(parents=True)
    assert read_layout(tmp_path) == 0
    (tmp_path / "reconix/layout").rmdir()
    (tmp_path / "2").write_bytes(print_layout())
    (tmp_path / "reconix/layout").symlink_to(tmp_path / "2")
    assert read_layout(tmp_path) == 0
