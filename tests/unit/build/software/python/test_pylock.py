"""The files were written by ``uv export`` and ``pip lock``; hosts and most wheels are left out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.digests import Digest
from reconix.build.software.python import lock_files
from reconix.build.software.python.wanted import BadEnvironment, Question
from reconix.config.lock.wheels import INDEX

Ask = Callable[..., Question]
DATA = ROOT / "tests" / "data" / "python"
OF_UV, OF_PIP = ((DATA / f"pylock.{tool}.toml").read_text() for tool in ("uv", "pip"))
OWN = frozenset({"air"})
DIGEST = Digest.of(b"wheel")


def test_the_best_wheel_for_the_target_is_chosen(question: Ask) -> None:
    found = lock_files.read(question("pylock.toml", OF_UV, own=OWN))
    names = ["idna", "iniconfig", "markupsafe", "pluggy", "python-dateutil", "tzdata"]
    assert [each.name for each in found] == names, "nothing that is for Windows only"
    (markup,) = [each for each in found if each.name == "markupsafe"]
    assert markup.file_name.startswith("markupsafe-3.0.4-cp313-cp313-manylinux")
    assert markup.file_name.endswith("x86_64.whl")
    assert (markup.version, markup.origin, len(markup.hashes)) == ("3.0.4", INDEX, 1)
    assert OF_UV.splitlines()[markup.place.line] == 'name = "markupsafe"'


def test_a_folder_is_no_wheel_unless_the_project_has_one_of_it(question: Ask) -> None:
    with pytest.raises(BadEnvironment, match=r"\. is there as source only") as failure:
        lock_files.read(question("pylock.toml", OF_UV))
    (problem,) = failure.value.problems
    assert "pip wheel --no-deps" in problem.hint and "python.air.wheels" in problem.hint


def test_a_lock_for_another_python_is_told(question: Ask) -> None:
    """``pip lock`` pins what the Python wants that runs it; that one was 3.11."""
    with pytest.raises(BadEnvironment, match="No wheel found matching") as failure:
        lock_files.read(question("pylock.toml", OF_PIP))
    (problem,) = failure.value.problems
    assert problem.place.line == 4
    assert "uv export" in problem.hint


def test_what_pip_has_locked_is_read(question: Ask) -> None:
    content = OF_PIP.replace("cp311-cp311", "cp313-cp313")
    found = lock_files.read(question("pylock.dev.toml", content))
    assert [each.name for each in found] == ["markupsafe", "python-dateutil", "tzdata"]


def lock(packages: str, version: str = "1.0", head: str = "") -> str:
    return f'lock-version = "{version}"\ncreated-by = "test"\n{head}\n{packages}'


def package(source: str, name: str = "air", more: str = "") -> str:
    return f'[[packages]]\nname = "{name}"\nversion = "1.4"\n{more}{source}\n'


HASHES = f'hashes = {{ sha256 = "{DIGEST.hex()}" }}'
URL = "https://files.example.com"
WHEEL = f'wheels = [{{ url = "{URL}/air-1.4-py3-none-any.whl", {HASHES} }}]'
SDIST = f'sdist = {{ url = "{URL}/air-1.4.tar.gz", {HASHES} }}'


@pytest.mark.parametrize(
    ("content", "fact", "line"),
    [
        (lock(package(WHEEL), "1.1"), "lock-version 1.1 is not known", 0),
        (lock(package(WHEEL), "2.0"), "pylock version 2.0 is not supported", 0),
        (lock(package(SDIST)), "air==1.4 is there as source only, not as a wheel", 4),
        (
            lock(package(WHEEL.replace("none-any", "none-win32") + "\n" + SDIST)),
            "no wheel of air==1.4 is for Python 3.13 on x86_64 with glibc 2.41",
            4,
        ),
        (
            lock(package(f'vcs = {{ type = "git", url = "{URL}/a", commit-id = "c0ffee" }}')),
            f"git+{URL}/a@c0ffee is there as source only",
            4,
        ),
        (lock(package(WHEEL.replace("sha256", "sha512"))), "has no SHA-256 hash", 4),
        (lock(package(WHEEL, more='requires-python = ">=3.14"\n')), "'>=3.14'", 4),
        (lock(package(WHEEL), head='requires-python = "<3.13"'), "'<3.13'", 0),
        (
            lock(package(WHEEL, more="marker = \"sys_platform ~= 'linux'\"\n")),
            "a marker compares what cannot be compared",
            0,
        ),
        (lock(package(WHEEL) + package(WHEEL)), "Multiple packages with the name 'air'", 8),
        (lock(package(WHEEL, name="Air")), "is not normalized", 4),
        (lock(""), "Missing required value", 0),
        ("lock-version = 1", "Unexpected type int", 0),
    ],
)
def test_what_cannot_be_had_is_told(question: Ask, content: str, fact: str, line: int) -> None:
    with pytest.raises(BadEnvironment) as failure:
        lock_files.read(question("pylock.toml", content))
    (problem,) = failure.value.problems
    assert fact in problem.fact
    assert (problem.place.line, problem.place.file.name) == (line, "pylock.toml")


def test_extras_and_groups_are_those_of_the_lock(question: Ask) -> None:
    head = 'extras = ["plot"]\ndependency-groups = ["dev", "test"]\ndefault-groups = ["dev"]'
    markers = {"a": "'plot' in extras", "b": "'dev' in dependency_groups"}
    packages = "".join(
        package(WHEEL.replace("air-", f"{name}-"), name, f'marker = "{marker}"\n')
        for name, marker in markers.items()
    )

    def names(**asked: tuple[str, ...]) -> list[str]:
        content = lock(packages, head=head)
        return [each.name for each in lock_files.read(question("pylock.toml", content, **asked))]

    assert names() == ["b"]
    assert names(extras=("plot",)) == ["a", "b"]
    assert names(groups=("test",)) == []


def test_a_file_of_the_project_and_an_archive_are_where_they_say(
    question: Ask, tmp_path: Path
) -> None:
    here = f'wheels = [{{ path = "dist/air-1.4-py3-none-any.whl", {HASHES} }}]'
    there = f'archive = {{ url = "{URL}/b-2-py3-none-any.whl", {HASHES} }}'
    content = lock(package(here) + package(there, "b"))
    air, b = lock_files.read(question("pylock.toml", content))
    assert air.file == tmp_path / "dist/air-1.4-py3-none-any.whl"
    assert (b.file, b.origin) == (None, f"{URL}/b-2-py3-none-any.whl")
