"""Paths in an image lead where a program in the container would come to."""

from pathlib import Path

import pytest

from reconix.containers.paths import inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    links = {
        "absolute": "/a/b",
        "relative": "a/../a/b",
        "out": "../../../secret",
        "far": str(tmp_path / "secret"),
        "loop": "loop",
        "one": "two",
        "two": "one",
        "a/up": "../../../a",
        "nothing": "a/nothing",
    }
    for name, target in links.items():
        (tree / name).symlink_to(target)
    return tree


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *(("/", ""), ("", ""), ("/a/./b//", "a/b"), ("a/b/file", "a/b/file")),
        *(("/absolute/file", "a/b/file"), ("/relative", "a/b"), ("/a/up/b", "a/b")),
        *(("/../../a", "a"), ("/a/b/../../../..", "")),
        *(("/out", None), ("/far", None), ("/loop", None), ("/one", None), ("/nothing", None)),
        *(("/" + "x" * 300, None), ("/a" * 3000, None), ("/a\0b", None)),
        *(("/a/b/file/x", None), ("/none", None), ("/a/b/file/..", None)),
    ],
)
def test_a_path_leads_to_what_is_inside(root: Path, path: str, expected: str | None) -> None:
    assert inside(root, path) == (None if expected is None else root / expected)
