"""One grammar for generations, in every command that takes one."""

import argparse
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.config_projects import write
from tests.device_status import DOCUMENT
from tests.made_generations import generation, toplevel

from reconix.base.documents import print_json
from reconix.build.inspect.generations import Difference
from reconix.build.inspect.packages import Package, PackageChange
from reconix.build.measured import Measured
from reconix.build.pins import Pin, Pins
from reconix.cli.image import _how_to_flash, _how_to_try
from reconix.cli.main import main
from reconix.cli.status import _changed
from reconix.nix.chroot import ChrootStore
from reconix.project import virtual_device
from reconix.project.workplace import Workplace

Captured = pytest.CaptureFixture[str]


class Project:
    """A project with three generations in its store; of the second it is known how large it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder / "project", folder / "store"
        self.folder.mkdir()
        write(self.folder)
        with ChrootStore(self.store) as store:
            pins = Pins(store.root, "test", "gw")
            made = (generation(store, toplevel(store, page)) for page in ("1", "22", "333"))
            self.pins: list[Pin] = [pins.add(path) for path in made]
            Measured(store).generation(self.pins[1].path)

    def __call__(self, *words: str, expect: int = 0) -> None:
        places = ["--project", str(self.folder), "--store", str(self.store)]
        assert main([*places, *words]) == expect

    def answer(self, capsys: Captured, *words: str) -> dict[str, object]:
        capsys.readouterr()
        self(*words, "--json")
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def device(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A virtual device that runs the first generation; gives what its ssh was told."""
    document = json.loads(print_json(DOCUMENT))
    document["committed"]["generation"] = str(project.pins[0].path)
    (tmp_path / "status").write_bytes(print_json(document))
    ssh = tmp_path / "programs" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\necho \"$@\" >> '{tmp_path}/told'\ncat '{tmp_path}/status'\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    workplace = Workplace(project.folder, "gw")
    workplace.make()
    with virtual_device.occupied(workplace) as announcement:
        announcement.tell({22: 40123})
        yield tmp_path / "told"


def test_two_generations_are_compared(project: Project, capsys: Captured) -> None:
    project("diff", "1", "2")
    said = capsys.readouterr().out
    assert said.startswith("generation 1 → generation 2\n")
    assert "system web: touched" in said
    found = project.answer(capsys, "diff", "1", "2")
    assert found["touched"] == ["web"]


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["1", "latest"], (1, 3)),
        (["-1", "-2", "gw"], (2, 1)),
        (["-1"], (2, 3)),
        (["-1", "gw"], (2, 3)),
        (["PATH", "3"], (1, 3)),
    ],
)
def test_generations_are_named_in_every_way(
    words: list[str], ends: tuple[int, int], project: Project, capsys: Captured
) -> None:
    path = str(project.pins[0].path)
    project("diff", *(path if word == "PATH" else word for word in words))
    first, then = ends
    assert capsys.readouterr().out.startswith(f"generation {first} → generation {then}\n")


def test_what_a_device_runs_is_compared_with_the_latest(
    project: Project, device: Path, capsys: Captured
) -> None:
    project("diff", "device")
    assert capsys.readouterr().out.startswith("generation 1 → generation 3\n")
    assert "-p 40123" in device.read_text()
    project("diff", "device:root@192.0.2.7", "2")
    assert capsys.readouterr().out.startswith("generation 1 → generation 2\n")
    assert "root@192.0.2.7 -- reconix-device status --json" in device.read_text()


def test_a_device_is_asked_only_where_it_is_named(
    project: Project, device: Path, tmp_path: Path
) -> None:
    project("diff", "1", "latest")
    project("send", "-b", "-2", "-o", str(tmp_path / "stream"), "--unsigned")
    assert not device.exists()


@pytest.mark.parametrize("words", [["diff", "9"], ["diff", "1", "-7"], ["store", "diff", "1", "9"]])
def test_a_generation_that_is_not_there_is_told_with_those_that_are(
    words: list[str], project: Project, capsys: Captured
) -> None:
    project(*words, expect=2)
    assert "there are: 1, 2, 3" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["1", "2", "gw", "more"], ["1", "2", "--build"]])
def test_what_makes_no_sense_between_generations_is_refused(
    words: list[str], project: Project
) -> None:
    project("diff", *words, expect=2)


def test_the_store_knows_generations_and_paths(project: Project, capsys: Captured) -> None:
    first, second, _ = (pin.path for pin in project.pins)
    by_number = project.answer(capsys, "store", "diff", "1", "2")
    assert by_number == project.answer(capsys, "store", "diff", str(first), second.basename)
    assert by_number == project.answer(capsys, "store", "diff", "-2", "-1")
    assert by_number["touched"] == ["web"]


