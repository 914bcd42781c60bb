"""Patterns say what git says."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.base.process import run
from reconix.config.patterns import Pattern, Patterns

Need = Callable[..., None]


@pytest.mark.parametrize(
    ("pattern", "path", "is_one"),
    [
        ("*.pyc", "a/b/c.pyc", True),
        ("**/*.pyc", "c.pyc", True),
        (".git", "a/.git/config", True),
        ("/.git", "a/.git/config", False),
        ("build/", "build/x", True),
        ("build/", "build", False),
        ("a/*.c", "a/b/x.c", False),
        ("a/**/x.c", "a/b/c/x.c", True),
        (r"\#x", "#x", True),
        ("[ab].c", "b.c", True),
    ],
)
def test_patterns_are_those_of_a_gitignore(pattern: str, path: str, is_one: bool) -> None:
    assert Patterns([pattern]).cover(path) is is_one


_NAMES = st.sampled_from(["a", "b", "c.py", "d.pyc", ".svn", "bin"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_STEPS = st.sampled_from(
    [
        *("a", "b", "*.pyc", "*", "?", "[ab]", "[!a]", "[^ab]", "[a-c]"),
        *(r"\a", "*a*", ".svn", "**", "a**"),
    ]
)
_PATTERNS = st.builds(
    lambda negated, start, body, end: f"{negated}{start}{body}{end}",
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "/", "**/"]),
    st.lists(_STEPS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "/", "/**"]),
).filter(lambda pattern: "a**/" not in pattern)  # of which git makes something of its own


def test_git_says_the_same_of_patterns(
    tmp_path_factory: pytest.TempPathFactory, need: Need
) -> None:
    need("git")

    @settings(max_examples=60)
    @given(st.lists(_PATTERNS, min_size=1, max_size=3), st.sets(_PATHS, min_size=1, max_size=5))
    def check(patterns: list[str], paths: set[str]) -> None:
        folder = tmp_path_factory.mktemp("repository")
        run("git", "init", "--quiet", folder)
        for path in sorted(paths):
            place = folder / path
            blocked = any((folder / above).is_file() for above in Path(path).parents)
            if not blocked and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
        (folder / ".git/info/exclude").write_text("".join(f"{line}\n" for line in patterns))
        said = run("git", "-C", folder, "ls-files", "--others", "--exclude-standard", "-z")
        expected = {path for path in said.decode().split("\0") if path}
        assert set(left(folder, Patterns(patterns))) == expected

    check()


def left(folder: Path, patterns: Patterns, under: str = "") -> Iterator[str]:
    """The files that no pattern matches."""
    for entry in os.scandir(folder / under):
        path = f"{under}{entry.name}"
        if entry.name == ".git" or patterns.match(path, is_folder=entry.is_dir()):
            continue
        if entry.is_dir():
            yield from left(folder, patterns, f"{path}/")
        else:
            yield path


@pytest.mark.parametrize(
    "line", ["", "/", "!", "!/", "# note", "[a", "a\\", "[[:alpha:]]", "[b-a]", "a//b", "[", "[]"]
)
def test_what_is_no_pattern_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="a pattern"):
        Pattern.parse(line)
