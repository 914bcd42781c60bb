from pathlib import Path

import pytest
from tests.wheels import make_wheel

from reconix.build.software.python.complete import lacking
from reconix.build.software.python.target import Target
from reconix.build.software.python.wheel import BadWheel, Wheel


def facts(
    folder: Path, target: Target, extras: tuple[str, ...] = (), **needs: tuple[str, ...]
) -> list[str]:
    """What is lacking of wheels with these needs, each ``NAME_1_0``."""
    wheels = []
    for key, requires in needs.items():
        name, _, version = key.partition("_")
        made = make_wheel(folder, name, version.replace("_", ".") or "1.0", requires=requires)
        wheels.append(Wheel.read(made))
    return [problem.fact for problem in lacking(wheels, target, {"air": extras})]


def test_a_set_that_has_what_it_needs_lacks_nothing(tmp_path: Path, target: Target) -> None:
    needs = ("NumPy>=2", "six", "colorama; sys_platform == 'win32'", "x; extra == 'plot'")
    assert facts(tmp_path, target, air=needs, numpy_2_1=(), six=()) == []


def test_what_is_not_there_is_told(tmp_path: Path, target: Target) -> None:
    (fact,) = facts(tmp_path, target, air=("six", "numpy>=2"), six=())
    assert fact == "air 1.0 needs numpy>=2, which is not in the environment"


def test_another_version_is_told(tmp_path: Path, target: Target) -> None:
    (fact,) = facts(tmp_path, target, air=("numpy>=2",), numpy_1_26=())
    assert fact == "air 1.0 needs numpy>=2, but there is 1.26"


def test_a_pre_release_that_was_pinned_counts(tmp_path: Path, target: Target) -> None:
    assert facts(tmp_path, target, air=("numpy>=2",), numpy_2_1rc1=()) == []


def test_an_extra_brings_needs_of_its_own(tmp_path: Path, target: Target) -> None:
    needs: tuple[str, ...] = ("x; extra == 'Fast_x'", "y; python_version > '3'")
    assert facts(tmp_path, target, air=("b",), b=needs, y=()) == []
    (fact,) = facts(tmp_path, target, air=("b[fast-x]",), b=needs, y=())
    assert fact.startswith("b 1.0 needs x") and "not in the environment" in fact


def test_an_extra_that_is_asked_for_counts(tmp_path: Path, target: Target) -> None:
    needs = ("x; extra == 'plot'",)
    (fact,) = facts(tmp_path, target, extras=("plot",), air=needs)
    assert fact.startswith("air 1.0 needs x")


def test_a_circle_ends(tmp_path: Path, target: Target) -> None:
    assert facts(tmp_path, target, air=("b[air]",), b=("air[b]; extra == 'air'",)) == []


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-linux_x86_64", "cp313-cp313-manylinux_2_42_x86_64", "py2-none-any"]
)
def test_a_wheel_for_another_python_is_told(tmp_path: Path, target: Target, tag: str) -> None:
    wheel = Wheel.read(make_wheel(tmp_path, tag=tag))
    (problem,) = lacking([wheel], target, {})
    assert problem.fact == f"air-1.4-{tag}.whl is not for {target}"
    assert problem.place.file == wheel.path


def test_a_wheel_for_a_newer_python_is_told(tmp_path: Path, target: Target) -> None:
    wheel = Wheel.read(make_wheel(tmp_path, python=">=3.14"))
    (problem,) = lacking([wheel], target, {})
    assert (problem.fact, problem.hint) == (
        "air needs Python >=3.14",
        "the system has Python 3.13.5",
    )


def test_two_wheels_of_one_distribution_are_told(tmp_path: Path, target: Target) -> None:
    wheels = [Wheel.read(make_wheel(tmp_path, version=version)) for version in ("1", "2")]
    (problem,) = lacking(wheels, target, {})
    assert problem.fact == "air-1-py3-none-any.whl is a wheel of air, too"


def test_a_wheel_whose_needs_cannot_be_told_is_refused(tmp_path: Path, target: Target) -> None:
    with pytest.raises(BadWheel, match="is not a good wheel: the marker"):
        facts(tmp_path, target, air=("six; sys_platform ~= 'linux'",))
