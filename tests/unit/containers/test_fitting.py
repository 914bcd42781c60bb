"""What a container asks for and its image has not is told at its line."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.locked_containers import images, lock_of, locked
from tests.oci_images import file, image, layer, link, write_layout

from reconix.base.digests import Digest
from reconix.config.load import load_with_places
from reconix.config.lock.hosts import HostLock
from reconix.config.merge import Table
from reconix.config.problems import Problem
from reconix.config.schema.hosts import Host
from reconix.containers.making import ContainerMaker
from reconix.nix.chroot import ChrootStore

ARM = struct.pack(
    *("<16sHHIQQQIHHHHHH IIQQQQQQ", b"\x7fELF\2\1\1", 2, 183, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0),
    *(1, 5, 0, 0, 0, 120, 120, 4096),
)
"""A program for another processor: a header, and one segment that is the file itself."""
IMAGE = (
    layer(
        file("etc/passwd", b"root:x:0:0:::\napp:x:1000:50:::\n"),
        file("etc/group", b"staff:x:50:\n"),
        file("usr/bin/run", b"program", mode=0o755),
        file("usr/bin/plain", b"no program"),
        link("bin", "usr/bin"),
        file("opt/own/tool", b"#!/usr/bin/run\n", mode=0o755),
        file("opt/own/bash", b"#!/bin/bash -e\n", mode=0o755),
        file("opt/own/env", b"#!/usr/bin/env node\n", mode=0o755),
        file("usr/bin/env", b"program", mode=0o755),
        file("srv/arm", ARM, mode=0o755),
    ),
)
GOOD = {"Entrypoint": ["run"], "Env": ["PATH=/bin:/opt/own"]}
HEAD = '[containers.app]\nimage = "oci:images:app"\n'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


@dataclass
class Asked:
    """A system with one container."""

    maker: ContainerMaker
    host: Host
    lock: HostLock
    table: Table

    def unfit(self) -> list[Problem]:
        return list(self.maker.unfit(self.host, self.lock, "default", self.table))


def project(
    store: ChrootStore, place: Path, option: str = "", config: dict[str, Any] | None = None
) -> Asked:
    write_layout(place / "images", app=image(place / "images", IMAGE, config=config or GOOD))
    (place / "hosts/gw/systems").mkdir(parents=True)
    (place / "reconix.toml").write_text('name = "test"\n')
    (place / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (place / "hosts/gw/systems/default.toml").write_text(f"{HEAD}{option}\n")
    loaded = load_with_places(place)
    host = loaded.configuration.hosts["gw"]
    lock = lock_of(host, {"app": locked(place, "oci:images:app")}, "default")
    maker = ContainerMaker(store, images(place), lambda packages: {})
    return Asked(maker, host, lock, loaded.systems["gw"]["default"])


def unfit(
    store: ChrootStore, place: Path, option: str = "", config: dict[str, Any] | None = None
) -> list[Problem]:
    return project(store, place, option, config).unfit()


@pytest.mark.parametrize(
    ("option", "key", "fact"),
    [
        ('user = "nobody"', "user", "user 'nobody' is not in its /etc/passwd; there are: app, r"),
        ('user = "app:wheel"', "user", "group 'wheel' is not in its /etc/group; there are: staff"),
        ('working_directory = "/none"', "working_directory", "folder /none is not in its image"),
        ('command = ["/none"]', "command", "starts /none, which is not there"),
        ('command = ["none", "x"]', "command", "starts none, which is in no folder of its PATH"),
        ('command = ["/bin/plain"]', "command", "which is not executable"),
        ('command = ["plain"]', "command", "which is not executable"),
        ('command = ["/srv"]', "command", "which is a folder"),
        ('command = ["/opt/own/bash"]', "command", "needs the interpreter /bin/bash, which is not"),
        ('user = "z"\ncommand = ["/none"]', "user", "user 'z' is not in"),
        ('command = ["/opt/own/env"]', "command", "needs the interpreter node, which is not the"),
        ('command = ["/srv/arm"]', "command", "which is for arm64, and the host is amd64"),
        ('health.command = ["none"]', "health.command", "starts none, which is in no folder"),
        ('volumes = { data = "/etc/passwd" }', "volumes.data", "/etc/passwd is a file, where a"),
        ('files."/srv".text = ""', 'files."/srv"', "there is a folder at /srv, no file"),
        ('files."/bin/run/x".text = ""', 'files."/bin/run/x"', "/bin/run is a file, where a f"),
        ('command = ["/x"]\nfiles."/x".text = ""', "command", "which is not executable"),
    ],
)
def test_what_a_configuration_asks_for_is_told_at_its_line(
    store: ChrootStore, tmp_path: Path, option: str, key: str, fact: str
) -> None:
    (found,) = unfit(store, tmp_path, f"\n{option}")
    assert found.key == f"containers.app.{key}"
    assert fact in found.fact
    begin = re.split(r'[."]', key)[0]
    lines = f"{HEAD}\n{option}".splitlines()
    assert lines[found.place.line - 1].startswith(begin)
    assert found.place.file == tmp_path / "hosts/gw/systems/default.toml"


@pytest.mark.parametrize(
    ("config", "fact"),
    [
        ({**GOOD, "User": "nobody"}, "user 'nobody' is not in its /etc/passwd"),
        ({**GOOD, "User": "app:wheel"}, "group 'wheel' is not in its /etc/group"),
        ({**GOOD, "User": "70000"}, "runs under the number 70000"),
        ({**GOOD, "WorkingDir": "/none"}, "the folder /none is not in its image"),
        ({**GOOD, "Entrypoint": ["/none"]}, "starts /none, which is not there"),
        ({**GOOD, "Healthcheck": {"Test": ["CMD", "none"]}}, "starts none, which is in no folder"),
        ({"Env": ["A=1"]}, "does not say what is to run in it"),
    ],
)
def test_what_the_image_asks_for_is_told_at_the_image(
    store: ChrootStore, tmp_path: Path, config: dict[str, Any], fact: str
) -> None:
    (found,) = unfit(store, tmp_path, config=config)
    assert (found.key, found.place.line) == ("containers.app.image", 2)
    assert fact in found.fact


@pytest.mark.parametrize(
    "option",
    [
        "",
        'command = ["/bin/run"]',
        'command = ["usr/bin/run"]',
        'command = ["own/tool"]\nworking_directory = "/opt"',
        'command = ["tool"]',
        'command = ["node"]\nenvironment.PATH = "/srv/x"\nvolumes.a = "/srv/x"',
        'command = ["x"]\nfiles."/bin/x" = { text = "#!/bin/run", mode = "0755" }',
        'command = ["env"]\nfiles."/bin/node" = { text = "#!/bin/run", mode = "0755" }',
        'command = ["/opt/own/bash"]\nfiles."/bin/bash" = { text = "x", mode = "0755" }',
        'health = { command = ["none"], enable = false }',
        'user = "4000:staff"',
    ],
)
def test_what_can_be_had_is_no_mistake(store: ChrootStore, tmp_path: Path, option: str) -> None:
    assert unfit(store, tmp_path, option) == []


def test_all_that_is_wrong_is_told_at_once(store: ChrootStore, tmp_path: Path) -> None:
    found = unfit(
        store, tmp_path, 'user = "nobody"\nworking_directory = "/none"\nfiles."/srv".text = ""'
    )
    assert [each.place.line for each in sorted(found)] == [3, 4, 5]


def test_an_image_that_is_another_one_is_told_at_its_digest(
    store: ChrootStore, tmp_path: Path
) -> None:
    asked = project(store, tmp_path)
    digest = Digest.of(IMAGE[0])
    (tmp_path / f"images/blobs/sha256/{digest.hex()}").write_bytes(b"x" * len(IMAGE[0]))
    (found,) = asked.unfit()
    assert (found.key, found.place.line) == ("containers.app.image", 2)
    assert f"what came for {digest} is something else" in found.fact