def test_outside_of_a_project_a_number_begins_a_hash(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--store", str(project.store), "store", "info", "1"]) in (0, 25)
    assert "reconix.toml" not in capsys.readouterr().err
    assert main(["--store", str(project.store), "store", "info", "latest"]) == 2


def test_a_stream_begins_at_what_a_device_runs(
    project: Project, device: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ("send", "--base", "device", "-g", "-1", "-o", str(tmp_path / "stream"), "--unsigned")
    found = project.answer(capsys, *words)
    assert found["bases"] == [str(project.pins[0].path)]
    assert found["generation"] == str(project.pins[1].path)


def test_status_says_age_and_size_and_what_has_changed(project: Project, capsys: Captured) -> None:
    project("status")
    lines = capsys.readouterr().out.splitlines()
    path = project.pins[1].path
    (second,) = [line for line in lines if line.startswith("gw: generation 2 ")]
    assert second.split()[3:5] == ["just", "now"] and second.endswith(f"B  {path}")
    after = lines[lines.index(second) + 1]
    assert after.strip() == "since generation 1: web: files and settings"
    (first, *_) = lines
    assert first.endswith(f"just now                   {project.pins[0].path}"), "size: not known"
    assert lines[-1] == "image: none (reconix image gw)"


def test_systems_in_which_the_same_has_changed_are_named_together() -> None:
    def package(name: str, version: str) -> Package:
        return Package(name, version, 1)

    changes = [
        PackageChange(None, package("less", "668-1"), ("web",)),
        PackageChange(package("tool", "1"), package("tool", "2"), ("mqtt", "web")),
        *(PackageChange(package(n, "1"), None, ("mqtt",)) for n in "abcdef"),
    ]
    changed = Difference((), tuple(changes), ("default", "extra", "mqtt", "web"), ())
    assert _changed(changed) == (
        "default, extra: files and settings; mqtt: tool 1 → 2, - a, - b, - c, 3 more packages; "
        "web: + less 668-1, tool 1 → 2"
    )


def test_status_says_it_to_programs(project: Project, capsys: Captured) -> None:
    found = project.answer(capsys, "status")
    generations = found["generations"]
    assert isinstance(generations, list)
    assert [each["number"] for each in generations] == [1, 2, 3]
    assert generations[0]["since"] is None and generations[2]["since"] == 2
    assert generations[1]["size_bytes"] > 0 and generations[1]["systems"] == ["web"]
    assert found["runs"] is False


def test_status_says_that_the_virtual_device_runs(
    project: Project, device: Path, capsys: Captured
) -> None:
    project("status")
    assert "device: runs (reconix shell" in capsys.readouterr().out
    project("status", "--device")
    assert "committed  generation 1" in capsys.readouterr().out
    project("status", "--device", "--to", "root@192.0.2.1", expect=2)


def test_status_of_what_was_removed_from_the_store_is_told(
    project: Project, capsys: Captured
) -> None:
    with ChrootStore(project.store) as store:
        victim = store.path(project.pins[0].path)
    link = project.store / "nix/var/nix/gcroots/reconix/test/gw/1"
    link.unlink()
    project("store", "collect")
    assert not victim.exists()
    link.symlink_to(str(project.pins[0].path))
    capsys.readouterr()
    project("status")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gw: generation 1 ") and lines[1].startswith("gw: generation 2 ")
    assert lines[2].startswith("gw: generation 3 "), "what changed since 1 is not known"


@pytest.mark.parametrize(
    ("host", "output", "commands"),
    [
        (None, None, ["if=/x/disk.img of=/dev/DISK", "reconix run"]),
        ("gw", None, ["if=/x/disk.img of=/dev/DISK", "reconix run gw"]),
        (None, "/x/a b", ["if='/x/a b' of=/dev/DISK", "reconix run --image '/x/a b'"]),
    ],
)
def test_an_image_ends_with_how_to_flash_and_to_try_it(
    host: str | None, output: str | None, commands: list[str]
) -> None:
    arguments = argparse.Namespace(host=host, output=output and Path(output))
    image = Path(output or "/x/disk.img")
    flash, plain, _ = _how_to_flash(image).splitlines()
    assert f"bmaptool copy {shlex.quote(str(image))} /dev/DISK" in flash
    assert commands[0] in plain and _how_to_try(arguments, image).endswith(commands[1])
    flash, *_ = _how_to_flash(image, Path("/x/disk.img.zst")).splitlines()
    assert "bmaptool copy /x/disk.img.zst /dev/DISK" in flash
