"""A path that went and was asked for is unexpected, unless a sentence is about it."""

from pathlib import Path

import pytest
from tests.device_trees import Tree, write

from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons
from reconix.composition.asked_for import Watched

ROOT: Tree = {
    "bin": "> usr/bin",
    "usr/bin/ss": "",
    "usr/bin/netstat": "> ../bin/ss",
    "usr/bin/ip": "",
    "usr/sbin/ip": "",
    "usr/sbin/swapon": "",
    "usr/lib/x86_64-linux-gnu/libtss.so.0": "",
    "etc/vconsole.conf": "",
    "usr/bin/tar": "",
    "usr/share/gone/x": "",
    "etc/hosts": "",
}
WENT = Because("", "nothing reaches it")
GOES = {
    "usr/bin/ss": WENT,
    "usr/bin/netstat": WENT,
    "usr/sbin/ip": WENT,
    "usr/sbin/swapon": Because("swap", "a device has no swap"),
    "usr/lib/x86_64-linux-gnu/libtss.so.0": Because("", "only suggested by /usr/bin/x, for tpm"),
    "etc/vconsole.conf": WENT,
    "usr/bin/tar": WENT,
    "usr/share/gone": Because("", "nothing in it stays"),
    "usr/share/gone/x": WENT,
    "etc/hosts": Because("", "the configuration has a file in its place"),
}
STAYS = dict.fromkeys(("usr/bin/ip", "etc/hosts"), Because("", "is of the configuration"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, ROOT)


def watched(root: Path, *without: str) -> Watched:
    return Watched(root, Reasons(STAYS, GOES), without)


def test_paths_are_followed_and_the_first_who_asked_is_named(root: Path) -> None:
    missed = watched(root).missed(
        [("/bin/ss", "one"), ("/usr/bin/ss", "two"), ("/usr/bin/ip", "one"), ("ss", "one")]
    )
    assert [(each.path, each.task) for each in missed] == [("usr/bin/ss", "one")]
    assert watched(root).unexpected(missed) == missed


def test_a_link_is_missed_with_what_it_leads_to(root: Path) -> None:
    missed = watched(root).missed([("/usr/bin/netstat", "x")])
    assert [each.path for each in missed] == ["usr/bin/netstat", "usr/bin/ss"]


def test_what_a_sentence_is_about_is_expected(root: Path) -> None:
    library = "/usr/lib/x86_64-linux-gnu/libtss.so.0"
    asked = ("/usr/sbin/swapon", library, "/etc/vconsole.conf", "/usr/bin/tar")
    missed = watched(root).missed([(path, "x") for path in asked])
    assert len(missed) == 4
    assert watched(root).unexpected(missed) == []


def test_a_program_that_another_folder_has_is_expected(root: Path) -> None:
    missed = watched(root).missed([("/usr/sbin/ip", "sh")])
    assert [each.path for each in missed] == ["usr/sbin/ip"]
    assert watched(root).unexpected(missed) == []


def test_what_the_project_does_without_is_expected(root: Path) -> None:
    missed = watched(root).missed([("/usr/bin/ss", "x")])
    assert watched(root, "/usr/bin/ss").unexpected(missed) == []


def test_folders_are_not_missed(root: Path) -> None:
    assert watched(root).missed([("/usr/share/gone", "x")]) == []


def test_what_the_configuration_has_in_its_place_is_not_missed(root: Path) -> None:
    assert watched(root).missed([("/etc/hosts", "x")]) == []
