"""Where a folder of the project may be on a device."""

import re
from pathlib import Path

import pytest
from tests.config_projects import mistakes, write
from tests.project_files import ROOT

from reconix.config.load import load, load_with_places
from reconix.config.schema.values import FolderPath

AIR = 'source = "../../../build/air"\n'


@pytest.fixture(autouse=True)
def _source(tmp_path: Path) -> None:
    (tmp_path / "build/air").mkdir(parents=True)


@pytest.mark.parametrize(
    "path", ["/opt/air", "/air", "/srv/tftp", "/usr/local", "/usr/share/air", "/var/lib/air"]
)
def test_a_tree_may_be_where_nothing_else_decides(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[trees."{path}"]\n{AIR}')
    ((found, tree),) = load(tmp_path).hosts["gw"].systems["one"].trees.items()
    assert (found, tree.source) == (path, FolderPath(tmp_path / "build/air"))


@pytest.mark.parametrize(
    ("path", "fact", "hint"),
    [
        ("/etc/air", "no tree can be in /etc", "use files"),
        ("/nix/store/x", "no tree can be in /nix", "store"),
        ("/usr/lib/modules", "/usr/lib/modules", "kernel"),
        ("/usr/lib/systemd/system", "/usr/lib/systemd", "units"),
        ("/run/air", "/run", "/opt/<name>"),
        ("/proc/x", "/proc", ""),
        ("/var/lib/dpkg/info", "/var/lib/dpkg", "package"),
        ("/lib/air", "/lib is a link", "write /usr/lib/air"),
        ("/usr", "hide", "/opt/<name>"),
        ("/var/lib", "hide", "/opt/<name>"),
    ],
)
def test_a_tree_is_not_where_the_system_decides(
    tmp_path: Path, path: str, fact: str, hint: str
) -> None:
    write(tmp_path, one=f'[trees."{path}"]\n{AIR}')
    (problem,) = mistakes(tmp_path)
    assert fact in problem.fact
    assert hint in problem.hint
    assert (problem.place.file.name, problem.place.line) == ("one.toml", 1)
    assert problem.key == f'trees."{path}"'


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        ('persist.paths = ["/opt"]', "never visible: /opt persists"),
        ('persist.shared = ["/opt/air"]', "never visible: /opt/air persists"),
        ('volumes.card.path = "/opt"', "the volume card is mounted over it"),
        ('[trees."/opt/air/plugins"]\n' + AIR, "is inside the tree /opt/air"),
    ],
)
def test_a_tree_is_not_where_something_else_is_mounted(
    tmp_path: Path, other: str, fact: str
) -> None:
    write(tmp_path, one=f'{other}\n[trees."/opt/air"]\n{AIR}')
    (problem,) = mistakes(tmp_path)
    assert fact in problem.fact


@pytest.mark.parametrize("path", ["opt/air", "/", "/opt/../etc", "/../etc", "//air", "/a b", "/a/"])
def test_a_tree_has_a_plain_place(tmp_path: Path, path: str) -> None:
    write(tmp_path, one=f'[trees."{path}"]\n{AIR}')
    (problem,) = mistakes(tmp_path)
    assert "is not an absolute path" in problem.fact


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ("../../../build/gone", "is no folder"),
        ("one.toml", "is no folder"),
        ("/etc", "expected the path of a folder, relative to "),
        ("", "expected the path of a folder, relative to "),
    ],
)
def test_the_source_is_a_folder_that_is_there(tmp_path: Path, source: str, fact: str) -> None:
    write(tmp_path, one=f'[trees."/opt/air"]\nsource = "{source}"\n')
    (problem,) = mistakes(tmp_path)
    assert fact in problem.fact
    assert problem.place.line == 2


@pytest.mark.parametrize("pattern", ["", "# note", "/", "!", "a\\nb"])
def test_a_pattern_says_something(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, one=f'[trees."/opt/air"]\n{AIR}exclude = ["{pattern}"]\n')
    (problem,) = mistakes(tmp_path)
    assert "a pattern as in a .gitignore" in problem.fact


def test_what_persists_is_an_absolute_path_from_its_first_step_on(tmp_path: Path) -> None:
    write(tmp_path, one='persist.paths = ["/../etc", "//var/lib/x", "/./var/lib/x"]')
    assert len(mistakes(tmp_path)) == 3


@pytest.mark.parametrize("source", [".", "..", "../../.."])
def test_the_project_itself_is_no_tree(tmp_path: Path, source: str) -> None:
    """Its keys and all that was built would come onto devices."""
    write(tmp_path, one=f'[trees."/opt/air"]\nsource = "{source}"\n')
    (problem,) = mistakes(tmp_path)
    assert (problem.key, problem.place.line) == ('trees."/opt/air".source', 2)
    assert "holds the configuration itself" in problem.fact


def test_the_page_about_trees_shows_a_configuration(tmp_path: Path) -> None:
    """``docs/trees.md``, read as its reader would write it."""
    (shown,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/trees.md").read_text(), re.DOTALL)
    write(tmp_path, one=shown)
    for name in ("air.toml", "boot.img"):
        (tmp_path / "hosts/gw/systems" / name).touch()
    loaded = load_with_places(tmp_path)
    (unit,) = loaded.configuration.hosts["gw"].systems["one"].units.values()
    assert b"StateDirectory=%p\n" in unit.read()
    assert [each.key for each in loaded.warnings if "one.toml" in str(each.place.file)] == []
