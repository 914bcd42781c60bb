"""The file was written by ``uv lock``; hosts and most wheels of one package are left out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.digests import Digest
from reconix.build.software.python import lock_files
from reconix.build.software.python.wanted import BadEnvironment, Question

Ask = Callable[..., Question]
CONTENT = (ROOT / "tests" / "data" / "python" / "uv.lock").read_text()
OWN = frozenset({"air"})


def names(question: Question) -> list[str]:
    return [each.name for each in lock_files.read(question)]


def test_what_the_project_needs_there_is_wanted(question: Ask) -> None:
    asked = question("uv.lock", CONTENT, own=OWN)
    assert names(asked) == ["markupsafe", "python-dateutil", "tzdata"]
    markup = lock_files.read(asked)[0]
    assert markup.file_name.startswith("markupsafe-3.0.4-cp313-cp313-manylinux")
    assert CONTENT.splitlines()[markup.place.line] == 'name = "markupsafe"'


def test_extras_and_groups_are_wanted_if_they_are_asked_for(question: Ask) -> None:
    needed = ["markupsafe", "python-dateutil", "tzdata"]
    assert names(question("uv.lock", CONTENT, own=OWN, extras=("plot",))) == ["idna", *needed]
    found = names(question("uv.lock", CONTENT, own=OWN, groups=("device",)))
    assert found == ["markupsafe", "pluggy", "python-dateutil", "tzdata"]


@pytest.mark.parametrize(
    ("asked", "fact"), [({"extras": ("x",)}, "no extra x"), ({"groups": ("x",)}, "no group x")]
)
def test_an_extra_or_group_that_the_lock_does_not_know_is_told(
    question: Ask, asked: dict[str, tuple[str, ...]], fact: str
) -> None:
    with pytest.raises(BadEnvironment, match=fact):
        names(question("uv.lock", CONTENT, own=OWN, **asked))


def test_the_project_itself_must_be_a_wheel(question: Ask) -> None:
    with pytest.raises(BadEnvironment, match=r"\. is there as source only") as failure:
        names(question("uv.lock", CONTENT))
    assert "pip wheel --no-deps --wheel-dir wheels '.'" in failure.value.problems[0].hint


def test_a_project_that_is_only_a_list_of_needs_is_none(question: Ask) -> None:
    content = CONTENT.replace("editable", "virtual")
    assert names(question("uv.lock", content)) == ["markupsafe", "python-dateutil", "tzdata"]


DIGEST = Digest.of(b"wheel").hex()
WHEEL = (
    f'wheels = [{{ url = "https://example.com/b-2-py3-none-any.whl", hash = "sha256:{DIGEST}" }}]'
)
HEAD = 'version = 1\n[[package]]\nname = "air"\nversion = "1"\nsource = { virtual = "." }\n'
NEEDS = 'dependencies = [{ name = "b" }]\n'
B = '[[package]]\nname = "b"\nversion = "2"\n'
REGISTRY = 'source = { registry = "https://index.example.com/simple" }\n'


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (HEAD.replace("version = 1\n", "version = 2\n"), "version 2 of uv.lock is not known"),
        (HEAD + NEEDS, "air needs b, for which the lock has no entry"),
        (HEAD + NEEDS + 2 * (B + REGISTRY + WHEEL + "\n"), "for which the lock has 2 entries"),
        (HEAD + NEEDS + B + REGISTRY, "b==2 is there as source only"),
        (
            HEAD + NEEDS + B + REGISTRY + WHEEL.replace("none-any", "none-win32"),
            "no wheel of b==2 is for Python 3.13 on x86_64 with glibc 2.41: b-2-py3-none-win32.whl",
        ),
        (
            HEAD + NEEDS + B + 'source = { git = "https://example.com/b?tag=v2#c0ffee" }\n',
            "git+https://example.com/b@c0ffee is there as source only",
        ),
        (HEAD + NEEDS + B + REGISTRY + WHEEL.replace("sha256:", "md5:"), "no SHA-256 hash"),
        (HEAD + NEEDS + B + REGISTRY + WHEEL.replace("b-2", "c-2"), "listed as a wheel of b 2"),
        (HEAD + NEEDS + B + REGISTRY + WHEEL.replace("b-2", "b-3"), "listed as a wheel of b 2"),
        (HEAD + NEEDS + B + REGISTRY + WHEEL.replace("b-2-", ""), "Invalid wheel filename"),
        (HEAD + 'dependencies = [{ name = "b", marker = "no" }]\n', "a marker that is not underst"),
        (HEAD + 'dependencies = [{ name = "b", marker = "\'x\' in extras" }]\n', "not underst"),
        (HEAD.replace("virtual", "registry"), "for which project it is: there is none"),
        (HEAD + B + 'source = { virtual = "." }\n', "for which project it is: air, b"),
    ],
)
def test_what_cannot_be_had_is_told(question: Ask, content: str, fact: str) -> None:
    with pytest.raises(BadEnvironment) as failure:
        names(question("uv.lock", content))
    (problem,) = failure.value.problems
    assert fact in problem.fact
    assert problem.hint


def test_of_several_projects_the_one_with_a_wheel_counts(question: Ask) -> None:
    other = '[[package]]\nname = "other"\nversion = "1"\nsource = { editable = "other" }\n'
    content = HEAD.replace("virtual", "editable") + other + NEEDS + B + REGISTRY + WHEEL
    assert names(question("uv.lock", content, own=frozenset({"other"}))) == ["b"]


def test_an_extra_of_a_need_is_wanted_with_its_own_needs(question: Ask) -> None:
    needs = 'dependencies = [{ name = "b", extra = ["fast"] }]\n'
    extra = '\n[package.optional-dependencies]\nfast = [{ name = "c" }]\n'
    c = (B + REGISTRY + WHEEL).replace('"b"', '"c"').replace("b-2", "c-2")
    content = HEAD + needs + B + REGISTRY + WHEEL + extra + c
    assert names(question("uv.lock", content)) == ["b", "c"]


def test_a_wheel_at_an_address_or_in_the_project_is_taken_from_there(
    question: Ask, tmp_path: Path
) -> None:
    there = 'source = { url = "https://example.com/b-2-py3-none-any.whl" }\n'
    (b,) = lock_files.read(question("uv.lock", HEAD + NEEDS + B + there + WHEEL))
    assert (b.file, b.origin) == (None, "https://example.com/b-2-py3-none-any.whl")
    here = 'source = { path = "dist/b-2-py3-none-any.whl" }\n'
    wheel = WHEEL.replace('url = "https://example.com/', 'filename = "')
    (b,) = lock_files.read(question("uv.lock", HEAD + NEEDS + B + here + wheel))
    assert b.file == tmp_path / "dist/b-2-py3-none-any.whl"
