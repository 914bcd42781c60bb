"""A new project is right as it is, and its secret stays out of version control."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.process import run
from reconix.cli.init import TEMPLATES
from reconix.cli.main import main
from reconix.config.load import load, load_with_places
from reconix.image.layout import SYSTEM, guid

Need = Callable[..., None]


def test_a_new_project_is_a_good_configuration(
    tmp_path: Path, need: Need, capsys: pytest.CaptureFixture[str]
) -> None:
    need("ssh-keygen")
    assert main(["init", str(tmp_path / "new one")]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-3:] == [
        f"  cd '{tmp_path}/new one'",
        "  reconix lock && reconix image",
        "  reconix run",
    ]
    host = load(tmp_path / "new one").hosts["gateway"]
    assert sorted(host.systems) == ["default", "mqtt", "web"]
    key = (tmp_path / "new one/keys/operator.pub").read_text().strip()
    assert host.systems["default"].users["root"].keys() == (key,)


def test_in_a_new_project_there_are_three_lines_to_type_as_well(
    tmp_path: Path, need: Need, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("ssh-keygen")
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == ["  reconix lock", "  reconix image", "  reconix run"]


def test_what_somebody_made_in_an_example_is_not_in_a_new_project(
    tmp_path: Path, need: Need, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("ssh-keygen")
    examples = shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("keys/operator", "keys/update", "reconix.lock", ".reconix/gateway/disk.img"):
        made = examples / "gateway" / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text("of somebody")
    monkeypatch.setattr("reconix.cli.init._TEMPLATES", examples)
    assert main(["init", str(tmp_path / "new")]) == 0
    files = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert not [path for path in files if path.read_text() == "of somebody"]
    assert (tmp_path / "new/keys/.gitignore").is_file()


@pytest.mark.parametrize("template", ["python-app", "vendor-deb"])
def test_software_is_built_before_it_is_locked(
    template: str, tmp_path: Path, need: Need, capsys: pytest.CaptureFixture[str]
) -> None:
    need("ssh-keygen")
    assert main(["init", "--template", template, str(tmp_path / "new")]) == 0
    folder, build, lock, start = capsys.readouterr().out.splitlines()[-4:]
    assert folder.strip() == f"cd {tmp_path / 'new'}"
    assert " dist" in build
    assert "lock" in lock
    assert start.strip() == "reconix run"


def build_software(project: Path) -> None:
    """Leave files where the maker of a project builds a package, or a wheel."""
    (project / "dist").mkdir()
    for built in ("own_1.0_all.deb", "own-1.0-py3-none-any.whl"):
        (project / "dist" / built).touch()


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_right_minified_and_has_nothing_to_advise(
    template: str, tmp_path: Path, need: Need
) -> None:
    need("ssh-keygen")
    assert main(["init", "--template", template, str(tmp_path / "new")]) == 0
    build_software(tmp_path / "new")
    loaded = load_with_places(tmp_path / "new")
    assert not loaded.warnings
    systems = [
        each for host in loaded.configuration.hosts.values() for each in host.systems.values()
    ]
    assert systems
    assert all(system.minify.enable for system in systems)


@pytest.mark.parametrize("template", TEMPLATES)
def test_git_ignores_the_secret_keys_of_a_new_project_and_nothing_else(
    template: str, tmp_path: Path, need: Need
) -> None:
    need("git", "ssh-keygen")
    project = tmp_path / "new"
    assert main(["init", "--template", template, str(project)]) == 0
    build_software(project)
    assert main(["--project", str(project), "keys", "generate", "second"]) == 0
    (project / "keys/sets").mkdir()
    (project / "keys/sets/2.json").touch()
    run("git", "init", "-q", project)
    words = ("git", "-C", project, "ls-files", "-z", "--others", "--exclude-standard")
    listed = run(*words).decode().split("\0")
    there = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    inside = {name for name in there if not name.startswith((".git/", "dist/"))}
    assert inside - set(listed) == {"keys/operator", "keys/update", "keys/second"}


@pytest.fixture
def nixos(tmp_path: Path, need: Need) -> Path:
    need("ssh-keygen", "nix-instantiate")
    assert main(["init", "--template", "nixos", str(tmp_path / "new")]) == 0
    return tmp_path / "new"


def evaluated(folder: Path, expression: str) -> object:
    """What Nix makes of an expression, beside the files of a project; it needs no store."""
    words = ("nix-instantiate", "--eval", "--strict", "--json", "--store", "dummy://")
    found: object = json.loads(run(*words, "--expr", expression, folder=folder / "nixos"))
    return found


def test_the_line_that_asks_nix_is_right_once_it_is_no_comment(nixos: Path) -> None:
    assert sorted(load(nixos).hosts["device"].systems) == ["appliance", "default"]
    file = nixos / "hosts/device/systems/appliance.toml.md"
    file.write_text(file.read_text().replace("# nix =", "nix ="))
    asked = load(nixos).hosts["device"].nixos["appliance"]
    assert asked.flake == str(nixos / "nixos")
    built = "{ nixpkgs.lib.nixosSystem = asked: { config.system.build.toplevel = asked.system; }; }"
    expression = f"((import ./flake.nix).outputs {built}).{asked.attribute}"
    assert evaluated(nixos, expression) == "x86_64-linux"


def test_the_nixos_of_the_template_finds_the_disk_of_the_device(nixos: Path) -> None:
    device = f"/dev/disk/by-partuuid/{str(guid(SYSTEM, host='device')).lower()}"
    assert evaluated(nixos, "(import ./appliance.nix { }).reconix.systemPartition") == device
    given = f'config.reconix.systemPartition = "{device}"; lib = null; pkgs = null;'
    module = f"(import ./reconix.nix {{ {given} }})"
    mounted = f'{module}.config.fileSystems."/system".device'
    assert evaluated(nixos, mounted) == device


def test_a_folder_with_files_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("x")
    assert main(["init", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
