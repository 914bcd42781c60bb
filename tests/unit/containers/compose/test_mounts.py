"""Volumes and files keep their places; what a device has not is told."""

from pathlib import Path

import pytest
from tests.compose_files import of_service, translated

TAKEN = {
    "volumes: ['data:/data', '/srv/x']": 'volumes = { data = "/data", srv-x = "/srv/x" }',
    "volumes: ['my_Data:/data:rw,z']": 'volumes = { my-data = "/data" }',
    "volumes: [{type: volume, source: data, target: /data}]": 'volumes = { data = "/data" }',
    "volumes: ['./a.conf:/etc/a.conf:ro']": 'files = { "/etc/a.conf" = { source = "a.conf" } }',
    "volumes: ['./run.sh:/run.sh:ro']": (
        'files = { "/run.sh" = { source = "run.sh", mode = "0755" } }'
    ),
    "volumes: [{type: bind, source: ./a.conf, target: /etc/a.conf, read_only: true}]": (
        'files = { "/etc/a.conf" = { source = "a.conf" } }'
    ),
    "volumes: ['/etc/localtime:/etc/localtime:ro']": "",
    "tmpfs: /tmp": "",
    "tmpfs: [/run, '/tmp:size=64m']": "",
    "volumes: [{type: tmpfs, target: /tmp}]": "",
}
DIFFERENT = {
    "volumes: ['data:/data:ro']": ("volumes", "a volume is never read-only"),
    "volumes: ['data:/a', 'data:/b']": ("volumes", "there is a volume data already"),
    "volumes: ['data:data']": ("volumes", "expected the absolute path"),
    "volumes: ['data:/data:nocopy']": ("volumes", "nocopy has no counterpart"),
    "volumes: ['./a.conf:/etc/a.conf']": ("volumes", "the container cannot change it"),
    "volumes: ['./folder:/srv:ro']": ("volumes", "./folder is a folder"),
    "volumes: ['./gone:/srv:ro']": ("volumes", "./gone is not there"),
    "volumes: ['/srv/x:/srv/x']": ("volumes", "a device has no /srv/x of this machine"),
    "volumes: ['~/x:/srv/x']": ("volumes", "a device has no ~/x"),
    "volumes: ['/var/run/docker.sock:/var/run/docker.sock']": ("volumes", "no Docker on a device"),
    "volumes: [{type: npipe, target: /x}]": ("volumes", "no mounts of type 'npipe'"),
    "volumes: [{type: volume}]": ("volumes", "does not say where"),
    "volumes: ['/tmp']": ("volumes", "/tmp is in memory here"),
    "volumes: data": ("volumes", "a list is expected"),
    "tmpfs: /srv": ("tmpfs", "no room of its own in memory"),
    "configs: [nothing]": ("configs", "there is no config 'nothing'"),
    "configs: [{target: /x}]": ("configs", "which: source"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.conf").write_text("x")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("options", TAKEN)
def test_what_has_a_counterpart_is_mounted(folder: Path, options: str) -> None:
    assert of_service(options, folder=folder) == (TAKEN[options], [])


@pytest.mark.parametrize("options", DIFFERENT)
def test_what_has_none_or_another_meaning_is_told(folder: Path, options: str) -> None:
    _, remarks = of_service(options, folder=folder)
    key, fact = DIFFERENT[options]
    assert any(each.startswith(f"4 services.web.{key}: ") and fact in each for each in remarks)


def test_a_source_is_relative_to_the_file_that_gets_the_result(folder: Path) -> None:
    into = folder / "project/hosts/gw/systems"
    lines, _ = of_service("volumes: ['./a.conf:/a:ro']", folder=folder, into=into)
    assert lines == 'files = { "/a" = { source = "../../../../a.conf" } }'
    assert (into / "../../../../a.conf").resolve() == folder / "a.conf"


def test_configs_are_files(folder: Path) -> None:
    text = """
services:
  web:
    image: a.example.com/x:1
    configs: [one, {source: two, target: /etc/two, mode: 0440}, three]
configs:
  one: {file: ./a.conf}
  two: {content: "a\\nb"}
  three: {external: true}
"""
    found = translated(text, folder)
    assert '"/one" = { source = "a.conf" }' in found.text
    assert '"/etc/two" = { text = "a\\nb", mode = "0440" }' in found.text
    (remark,) = found.remarks
    assert "only configs with `file` or `content`" in remark.fact


def test_a_volume_of_two_services_is_shared_and_of_whom_is_told() -> None:
    text = """
services:
  one: {image: a.example.com/x:1, volumes: ["data:/data", "own:/own"]}
  two: {image: a.example.com/x:1, volumes: [{type: volume, source: data, target: /srv}, {}]}
volumes: {data: {driver_opts: {type: nfs}}}
"""
    found = translated(text)
    assert 'volumes = { "shared:data" = "/data", own = "/own" }' in found.text
    assert 'volumes = { "shared:data" = "/srv" }' in found.text
    facts = [f"{each.place.line} {each.fact}" for each in found.remarks]
    assert "3 shared:data is one for all systems of the device" in facts
    assert "3 data: driver_opts has no counterpart" in facts
