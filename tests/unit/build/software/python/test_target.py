import os
import platform
import sys

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, parse_tag, sys_tags

from reconix.base.digests import Digest
from reconix.build.software.python.target import BadMarker, NoPython, Target, fits
from reconix.config.lock.packages import LockedPackage

TRIXIE = {"python3": "3.13.5-1", "python3.13-minimal": "3.13.5-2+deb13u5", "libc6": "2.41-12"}


def packages(versions: dict[str, str]) -> list[LockedPackage]:
    return [
        LockedPackage(
            name=name,
            version=version,
            architecture="amd64",
            size_bytes=1,
            sha256=Digest.of(name.encode()),
            archive="debian",
            path=f"pool/{name}.deb",
            date="20260912T075541Z",
        )
        for name, version in versions.items()
    ]


def test_the_target_is_what_the_locked_packages_say() -> None:
    found = Target.of(packages(TRIXIE), "amd64")
    assert found == Target((3, 13), "3.13.5", 41, "x86_64")
    assert str(found) == "Python 3.13 on x86_64 with glibc 2.41"


@pytest.mark.parametrize(
    ("said", "version"),
    [("3.14.0~rc2-1", "3.14.0rc2"), ("1:3.14.1-1", "3.14.1"), ("3.14.0~b1+ds-3", "3.14.0b1")],
)
def test_the_full_version_is_the_one_that_python_says(said: str, version: str) -> None:
    found = {"python3": "3.14.0-1", "python3.14-minimal": said, "libc6": "2.42-1"}
    assert Target.of(packages(found), "arm64").full_version == version


@pytest.mark.parametrize("missing", ["python3", "libc6"])
def test_a_system_without_python_is_told(missing: str) -> None:
    rest = {name: version for name, version in TRIXIE.items() if name != missing}
    with pytest.raises(NoPython, match=f"no {missing} among the packages") as failure:
        Target.of(packages(rest), "amd64")
    assert 'packages = ["python3"]' in failure.value.hint


AMD, ARM = (Target((3, 13), "3.13.5", 41, machine) for machine in ("x86_64", "aarch64"))


@pytest.mark.parametrize(
    ("tag", "on_amd", "on_arm"),
    [
        ("py3-none-any", True, True),
        ("py2.py3-none-any", True, True),
        ("cp313-cp313-manylinux_2_41_x86_64", True, False),
        ("cp313-cp313-manylinux_2_42_x86_64", False, False),  # too new a library
        ("cp313-cp313-manylinux2014_x86_64", True, False),
        ("cp313-cp313-manylinux1_x86_64", True, False),
        ("cp313-cp313-manylinux2014_aarch64", False, True),
        ("cp313-cp313-manylinux_2_12_aarch64", False, False),  # no such library ever was
        ("cp39-abi3-manylinux_2_28_x86_64", True, False),
        ("cp314-abi3-manylinux_2_28_x86_64", False, False),
        ("cp312-cp312-manylinux_2_28_x86_64", False, False),
        ("cp313-cp313t-manylinux_2_28_x86_64", False, False),
        ("cp313-cp313-musllinux_1_2_x86_64", False, False),
        ("cp313-cp313-win_amd64", False, False),
        ("cp313-cp313-linux_x86_64", True, False),
        ("cp313-none-any", True, True),
        ("py312-none-any", True, True),
    ],
)
def test_a_wheel_fits_or_not(tag: str, on_amd: bool, on_arm: bool) -> None:
    assert fits(parse_tag(tag), AMD) is on_amd
    assert fits(parse_tag(tag), ARM) is on_arm


def test_what_is_made_for_a_newer_library_comes_first() -> None:
    tags = AMD.tags()
    newer, older = (
        tags.index(Tag("cp313", "cp313", f"manylinux_2_{minor}_x86_64")) for minor in (28, 17)
    )
    assert newer < older < tags.index(Tag("py3", "none", "any"))


def test_tags_are_those_that_packaging_finds_on_such_a_machine() -> None:
    """This machine is one: its own Python, library and architecture."""
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    assert name == "glibc"
    minor = int(version.partition(".")[2])
    here = Target(sys.version_info[:2], platform.python_version(), minor, platform.machine())
    assert list(here.tags()) == list(sys_tags())


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'x86_64' and python_version >= '3.13'", True),
        ("python_full_version < '3.13.6'", True),
        ("platform_release >= '5'", False),
        ("extra == 'plot'", False),
        ("implementation_name == 'cpython'", True),
    ],
)
def test_markers_are_about_the_device(marker: str, holds: bool) -> None:
    assert AMD.holds(Marker(marker)) is holds


def test_an_extra_is_looked_at_by_its_name() -> None:
    assert AMD.holds(Marker("extra == 'plot'"), "plot")


@pytest.mark.parametrize("marker", ["sys_platform ~= 'linux'", "'x' in extras", "'a' < 'b'"])
def test_a_marker_that_says_nothing_is_told(marker: str) -> None:
    with pytest.raises(BadMarker, match="compares what cannot be compared"):
        AMD.holds(Marker(marker))
