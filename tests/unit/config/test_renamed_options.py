"""An option that was renamed goes on to work, and its reader is told."""

from pathlib import Path

import pytest

from reconix.config.load import Loaded, load_with_places
from reconix.config.problems import BadConfiguration

MODULE = '''
"""A program that counts."""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.schema.system import File


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A program that counts."""

    most: Annotated[int, Option("How far.", "5", formerly=("limit", "maximum"))] = 0


def configure(options: Options) -> Fragment:
    return Fragment(files={"most": File(text=str(options.most))})
'''
CHECKED = "[health]\nchecks = [{ tcp = 22 }]\n"


def loaded(folder: Path, system: str) -> Loaded:
    (folder / "modules").mkdir()
    (folder / "modules/count.py").write_text(MODULE)
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (folder / "hosts/gw/systems/default.toml").write_text(CHECKED + system)
    return load_with_places(folder)


@pytest.mark.parametrize("old", ["limit", "maximum"])
def test_a_name_from_before_works_and_the_note_has_place_and_new_name(
    tmp_path: Path, old: str
) -> None:
    found = loaded(tmp_path, f"[count]\n{old} = 5\n")
    system = found.configuration.hosts["gw"].systems["default"]
    assert system.files["most"].read() == b"5"
    (note,) = found.warnings
    assert (note.key, note.fact) == (f"count.{old}", "was renamed to count.most")
    assert (note.place.file.name, note.place.line) == ("default.toml", 4)
    assert note.hint == "use the new name; the old one will be removed"


def test_the_name_of_now_needs_no_note(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "[count]\nmost = 5\n").warnings


def test_both_names_at_once_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as failure:
        loaded(tmp_path, "[count]\nmost = 5\nlimit = 6\n")
    (problem,) = failure.value.problems
    assert problem.fact == "was renamed to count.most, and both are set"
    assert problem.place.line == 5
