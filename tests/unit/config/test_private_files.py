"""What is private does not get into a generation, whichever option names it."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load


def place(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


NAMED = {
    '[files."a"]\nsource = "{}"\n': "secrets/mqtt",
    '[units."a.service"]\nsource = "{}"\n': "secrets/gw/mqtt",
    '[files."b"]\nsource = "{}"\n': "keys/devices/gw/GW-1",
    '[files."c"]\nsource = "{}"\n': "keys/update",
}


@pytest.mark.parametrize("text", NAMED)
def test_a_private_file_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    place(tmp_path, NAMED[text])
    place(tmp_path, "keys/update.pub")
    write(tmp_path, web=text.format(f"../../../{NAMED[text]}"))
    (problem,) = mistakes(tmp_path)
    assert "would be in every generation" in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("web.toml", 2)
    assert problem.hint.endswith("docs/secrets.md")


def test_a_link_or_a_folder_is_no_way_around(tmp_path: Path) -> None:
    place(tmp_path, "secrets/mqtt")
    (tmp_path / "looks-good").symlink_to("secrets/mqtt")
    (tmp_path / "folder").symlink_to("secrets")
    write(
        tmp_path,
        one='[files."a"]\nsource = "../../../looks-good"\n',
        two='[files."a"]\nsource = "../../../folder/mqtt"\n',
        three='[trees."/opt/a"]\nsource = "../../../secrets"\n',
    )
    assert {problem.place.file.name for problem in mistakes(tmp_path)} == {
        *("one.toml", "two.toml", "three.toml"),
    }


def test_what_is_public_may_be_named(tmp_path: Path) -> None:
    for name in ("keys/me.pub", "keys/me", "keys/vendor.asc", "shared/secrets/page"):
        place(tmp_path, name)
    (tmp_path / "keys/me.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n")
    write(
        tmp_path,
        web='[users.root]\nauthorized_keys_files = ["../../../keys/me.pub"]\n'
        '[files."a"]\nsource = "../../../keys/vendor.asc"\n'
        '[files."b"]\nsource = "../../../shared/secrets/page"\n',
    )
    assert len(load(tmp_path).hosts["gw"].systems["web"].files) == 2
