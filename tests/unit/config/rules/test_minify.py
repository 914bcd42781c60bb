"""What minify shall keep and may do without contradict each other nowhere."""

from pathlib import Path

import pytest
from tests.config_projects import write

from reconix.config.load import load
from reconix.config.problems import BadConfiguration

BASE = 'kernel.package = "linux-image-cloud-amd64"\n'


def project(folder: Path, machine: str, system: str) -> Path:
    folder.mkdir()
    write(folder, default=system)
    (folder / "hosts/gw/machine.toml").write_text(f"{BASE}{machine}")
    return folder


@pytest.mark.parametrize("kept", ["/usr/bin/ss", "/usr/bin", "/usr/bin/"])
def test_what_is_kept_cannot_be_done_without(tmp_path: Path, kept: str) -> None:
    machine = f'[minify]\nenable = true\nkeep = ["{kept.rstrip("/")}"]\n'
    system = '[minify.without]\n"/usr/bin/ss" = "nobody asks"\n'
    with pytest.raises(BadConfiguration) as raised:
        load(project(tmp_path / "p", machine, system))
    (problem,) = raised.value.problems
    assert "minify.keep has /usr/bin" in str(problem)
    assert "machine.toml" in str(problem)
    assert "default.toml:2" in str(problem)


def test_another_path_may(tmp_path: Path) -> None:
    machine = '[minify]\nenable = true\nkeep = ["/usr/bin/s"]\n'
    load(project(tmp_path / "p", machine, '[minify.without]\n"/usr/bin/ss" = "nobody asks"\n'))


def test_two_sentences_about_one_path_are_a_conflict(tmp_path: Path) -> None:
    one, other = (f'[minify.without]\n"/usr/bin/ss" = "{why}"\n' for why in ("one", "other"))
    with pytest.raises(BadConfiguration, match="/usr/bin/ss"):
        load(project(tmp_path / "p", one, other))
