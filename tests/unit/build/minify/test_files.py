"""The files of a device are read once, the uppermost first."""

from pathlib import Path

from tests.device_trees import make, write

from reconix.build.minify.files import Files, Way, size_bytes
from reconix.build.software.device_files import Part


def test_what_lies_above_is_seen_and_what_it_hides_is_told(tmp_path: Path) -> None:
    files = make(tmp_path, {"etc/hosts": "old", "etc/issue": "x"}, etc={"hosts": "new"})
    assert files.content("etc/hosts") == b"new"
    assert not files.nodes["etc/hosts"].is_of_root
    assert files.nodes["etc/issue"].is_of_root
    assert [*files.hidden] == ["etc/hosts"]


def test_a_tree_at_its_place_hides_all_that_the_root_has_there(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"opt/air/old/x": "", "opt/other": ""})
    tree = write(tmp_path / "air", {"new": ""})
    files = Files.read([Part("/opt/air", tree, hides=True), Part("", root)])
    assert files.inside("opt/air") == ["opt/air/new"]
    assert [*files.hidden] == ["opt/air/old/x"]
    assert files.inside("opt") == ["opt/air", "opt/other"]


def test_a_link_above_hides_a_folder_with_all_that_is_in_it(tmp_path: Path) -> None:
    files = make(tmp_path, {"etc/air/a/b": ""}, etc={"air": "> /run/air"})
    assert files.nodes["etc/air"].is_link
    assert [*files.hidden] == ["etc/air/a/b"]


def test_lists_beside_a_root_are_no_files_of_a_device(tmp_path: Path) -> None:
    assert [*make(tmp_path, {"metadata": "", "losses": "", "usr/metadata": ""}).nodes] == [
        *("usr", "usr/metadata"),
    ]


def test_a_path_leads_through_links_within_the_device(tmp_path: Path) -> None:
    tree = {"usr/bin/awk": "> /etc/alternatives/awk", "etc/alternatives/awk": "> /bin/mawk"}
    files = make(tmp_path, {**tree, "bin": "> usr/bin", "usr/bin/mawk": ""})
    way = files.way("bin/awk")
    assert way == Way(("bin", "usr/bin/awk", "etc/alternatives/awk", "bin"), "usr/bin/mawk")
    assert files.find("/usr/bin/awk") == "usr/bin/mawk"


def test_a_circle_of_links_leads_nowhere(tmp_path: Path) -> None:
    files = make(tmp_path, {"a": "> b", "b": "> a"})
    assert files.way("a") is None
    assert files.find("a") is None


def test_a_link_among_the_needs_of_a_unit_means_its_name(tmp_path: Path) -> None:
    link = "usr/lib/systemd/system/x.target.wants/a.service"
    files = make(tmp_path, {link: "> ../a.service", "usr/lib/systemd/system/a.service": ""})
    assert files.find(link) == link


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"a": "12345"})
    (root / "b").hardlink_to(root / "a")
    files = Files.read([Part("", root)])
    assert size_bytes(files.nodes, ["a", "b"]) == 5
