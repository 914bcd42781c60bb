"""`check`, `show` and `options`: what they print, and how they end."""

import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.base.process import run
from reconix.cli.main import main

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "gateway"
    shutil.copytree(EXAMPLE, folder)
    (folder / "keys/operator.pub").write_text("ssh-ed25519 AAAA test\n")
    monkeypatch.chdir(folder)
    return folder


def machine(project: Path) -> Path:
    return project / "hosts/gateway/machine.toml"


def test_a_valid_configuration_is_said_to_be_valid(project: Path, capsys: Capture) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "the configuration is valid: 1 host, 3 systems\n"


def test_warnings_are_printed_first(project: Path, capsys: Capture) -> None:
    machine(project).write_text(machine(project).read_text() + "[users.guest]\n")
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"warning: {machine(project)}:")
    assert "users.guest: has no key and cannot log in" in said


def test_errors_are_reported_all_at_once(project: Path, capsys: Capture) -> None:
    machine(project).write_text("[boot]\nslots = 9\nslotz = 2\n")
    assert main(["check"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "boot.slots: expected a number from 2 to 8, found 9" in said.err
    assert "did you mean boot.slots?" in said.err


def test_an_editor_gets_places_as_json(project: Path, capsys: Capture) -> None:
    machine(project).write_text(machine(project).read_text() + "[helth]\n")
    assert main(["check", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    (mistake,) = document["mistakes"]
    assert document["good"] is False
    assert (mistake["key"], mistake["hint"]) == ("helth", "did you mean health?")
    assert mistake["file"] == str(machine(project))
    assert mistake["line"] == len(machine(project).read_text().splitlines())


def test_json_of_a_good_configuration_names_its_systems(project: Path, capsys: Capture) -> None:
    assert main(["check", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["hosts"] == {"gateway": ["default", "mqtt", "web"]}
    assert document["mistakes"] == document["notes"] == []


def test_everything_that_is_shown_is_toml(project: Path, capsys: Capture) -> None:
    assert main(["show", "gateway:mqtt", "--origins"]) == 0
    shown = tomllib.loads(capsys.readouterr().out)
    assert shown["boot"]["slot_size"] == "128M"
    assert shown["packages"][-1] == "mosquitto"
    assert shown["mosquitto"]["port"] == 1883


def test_origins_are_seen_from_the_project(project: Path, capsys: Capture) -> None:
    assert main(["show", "gateway:web", "health.timeout", "--origins"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('health.timeout = "2min"  # hosts/gateway/machine.toml:')
    assert main(["show", "gateway:web", "update.receive", "--origins"]) == 0
    assert capsys.readouterr().out == "update.receive = true  # default\n"


def test_what_a_built_in_module_adds_is_said_to_be_from_there(
    project: Path, capsys: Capture
) -> None:
    assert main(["show", "gateway:mqtt", "persist.paths", "--origins"]) == 0
    assert capsys.readouterr().out == (
        'persist.paths = ["/var/lib/mosquitto"]  # module mosquitto\n'
    )


def test_a_table_is_shown_with_all_that_is_in_it(project: Path, capsys: Capture) -> None:
    assert main(["show", "gateway", "boot", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    values = {option["key"]: option["value"] for option in document["options"]}
    assert values["boot.slots"] == 2
    assert values["boot.default"] == "default"
    assert (document["host"], document["system"]) == ("gateway", None)


def test_a_system_that_nix_built_counts_and_has_no_options_of_ours(
    project: Path, capsys: Capture
) -> None:
    path = "/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-x"
    (project / "hosts/gateway/systems/nixos.toml").write_text(f'nix = "{path}"\n')
    assert main(["check"]) == 0
    assert capsys.readouterr().out.endswith("1 host, 4 systems\n")
    assert main(["show", "gateway:nixos"]) == 2
    assert "is built by Nix" in capsys.readouterr().err


WRONG = {
    ("show", "gatway"): "there is no host 'gatway'",
    ("show", "gateway:wbe"): "gateway has no system 'wbe'",
    ("show", "gateway:web", "health.timeot"): "did you mean health.timeout?",
    ("options", "health.timeot"): "did you mean health.timeout?",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_there_is_not_is_told(words: tuple[str, ...], project: Path, capsys: Capture) -> None:
    assert main([*words]) == 2
    assert WRONG[words] in capsys.readouterr().err


def test_every_option_is_a_line(project: Path, capsys: Capture) -> None:
    assert main(["options"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "hosts/<host>/machine.toml" in lines
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("  nginx.sites.<name>.port ") for line in lines)
    short = enough([line for line in lines if " …" in line], at_least=10, what="lines")
    assert all(line.startswith("  ") for line in short)


def test_an_option_is_told_with_default_and_example(project: Path, capsys: Capture) -> None:
    assert main(["options", "boot.slots"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("boot.slots  (hosts/<host>/machine.toml)\n    Number of boot")
    assert "Takes a number from 2 to 8. Default: 2." in said
    assert said.endswith("\n    boot.slots = 3\n")


def test_options_of_the_modules_of_a_project_are_told(project: Path, capsys: Capture) -> None:
    module = (EXAMPLE.parents[1] / "src/reconix/config/services/ssh.py").read_text()
    (project / "modules").mkdir()
    (project / "modules/telnet.py").write_text(module)
    assert main(["options", "telnet.port", "--json"]) == 0
    (option,) = json.loads(capsys.readouterr().out)
    assert (option["key"], option["default"]) == ("telnet.port", "22")
    assert main(["options", "--json-schema", "system"]) == 0
    assert "telnet" in json.loads(capsys.readouterr().out)["properties"]


def test_outside_of_a_project_the_built_in_options_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["options", "--markdown"]) == 0
    assert capsys.readouterr().out == (EXAMPLE.parents[1] / "docs/options.md").read_text()


def test_check_asks_nobody(project: Path, need: Callable[..., None]) -> None:
    need("unshare")
    code = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
    alone = ("unshare", "--net", "--map-root-user")
    environment = {"PYTHONPATH": str(EXAMPLE.parents[1] / "src")}
    said = run(*alone, sys.executable, "-c", code, "check", environment=environment)
    assert b"the configuration is valid" in said
