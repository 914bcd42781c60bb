"""What modules in Python reach."""

from pathlib import Path

import pytest
from tests.device_trees import make

from reconix.build.minify.edges.python import PythonEdges

P = "usr/lib/python3.13"
D = "usr/lib/python3/dist-packages"
NAMES = (
    "json/__init__",
    "json/decoder",
    "json/scanner",
    "os",
    "pdb",
    "doctest",
    "_fallback",
    "late",
)
ROOT = {
    **{f"{P}/{name}.py": "" for name in NAMES},
    f"{P}/lib-dynload/_json.cpython-313-x86_64-linux-gnu.so": "",
    f"{D}/serial/__init__.py": "",
    f"{D}/serial/tools/__init__.py": "",
    f"{D}/serial/tools/ports.py": "",
    f"{P}/empty/x.py": "",
}


def targets(tmp_path: Path, path: str, source: str) -> set[str]:
    edges = PythonEdges(make(tmp_path, ROOT))
    return {edge.target for edge in edges.of(path, source.encode())}


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        ("import json.decoder, missing", {f"{P}/json/__init__.py", f"{P}/json/decoder.py"}),
        ("from json import decoder, loads", {f"{P}/json/__init__.py", f"{P}/json/decoder.py"}),
        ("import _json", {f"{P}/lib-dynload/_json.cpython-313-x86_64-linux-gnu.so"}),
        (
            "def f():\n    from serial.tools.ports import x\n    import pdb",
            {
                *(f"{D}/serial/__init__.py", f"{D}/serial/tools/__init__.py"),
                *(f"{D}/serial/tools/ports.py", f"{P}/pdb.py"),
            },
        ),
        ("import empty.x, empty.y", {f"{P}/empty/x.py"}),
        ("not python at all", set()),
    ],
)
def test_a_program_reaches_all_that_it_imports(
    source: str, reached: set[str], tmp_path: Path
) -> None:
    assert targets(tmp_path, "opt/air/main.py", source) == reached


def test_relative_imports_are_those_of_the_package(tmp_path: Path) -> None:
    found = targets(tmp_path, f"{D}/serial/tools/x.py", "from . import ports\nfrom .. import os\n")
    assert found == {f"{D}/serial/tools/ports.py"}


def test_a_script_is_told_by_its_first_line(tmp_path: Path) -> None:
    assert targets(tmp_path, "usr/bin/air", "#!/usr/bin/python3\nimport os\n") == {f"{P}/os.py"}
    assert targets(tmp_path, "usr/bin/air", "#!/bin/sh\nimport os\n") == set()


def test_the_standard_library_reaches_what_it_does_for_others(tmp_path: Path) -> None:
    source = """\
try:
    import json
except ImportError:
    import _fallback
try:
    import missing
except ValueError:
    import os
def use():
    import late, pdb
def _test():
    import os
if __name__ == "__main__":
    import os
"""
    assert targets(tmp_path, f"{P}/x.py", source) == {f"{P}/json/__init__.py", f"{P}/late.py"}


def test_a_library_of_python_reaches_modules_that_it_names(tmp_path: Path) -> None:
    library = f"{P}/lib-dynload/_json.cpython-313-x86_64-linux-gnu.so"
    assert targets(tmp_path, library, "\0json.decoder\0os\0") == {
        *(f"{P}/json/__init__.py", f"{P}/json/decoder.py"),
    }


def test_a_module_of_the_standard_library_does_not_mean_its_neighbour(tmp_path: Path) -> None:
    """``json/os.py`` is not what ``import os`` in ``json/decoder.py`` means."""
    files = make(tmp_path, {**ROOT, f"{P}/json/os.py": ""})
    found = PythonEdges(files).of(f"{P}/json/decoder.py", b"import os")
    assert [edge.target for edge in found] == [f"{P}/os.py"]


LATE = {**ROOT, f"{P}/shutil.py": "", f"{P}/tarfile.py": "", f"{P}/copy.py": ""}
ARCHIVES = b"import os\ndef make_archive():\n    import tarfile\ndef other():\n    import copy\n"


def test_what_the_agent_never_has_the_standard_library_do_waits_for_others(tmp_path: Path) -> None:
    edges = PythonEdges(make(tmp_path, LATE))
    found = {edge.target for edge in edges.of(f"{P}/shutil.py", ARCHIVES)}
    assert found == {f"{P}/os.py", f"{P}/copy.py"}
    assert edges.suggested == {f"{P}/tarfile.py": ("archives", f"{P}/shutil.py")}
    assert [*edges.of("etc/python3.13/sitecustomize.py", b"")] == []
    assert [*edges.of("opt/air/main.py", b"")] == [
        (f"{P}/tarfile.py", f"may use /{P}/shutil.py, which imports tarfile")
    ]
    assert f"{P}/tarfile.py" in {edge.target for edge in edges.of(f"{P}/shutil.py", ARCHIVES)}


def test_a_grammar_newer_than_ours_is_read_by_lines(tmp_path: Path) -> None:
    source = """\
import json.decoder as d, os  # both
from json import (decoder,
    scanner)  # not late
not python = at all
    import late
"""
    assert targets(tmp_path, f"{P}/x.py", source) == {
        *(f"{P}/json/{name}.py" for name in ("__init__", "decoder", "scanner")),
        *(f"{P}/os.py", f"{P}/late.py"),
    }
    near = targets(tmp_path, f"{D}/serial/tools/x.py", "from . import ports\nx = = 1\n")
    assert near == {f"{D}/serial/tools/ports.py"}


def test_a_package_of_debian_has_its_data_and_what_tells_of_it(tmp_path: Path) -> None:
    beside = {
        f"{D}/yaml/__init__.py": "",
        f"{D}/yaml/loader.py": "",
        f"{D}/yaml/schema.json": "",
        f"{D}/yaml/tests/data.json": "",
        f"{D}/yaml/fonts": "> /usr/share/yaml",
        "usr/share/yaml/a.ttf": "",
        f"{D}/PyYAML-6.0.dist-info/top_level.txt": "_yaml\nyaml\n",
        f"{D}/PyYAML-6.0.dist-info/METADATA": "",
        f"{D}/yaml-2.egg-info": "",
        f"{D}/other-1.dist-info/METADATA": "",
    }
    edges = PythonEdges(make(tmp_path, beside))
    found = {edge.target for edge in edges.of(f"{D}/yaml/__init__.py", b"")}
    assert found == {
        f"{D}/yaml/schema.json",
        f"{D}/yaml/fonts",
        "usr/share/yaml/a.ttf",
        f"{D}/PyYAML-6.0.dist-info/top_level.txt",
        f"{D}/PyYAML-6.0.dist-info/METADATA",
        f"{D}/yaml-2.egg-info",
    }
    assert not list(edges.of(f"{D}/yaml/loader.py", b""))


def test_a_package_of_debian_has_the_shared_folder_of_its_name_that_a_module_names(
    tmp_path: Path,
) -> None:
    shared = ("usr/share/plot/data/style", "usr/share/plot/data/fonts/a.ttf")
    files = make(tmp_path, dict.fromkeys((*shared, "usr/share/plotter/x", "usr/share/plot/y"), ""))
    edges = PythonEdges(files)
    source = b"DATA = '/usr/share/plot/data'\nOTHERS = '/usr/share/plotter', '/usr/share'\n"
    found = {edge.target for edge in edges.of(f"{D}/plot/paths.py", source)}
    assert found == {*shared, "usr/share/plot/data"}
    assert not list(edges.of(f"{D}/other/paths.py", source))
