"""Lock files are written by other programs, and edited by people: each is read or refused."""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.project_files import ROOT

from reconix.build.software.python import pylock, uv_lock
from reconix.build.software.python.target import Target
from reconix.build.software.python.wanted import BadEnvironment, Question, Wanted

DATA = ROOT / "tests" / "data" / "python"
TARGET = Target((3, 13), "3.13.5", 41, "x86_64")
QUESTION = Question(Path("lock"), TARGET, "python.air", ("plot",), ("device",), frozenset({"air"}))
Read = Callable[[str, dict[str, object], Question], list[Wanted]]

VALUES = st.one_of(
    st.none().map(lambda _: {}),
    st.booleans(),
    st.integers(-1, 3),
    st.text(max_size=8),
    st.sampled_from(["1.0", "air", "tzdata", "..", "a\nb", "sha256:", "x-1-py3-none-any.whl"]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["name", "url", "path", "hash"]), st.text(max_size=3)),
)


def paths(node: object, under: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Where each value of a document is."""
    children: Iterable[tuple[object, object]] = ()
    if isinstance(node, dict | list):
        children = node.items() if isinstance(node, dict) else enumerate(node)
    found = [under] if under else []
    for key, child in children:
        found += paths(child, (*under, key))
    return found


def changed(document: dict[str, object], path: tuple[object, ...], value: object) -> None:
    at: object = document
    for key in path[:-1]:
        at = at[key]  # type: ignore[index] # the path was found in it
    at[path[-1]] = value  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "read"), [("uv.lock", uv_lock.read), ("pylock.uv.toml", pylock.read)]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_lock_that_was_changed_somewhere_is_read_or_refused(
    name: str, read: Read, data: st.DataObject
) -> None:
    content = (DATA / name).read_text()
    document = tomllib.loads(content)
    for _ in range(data.draw(st.integers(1, 3))):
        changed(document, data.draw(st.sampled_from(paths(document))), data.draw(VALUES))
    try:
        wanted = read(content, document, QUESTION)
    except BadEnvironment as error:
        assert all(problem.fact for problem in error.problems)
    else:
        for each in wanted:
            assert "\n" not in f"{each.name}{each.version}{each.file_name}"
