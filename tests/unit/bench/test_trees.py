"""Trees are equal if names, contents, links and executable bits are; archives keep just these."""

import io
import os
from pathlib import Path

import pytest
from bench.updates import trees


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "b/empty").mkdir(parents=True)
    (root / "b/run").write_bytes(b"#!/bin/sh\n")
    (root / "b/run").chmod(0o755)
    (root / "a").write_bytes(b"content")
    (root / "link").symlink_to("b/nowhere")
    return root


def archive(tree: Path) -> bytes:
    out = io.BytesIO()
    trees.write_archive(tree, out)
    return out.getvalue()


def test_what_went_through_an_archive_is_equal(tree: Path, tmp_path: Path) -> None:
    trees.read_archive(io.BytesIO(archive(tree)), tmp_path / "back")
    assert trees.digest(tmp_path / "back") == trees.digest(tree)


def test_times_and_permissions_do_not_matter(tree: Path) -> None:
    before = archive(tree)
    os.utime(tree / "a", (5, 5))
    (tree / "a").chmod(0o600)
    assert archive(tree) == before


@pytest.mark.parametrize("change", ["content", "executable", "name"])
def test_everything_else_does(tree: Path, change: str) -> None:
    before, digest = archive(tree), trees.digest(tree)
    if change == "content":
        (tree / "a").write_bytes(b"changed")
    elif change == "executable":
        (tree / "a").chmod(0o755)
    else:
        (tree / "a").rename(tree / "c")
    assert archive(tree) != before
    assert trees.digest(tree) != digest


def test_all_files_of_an_update_have_to_be_sent(tree: Path) -> None:
    assert trees.size_bytes(tree) == len(b"#!/bin/sh\n") + len(b"content")
    assert trees.size_bytes(tree / "a") == len(b"content")
