"""``reconix import`` prints what a compose file becomes, or writes it behind what is there."""

import json
from pathlib import Path

import pytest

from reconix.cli.main import main

Capture = pytest.CaptureFixture[str]
STACK = """\
services:
  web:
    image: nginx:${TAG:-1.27}
    privileged: true
    environment: {PASSWORD: hunter2}
    volumes: ["./site.conf:/etc/nginx/site.conf:ro"]
    secrets: [key]
secrets: {key: {file: key}}
"""
HERE = ["--registry", "registry.example.com"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").write_text(STACK)
    (tmp_path / "stack/site.conf").write_text("x")
    (tmp_path / "systems").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> int:
    return main(["import", "stack/compose.yaml", *words])


def test_it_is_printed_and_the_remarks_go_where_errors_go(folder: Path, capsys: Capture) -> None:
    assert run(*HERE) == 0
    said = capsys.readouterr()
    assert said.out.startswith(
        '[containers.web]\nimage = "registry.example.com/library/nginx:1.27"\n'
    )
    assert 'source = "site.conf"' in said.out
    assert "stack/compose.yaml:4:5: services.web.privileged: is left out" in said.err
    assert "hunter2" not in said.err


def test_it_is_written_behind_what_is_in_a_file(folder: Path, capsys: Capture) -> None:
    system = folder / "systems/web.toml"
    system.write_text('packages = ["nginx"]\n[secrets.key]\nunits = ["x.service"]')
    system.chmod(0o640)
    assert run("--into", "systems/web.toml", *HERE) == 0
    assert capsys.readouterr().out == "systems/web.toml: 1 container added, 3 remarks\n"
    text = system.read_text()
    assert text.startswith('packages = ["nginx"]\n[secrets.key]\nunits = ["x.service"]\n\n[cont')
    assert text.count("[secrets.key]") == 1
    assert '"../stack/site.conf"' in text
    assert system.stat().st_mode & 0o777 == 0o640
    assert main(["fmt", "--check", "systems/web.toml"]) == 1, "what was there is left as it was"


def test_a_file_that_is_not_there_is_made(folder: Path) -> None:
    assert run("--into", "systems/new.toml", *HERE) == 0
    assert main(["fmt", "--check", "systems/new.toml"]) == 0
    assert "[secrets.key]" in (folder / "systems/new.toml").read_text()


@pytest.mark.parametrize(
    ("before", "into"),
    [
        ("[containers.web]\n", "systems/web.toml"),
        ("containers = {}\n", "systems/web.toml"),
        ("not TOML", "systems/web.toml"),
        ("", "systems/web.toml.md"),
        ("", "nowhere/web.toml"),
    ],
)
def test_a_file_that_cannot_take_it_stays_as_it_is(
    folder: Path, capsys: Capture, before: str, into: str
) -> None:
    if before:
        (folder / into).write_text(before)
    assert run("--into", into, *HERE) == 2
    assert capsys.readouterr().out == ""
    if before:
        assert (folder / into).read_text() == before
    else:
        assert not (folder / into).exists()


def test_values_come_from_the_file_beside_it_or_from_one_that_is_named(
    folder: Path, capsys: Capture
) -> None:
    (folder / "stack/.env").write_text("TAG=2\n")
    (folder / "other").write_text("TAG=3\n")
    run(*HERE)
    assert "nginx:2" in capsys.readouterr().out
    run(*HERE, "--env-file", "other")
    assert "nginx:3" in capsys.readouterr().out


def test_the_environment_has_no_say(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "9")
    run(*HERE)
    assert "nginx:1.27" in capsys.readouterr().out


def test_a_program_gets_both_in_one_document(folder: Path, capsys: Capture) -> None:
    assert run(*HERE, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["toml"].startswith("[containers.web]")
    assert {
        "file": "stack/compose.yaml",
        "line": 4,
        "column": 5,
        "key": "services.web.privileged",
        "fact": "is left out: no container may do everything",
        "hint": "name what it needs: devices = [...]",
    } in said["remarks"]


def test_without_a_registry_it_is_refused_with_the_line(folder: Path, capsys: Capture) -> None:
    assert run() == 2
    said = capsys.readouterr().err
    assert "stack/compose.yaml:3:5: services.web.image: nginx:1.27 does not say" in said
    assert "--registry HOST" in said


@pytest.mark.parametrize("content", ["", "a: [", "services: {}", "\x00", "a: &a [*a]"])
def test_what_is_no_compose_file_is_refused(folder: Path, capsys: Capture, content: str) -> None:
    (folder / "stack/compose.yaml").write_text(content)
    assert run(*HERE) == 2
    assert "stack/compose.yaml" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_told(folder: Path, capsys: Capture) -> None:
    assert main(["import", "stack"]) != 0
    assert main(["import", "gone.yaml"]) == 1
    (folder / "stack/compose.yaml").write_bytes(b"a: \xff")
    assert run(*HERE) == 40
    assert "not UTF-8" in capsys.readouterr().err
