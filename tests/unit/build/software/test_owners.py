"""To whom the paths of a root belong."""

from pathlib import Path

import pytest
from tests.installed_packages import make_root

from reconix.build.software.owners import (
    Diversion,
    How,
    Owner,
    Owners,
    parse_diversions,
    parse_list,
)


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    make_root(tmp_path, "mail")
    return Owners.read(tmp_path)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("usr/bin/tool", Owner(How.LISTED, ("tool",))),
        ("usr/bin/shell", Owner(How.LISTED, ("shell",))),
        ("usr/bin", Owner(How.LISTED, ("base", "shell", "tool"))),
        ("usr/bin/post", Owner(How.LISTED, ("post",))),
        ("usr/bin/post.of-server", Owner(How.DIVERTED, ("server",), "usr/bin/post")),
        ("usr/bin/editor", Owner(How.LINKED, ("tool",), "usr/bin/tool")),
        ("etc/alternatives/editor", Owner(How.LINKED, ("tool",), "usr/bin/tool")),
        ("usr/bin/circle", Owner(How.MADE)),
        (
            "usr/lib/tool/__pycache__/tool.cpython-313.pyc",
            Owner(How.COMPILED, ("tool",), "usr/lib/tool/tool.py"),
        ),
        ("var/lib/dpkg/info/library.list", Owner(How.RECORDED, ("library",))),
        ("var/lib/dpkg/status", Owner(How.RECORDED, ("dpkg",))),
        ("etc/made-by-server", Owner(How.MADE)),
    ],
)
def test_a_path_belongs_to_a_package(owners: Owners, path: str, owner: Owner) -> None:
    assert owners.of(path) == owner


def test_a_path_has_the_name_of_the_folder_that_it_is_really_in(owners: Owners) -> None:
    assert owners.real("bin/shell") == "usr/bin/shell"
    assert owners.real("bin") == "usr/bin"
    assert owners.real("binary/x") == "binary/x"


def test_scripts_tell_who_made_what_nobody_brought(owners: Owners) -> None:
    assert owners.makers("etc/made-by-server") == ("server",)
    assert owners.makers("etc/made-by") == ()
    assert owners.makers("made-by-server") == ()
    assert owners.makers("etc/made-by-nobody") == ()


def test_lists_and_diversions_are_read_as_dpkg_writes_them() -> None:
    assert list(parse_list(b"/.\n/usr\n/usr/a b\n/usr/\xff\n")) == ["usr", "usr/a b", "usr/\udcff"]
    written = b"/usr/bin/a\n/usr/bin/a.real\nb\n/x\n/y\n:\n"
    assert parse_diversions(written) == {
        "usr/bin/a": Diversion("usr/bin/a.real", "b"),
        "x": Diversion("y", ":"),
    }
    assert parse_diversions(b"") == {}


def test_a_link_that_leads_out_of_the_root_does_not(tmp_path: Path) -> None:
    make_root(tmp_path / "root", "default")
    (tmp_path / "out").symlink_to("root/usr/bin/tool")
    (tmp_path / "root/usr/bin/away").symlink_to("../../../out")
    owners = Owners.read(tmp_path / "root")
    assert owners.of("usr/bin/away") == Owner(How.MADE)
