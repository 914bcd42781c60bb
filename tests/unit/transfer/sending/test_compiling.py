"""Compiled modules that are not sent, because devices make them of their sources."""

import argparse
import io
import json
import textwrap
from pathlib import Path

import pytest
from tests.unit.transfer.conftest import Workshop
from tests.unit.transfer.python_system import compiled, packages, python, system

from reconix.base.digests import Digest
from reconix.store.paths import StorePath
from reconix.transfer.codecs.tools import Tool, missing
from reconix.transfer.format.stream import COMPILED_MODULES, Header, StreamReader
from reconix.transfer.sending import send
from reconix.transfer.sending.compiling import interpreter_of, prefix_in, source_path
from reconix.transfer.sending.means import Sparing

PUMP = {
    f"pump/{name}.py": Path(str(module.__file__)).read_bytes()
    for name, module in {"__init__": json, "Motor": textwrap, "valve": argparse}.items()
}
"""Names that sort before and behind ``__pycache__``."""
NEWER = PUMP | {"pump/valve.py": PUMP["pump/valve.py"].replace(b"usage", b"handling")}


def generation(
    workshop: Workshop, modules: dict[str, bytes], agent: bytes | None = None
) -> StorePath:
    files = python() | packages(modules) | packages({"other.py": b"LEVEL = 1\n"})
    return workshop.generation(root=system(files, agent=agent))


@pytest.fixture
def empty(workshop: Workshop) -> StorePath:
    """A device without the package."""
    return generation(workshop, {})


def header(stream: bytes) -> Header:
    return StreamReader(io.BytesIO(stream).read).header


def received(workshop: Workshop, base: StorePath, target: StorePath) -> Header:
    """What the header of a stream says that a device has taken."""
    stream = workshop.stream(base, target)
    registry = workshop.device(base)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, target)
    return header(stream)


def test_a_new_package_is_compiled_on_the_device(workshop: Workshop, empty: StorePath) -> None:
    target = generation(workshop, PUMP)
    found = received(workshop, empty, target)
    assert found.compiled == 3
    assert found.features & COMPILED_MODULES
    whole = io.BytesIO()
    send.create(workshop.store, [empty], target, whole.write, sparing=Sparing.CPU)
    assert not header(whole.getvalue()).compiled
    assert len(workshop.stream(empty, target)) < 0.66 * len(whole.getvalue())


def test_a_changed_module_is_compiled_again(workshop: Workshop) -> None:
    base, target = generation(workshop, PUMP), generation(workshop, NEWER)
    assert received(workshop, base, target).compiled == 1


def test_modules_that_go_are_gone(workshop: Workshop) -> None:
    fewer = {name: source for name, source in NEWER.items() if "Motor" not in name}
    received(workshop, generation(workshop, PUMP), generation(workshop, fewer))


def test_an_agent_that_does_not_say_that_it_compiles_gets_the_files(workshop: Workshop) -> None:
    base = generation(workshop, {}, b"an older agent, of which nothing is known " * 9)
    assert received(workshop, base, generation(workshop, PUMP)).compiled == 0


def test_the_same_generations_give_the_same_bytes(workshop: Workshop, empty: StorePath) -> None:
    target = generation(workshop, PUMP)
    assert workshop.stream(empty, target) == workshop.stream(empty, target)


def test_another_python_refuses_before_it_writes() -> None:
    assert missing(Tool.PYTHON, Digest.of(b"another")) == [
        f"a Python of the identity {Digest.of(b'another')}"
    ]


def test_of_two_pythons_none_compiles(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for place in ("usr/bin", "usr/lib/systemd"):
            (tmp_path / name / place).mkdir(parents=True)
        (tmp_path / name / "usr/lib/systemd/systemd").touch()
        (tmp_path / name / "usr/bin/python3.1").write_text(name)
        (tmp_path / name / "usr/bin/python3").symlink_to("python3.1")
    assert interpreter_of([tmp_path / "one", tmp_path / "two"], "amd64") is None
    assert interpreter_of([tmp_path / "one"], "amd64") is None, "it does not run"
    assert interpreter_of([], "amd64") is None


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (b"usr/lib/a/__pycache__/b.cpython-313.pyc", b"usr/lib/a/b.py"),
        (b"usr/lib/a/__pycache__/b.cpython-313.opt-1.pyc", None),
        (b"usr/lib/a/b.pyc", None),
        (b"b.cpython-313.pyc", None),
    ],
)
def test_a_compiled_file_tells_its_source(path: bytes, source: bytes | None) -> None:
    found = source_path(tuple(path.split(b"/")))
    assert found == (tuple(source.split(b"/")) if source else None)


@pytest.mark.parametrize("place", ["/", "/opt/air/", "/opt/" + "a" * 200 + "/"])
def test_where_a_module_is_run_is_found_in_it(place: str) -> None:
    content = compiled(f"{place}lib/pump.py", b"LEVEL = 1\n")
    assert prefix_in(content, b"lib/pump.py") == place.encode()


def test_a_module_that_does_not_say_where_it_is_run_counts_from_the_root() -> None:
    assert prefix_in(compiled("pump.py", b"LEVEL = 1\n"), b"lib/pump.py") == b"/"
