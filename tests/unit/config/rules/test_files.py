"""Where a file of the configuration may be."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load


@pytest.mark.parametrize(
    "path", ["nginx/nginx.conf", "/srv/tftp/boot.img", "/var/lib/air/first", "/opt/x", "/root/.x"]
)
def test_a_file_may_be_below_etc_or_anywhere_else(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[files."{path}"]\ntext = "x"\n')
    system = load(tmp_path).hosts["gw"].systems["one"]
    assert list(system.files) == [path]
    assert [*system.files_below_etc, *system.files_elsewhere] == [path]
    assert bool(system.files_elsewhere) is path.startswith("/")


@pytest.mark.parametrize(
    ("path", "fact", "hint"),
    [
        ("/etc/motd", "named without it", "write files.motd"),
        ("/etc/nginx/x.conf", "named without it", 'write files."nginx/x.conf"'),
        ("/usr/local/bin/x", "no file can be in /usr", "trees"),
        ("/nix/store/x", "no file can be in /nix", ""),
        ("/run/x", "no file can be in /run", "tmpfiles.d"),
        ("/dev/x", "no file can be in /dev", ""),
        ("/lib/x", "no file can be in /lib", "trees"),
        ("/var/lib/dpkg/status", "/var/lib/dpkg", "package"),
        ("/mnt/x", "/mnt", "disks"),
        ("/x", "is in no folder", "/srv/<name>"),
        ("/srv", "is a folder on every device", "in it"),
    ],
)
def test_a_file_is_not_where_something_else_decides(
    tmp_path: Path, path: str, fact: str, hint: str
) -> None:
    write(tmp_path, one=f'[files."{path}"]\ntext = "x"\n')
    (problem,) = mistakes(tmp_path)
    assert problem.key == f'files."{path}"'
    assert fact in problem.fact
    assert hint in problem.hint
    assert problem.place.line == 1


def test_a_link_may_be_in_the_root_itself(tmp_path: Path) -> None:
    write(tmp_path, one='[files."/data"]\nlink = "/srv/data"\n')
    assert load(tmp_path).hosts["gw"].systems["one"].files_elsewhere["/data"].link == "/srv/data"


@pytest.mark.parametrize("path", ["/srv", "/home", "/var", "/usr", "/lib"])
def test_a_link_does_not_take_the_place_of_a_folder(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[files."{path}"]\nlink = "/data"\n')
    assert len(mistakes(tmp_path)) == 1


@pytest.mark.parametrize("path", ["", "/", "//x/y", "/../x", "a/../b", "/a//b", "/a/"])
def test_a_path_is_plain(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[files."{path}"]\ntext = "x"\n')
    (problem,) = mistakes(tmp_path)
    assert "is not a path below /etc without a leading /" in problem.fact


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        ('[files."/srv/x/y"]\ntext = ""', 'cannot be in files."/srv/x", which is a file'),
        ('[trees."/srv"]\nsource = "../../../x"', "the tree /srv is mounted over it"),
        (
            '[trees."/srv/x/y"]\nsource = "../../../x"',
            "is a file, and the tree /srv/x/y would be in it",
        ),
        ('[persist]\npaths = ["/srv/x"]', "is a file, and persists as a folder"),
    ],
)
def test_a_file_has_a_place_of_its_own(tmp_path: Path, other: str, fact: str) -> None:
    (tmp_path / "x").mkdir()
    write(tmp_path, one=f'{other}\n[files."/srv/x"]\ntext = ""\n')
    (problem,) = mistakes(tmp_path)
    assert fact in problem.fact


def test_below_etc_too_a_file_is_in_no_file(tmp_path: Path) -> None:
    write(tmp_path, one='files.a.text = ""\nfiles."a/b".text = ""\n')
    (problem,) = mistakes(tmp_path)
    assert problem.fact == "cannot be in files.a, which is a file"


@pytest.mark.parametrize("path", ["boot.img", "/srv/tftp/boot.img"])
def test_a_large_file_is_brought_as_a_tree(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[files."{path}"]\nsource = "large"\n')
    with (tmp_path / "hosts/gw/systems/large").open("wb") as file:
        file.truncate((16 << 20) + 1)
    (problem,) = mistakes(tmp_path)
    assert (problem.key.rpartition(".")[2], problem.place.line) == ("source", 2)
    assert problem.fact.endswith("has more than 16M")
    assert "trees" in problem.hint
