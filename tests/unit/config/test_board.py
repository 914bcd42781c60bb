"""Boards: each of ours is right, and what one sets gives way to what is written."""

import shutil
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.architecture import Architecture
from reconix.config.board import file_of, read_board
from reconix.config.file_kinds import built_in_shapes
from reconix.config.load import load
from reconix.config.problems import BadConfiguration
from reconix.config.schema.board import Evidence
from reconix.config.schema.hosts import Host
from reconix.config.schema.machine import BOARDS
from reconix.config.toml.formatter import format_toml
from reconix.vm import hardware

NAMES = sorted(file.stem for file in BOARDS.glob("*.toml"))
ABOUT = '[about]\ntitle = "a"\nevidence = "described from documents"\n'
MACHINE = built_in_shapes().machine_file


def host(folder: Path, machine: str, system: str = "") -> Host:
    """The host of a project."""
    place = folder / "hosts/box"
    (place / "systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (place / "machine.toml").write_text(machine)
    (place / "systems/default.toml").write_text(system)
    return load(folder).hosts["box"]


def mistakes(file: Path, text: str) -> list[str]:
    """What is wrong with a board."""
    file.write_text(text)
    with pytest.raises(BadConfiguration) as failure:
        read_board(file, MACHINE)
    return [str(problem).replace(f"{file.parent}/", "") for problem in failure.value.problems]


@pytest.mark.parametrize("name", NAMES)
def test_a_board_alone_makes_a_machine(name: str, tmp_path: Path) -> None:
    found = host(tmp_path, f'board = "{name}"\n')
    assert found.architecture.value[:3] in found.systems["default"].kernel.package
    assert found.board == read_board(file_of(name), MACHINE).about
    assert found.board.qemu is None or found.board.qemu in hardware.ALL


@pytest.mark.parametrize("name", NAMES)
def test_a_board_has_a_page_that_says_how_well_it_is_known(name: str) -> None:
    about = read_board(file_of(name), MACHINE).about
    page = (ROOT / f"docs/boards/{name}.md").read_text()
    assert page.startswith(f"# {name}\n\n{about.title}: **{about.evidence.value}**.")
    text = file_of(name).read_text()
    assert format_toml(text) == text


def test_what_a_board_sets_gives_way_and_its_lists_add(tmp_path: Path) -> None:
    machine = 'board = "qemu-arm64-uefi"\nboot.slot_size = "64M"\nkernel.parameters = ["quiet"]\n'
    found = host(tmp_path, machine, 'kernel.package = "linux-image-arm64"\n')
    kernel = found.systems["default"].kernel
    assert found.architecture is Architecture.ARM64
    assert found.machine.boot.slot_size == 64 << 20
    assert kernel.package == "linux-image-arm64"
    assert kernel.parameters == ("console=ttyAMA0", "quiet")


def test_no_board_sets_nothing(tmp_path: Path) -> None:
    found = host(tmp_path, 'kernel.package = "linux-image-amd64"\n')
    assert (found.board, found.machine.boot.slot_size) == (None, 64 << 20)


def test_an_unknown_board_is_refused_at_its_line_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as failure:
        host(tmp_path, 'hostname = "a"\nboard = "imx"\nkernel.package = "linux-image-amd64"\n')
    (problem,) = failure.value.problems
    assert problem.place.line == 2
    assert all(name in str(problem) for name in NAMES)


def test_an_unknown_key_of_a_board_is_refused_at_its_line(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path / "b.toml", f'boot.slots_size = "64M"\n{ABOUT}')
    assert mistake.startswith("b.toml:1:6: boot.slots_size: unknown option")
    (mistake,) = mistakes(tmp_path / "b.toml", f'{ABOUT}qemo = "pc-q35"\n')
    assert mistake.startswith("b.toml:4:1: about.qemo: unknown option")


def test_a_board_says_nothing_that_is_of_one_machine_alone(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path / "b.toml", f'hostname = "gw"\n{ABOUT}')
    assert "b.toml:1:1: hostname" in mistake and "belongs in machine.toml" in mistake


def test_a_board_must_say_what_it_is(tmp_path: Path) -> None:
    found = mistakes(tmp_path / "b.toml", '[about]\ntitle = "a"\n')
    assert [each for each in found if "about.evidence: is missing" in each]
    (mistake,) = mistakes(tmp_path / "b.toml", ABOUT.replace("described", "guessed"))
    assert all(each.value in mistake for each in Evidence)


@pytest.mark.parametrize("name", ["efi", "rpi", "imx"])
def test_an_example_names_its_board_and_is_valid(name: str, tmp_path: Path) -> None:
    project = shutil.copytree(ROOT / "examples" / name, tmp_path / name)
    (project / "keys/operator.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n")
    (found,) = load(project).hosts.values()
    assert found.name == name and found.board is not None
    for file in project.rglob("*.toml"):
        assert format_toml(file.read_text()) == file.read_text()
