"""What others say reaches the terminal of whoever asked as text, and only as much as is bounded."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.device_status import DOCUMENT
from tests.made_generations import generation, toplevel
from tests.unit.base.test_text import HARMFUL

from reconix.base.documents import JsonInput
from reconix.base.process import start
from reconix.build.pins import Pin, Pins
from reconix.cli import commands
from reconix.nix.chroot import ChrootStore

CODE = """
import os, pathlib, sys
from reconix.cli.main import entry
status = entry()
memory = pathlib.Path("/proc/self/status").read_text()
pathlib.Path(os.environ["MEMORY"]).write_text(memory)
sys.exit(status)
"""
HOSTILE = "\x1b]0;renamed\x07\x1b[2J\r" + "".join(HARMFUL) + "\nupdate     none"
SSH = """#!/bin/sh
for command; do :; done
. {folder}/agent
"""

APPLY = """
case $command in
    *apply*) touch {folder}/applied ;;
    *) if [ -e {folder}/applied ]; then cat {folder}/after; else cat {folder}/before; fi ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, and a program `ssh` that runs what the file `agent` says."""
    machine = tmp_path / "hosts/gateway"
    (machine / "systems").mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (machine / "machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (machine / "systems/default.toml").touch()
    (tmp_path / "ssh").write_text(SSH.format(folder=tmp_path))
    (tmp_path / "ssh").chmod(0o755)
    return tmp_path


def terminal(project: Path, *words: str) -> tuple[int, bytes]:
    """Run the command on a terminal; gives its exit status and what the terminal got."""
    ours, its = os.openpty()
    environment = {
        "PYTHONPATH": str(Path(commands.__file__).parents[2]),
        "PATH": f"{project}:{os.environ['PATH']}",
        "TERM": "xterm",
        "MEMORY": str(project / "memory"),
    }
    options = ("--project", str(project), "--store", str(project / "store"))
    program = (sys.executable, "-c", CODE, *options, *words)
    with os.fdopen(its, "wb") as sink:
        child = start(*program, stdout=sink, stderr=sink, environment=environment)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as source:
        try:
            while data := source.read(1 << 16):
                seen += data
        except OSError as error:  # how the end of a terminal looks
            assert error.errno == errno.EIO
    status = child.wait()
    peak = re.search(r"VmHWM:\s+(\d+) kB", (project / "memory").read_text())
    assert peak and int(peak[1]) < 200 << 10, "it has kept too much in memory"
    return status, seen


def as_text(seen: bytes) -> str:
    """What a terminal got, if there is nothing in it that it would obey."""
    text = seen.replace(b"\r\n", b"\n").decode()
    assert text.replace("\n", "").isprintable(), ascii(text)
    return text


def says(project: Path, document: JsonInput) -> None:
    """The device answers this, with all that JSON can carry."""
    (project / "answer").write_text(json.dumps(document))
    (project / "agent").write_text(f"cat {project}/answer\n")


def add_generation(store: ChrootStore) -> Pin:
    made = generation(store, toplevel(store), host="gateway")
    return Pins(store.root, "test", "gateway").add(made)


def hostile(generation: str = "") -> dict[str, JsonInput]:
    """A status of which each text is hostile."""
    text = HOSTILE.encode(errors="ignore").decode()
    verdict = {"reason": text, "what": text, "said": text}
    last = {"result": text, "generation": generation or text, "verdict": verdict}
    booted = {"boot_id": text, "system": text}
    assert isinstance(DOCUMENT, dict)
    return {**DOCUMENT, "host": text, "phase": text, "last": last, "booted": booted}


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_status_of_a_device_is_only_text(project: Path, form: list[str]) -> None:
    says(project, hostile())
    status, seen = terminal(project, "status", "--to", "device.example", *form)
    assert status == 0
    assert "renamed" in as_text(seen)
    assert "\nupdate     none" not in as_text(seen)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_why_a_device_came_back_is_only_text(project: Path, form: list[str]) -> None:
    """A failed health check says what a web server of the device, which nobody trusts, has said."""
    with ChrootStore(project / "store") as store:
        path = str(add_generation(store).path)
    assert isinstance(DOCUMENT, dict)
    before = {**DOCUMENT, "host": "gateway", "installed": [path]}
    (project / "before").write_text(json.dumps(before))
    (project / "after").write_text(json.dumps(hostile(generation=path)))
    (project / "agent").write_text(APPLY.format(folder=project))
    status, seen = terminal(project, "--no-progress", "deploy", "--to", "device.example", *form)
    assert status == 79
    assert "renamed" in as_text(seen)
    assert "\nupdate     none" not in as_text(seen)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_what_a_program_complains_is_only_text(project: Path, form: list[str]) -> None:
    (project / "complaint").write_bytes(HOSTILE.encode(errors="ignore") + b"\x9b2J\nhint: obey me")
    (project / "agent").write_text(f"cat {project}/complaint >&2; exit 70\n")
    status, seen = terminal(project, "status", "--to", "device.example", *form)
    assert status == 70
    assert "\nhint: obey me" not in as_text(seen)


@pytest.mark.parametrize("where", ["", ">&2"], ids=["answers", "complains"])
def test_a_device_that_never_ends_is_not_kept_in_memory(project: Path, where: str) -> None:
    (project / "agent").write_text(f"head -c 600M /dev/zero {where}; exit 3\n")
    status, seen = terminal(project, "status", "--to", "device.example")
    assert status == (3 if where else 42)
    assert len(as_text(seen)) < 8000


def test_a_locale_without_letters_ends_no_command(project: Path) -> None:
    says(project, {**hostile(), "phase": "größer"})
    words = ("status", "--project", str(project), "--store", str(project / "store"))
    environment = {
        "PYTHONPATH": str(Path(commands.__file__).parents[2]),
        "PATH": f"{project}:{os.environ['PATH']}",
        "PYTHONIOENCODING": "ascii",
        "MEMORY": str(project / "memory"),
    }
    child = start(
        *(sys.executable, "-c", CODE, *words, "--to", "device.example"),
        stdout=subprocess.PIPE,
        environment=environment,
    )
    said, _ = child.communicate()
    assert (child.returncode, b"gr\\xf6\\xdfer" in said) == (0, True)
