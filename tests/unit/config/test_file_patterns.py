from pathlib import Path

import pytest

from reconix.config.load import load, load_with_places
from reconix.config.problems import BadConfiguration
from reconix.config.show import rows


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    dist = tmp_path / "dist"
    for name in ("b.deb", "a.deb", "deep/c.deb", "[x].deb", "notes.txt"):
        (dist / name).parent.mkdir(exist_ok=True, parents=True)
        (dist / name).touch()
    (dist / "folder.deb").mkdir()
    return dist


def write(folder: Path, *patterns: str) -> None:
    (folder / "hosts/gw/systems").mkdir(parents=True, exist_ok=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    (folder / "hosts/gw/machine.toml").write_text(
        f'kernel.package = "linux-image-amd64"\ndebs = [{listed}]\n'
    )
    (folder / "hosts/gw/systems/default.toml").touch()


def test_a_pattern_is_relative_to_its_file_and_files_count_once(tmp_path: Path, dist: Path) -> None:
    write(tmp_path, "../../dist/?.deb", "../../dist/b.deb")
    system = load(tmp_path).hosts["gw"].systems["default"]
    assert system.deb_files() == (dist / "a.deb", dist / "b.deb")


def test_a_pattern_without_a_file_is_told_with_its_place(tmp_path: Path, dist: Path) -> None:
    write(tmp_path, "../../dist/?.deb", "../../dist/none-*.deb")
    with pytest.raises(BadConfiguration) as failure:
        load(tmp_path)
    (problem,) = failure.value.problems
    assert problem.fact == f"no such file: {dist}/none-*.deb"
    assert (problem.place.file.name, problem.place.line, problem.key) == ("machine.toml", 2, "debs")


def test_a_pattern_is_shown_as_a_path(tmp_path: Path, dist: Path) -> None:
    write(tmp_path, "../../dist/?.deb")
    loaded = load_with_places(tmp_path)
    shown = {row.key: row.value for row in rows(loaded.shapes.system, loaded.machines["gw"])}
    assert shown["debs"] == f'["{dist}/?.deb"]'


def test_what_is_one_file_cannot_be_a_pattern(tmp_path: Path, dist: Path) -> None:
    write(tmp_path)
    (tmp_path / "hosts/gw/systems/default.toml").write_text(
        'files.motd.source = "../../../dist/?.deb"\n'
    )
    with pytest.raises(BadConfiguration) as failure:
        load(tmp_path)
    (problem,) = failure.value.problems
    assert (problem.key, problem.place.line) == ("files.motd.source", 1)
    assert problem.fact == f"no such file: {dist}/?.deb"
