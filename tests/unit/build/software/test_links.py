"""Links are followed as a device follows them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.build.software.links import follow, link_target

LINKS = {
    "bin": "usr/bin",
    "usr/bin/awk": "/etc/alternatives/awk",
    "etc/alternatives/awk": "/usr/bin/mawk",
    "usr/up": "../../../etc",
    "one": "other",
    "other": "one",
}


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("usr/bin/mawk", "usr/bin/mawk"),
        ("bin/awk", "usr/bin/mawk"),
        ("usr/up/passwd", "etc/passwd"),
        ("./usr//bin/../up", "etc"),
        ("one/x", None),
        ("../one/../../x", None),
        ("../usr/../../x", "x"),
        ("", ""),
    ],
)
def test_a_path_is_followed(path: str, real: str | None) -> None:
    assert follow(LINKS.get, path) == real


def test_the_last_link_is_left_if_that_is_asked_for() -> None:
    assert follow(LINKS.get, "bin/awk", last=False) == "usr/bin/awk"


NAME = st.sampled_from(["a", "b", "c"])
TARGET = st.lists(st.sampled_from(["a", "b", "c", ".."]), min_size=1, max_size=4).map("/".join)


@given(links=st.dictionaries(NAME, TARGET | TARGET.map("/{}".format)), path=TARGET)
def test_no_link_leads_out_of_the_root(links: dict[str, str], path: str) -> None:
    found = follow(links.get, path)
    assert found is None or ".." not in found.split("/")
    assert found is None or not found.startswith("/")


def test_the_kernel_follows_relative_links_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin/x").symlink_to("../../bin/y")
    (tmp_path / "usr/bin/y").touch()
    found = follow(lambda path: link_target(tmp_path / path), "bin/x")
    assert found is not None
    assert tmp_path / found == (tmp_path / "bin/x").resolve()
    assert found == "usr/bin/y"
