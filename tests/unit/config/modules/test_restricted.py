from pathlib import Path
from types import ModuleType

import pytest
from tests.project_files import enough

from reconix.config import services
from reconix.config.modules.restricted import ModuleError, load

FOUND = Path(str(services.__file__)).parent.glob("[!_]*.py")
BUILT_IN = enough(sorted(FOUND), at_least=4, what="modules of ours")


def sibling(name: str) -> ModuleType:
    raise ImportError(name)


def run(folder: Path, source: str) -> ModuleType:
    file = folder / "hello.py"
    file.write_text(source)
    return load(file, sibling)


REFUSED = {
    "import time": "imports time",
    "from time import time": "may not import time",
    "from os import environ": "may not import os",
    "from . import x": "may not import .",
    "x = open('/etc/passwd')": "may not use open",
    "x = __import__('os')": "may not use __import__",
    "x = eval('1')": "may not use eval",
    "x = (1).__class__": "may not use __class__",
    "x = hash('a')": "may not use hash",
    "x = {1, 2}": "uses a set",
    "x = [y for y in {z for z in ()}]": "uses a set",
    "x = set()": "may not use set",
    "print('x')": "may not use print",
    "from dataclasses import sys": "may not import sys from dataclasses",
    "from dataclasses import _create_fn": "may not import _create_fn from dataclasses",
    "from dataclasses import *": "may not import * from dataclasses",
    "from collections.abc import ABCMeta": "may not import ABCMeta from collections.abc",
    "from typing import get_type_hints": "may not import get_type_hints from typing",
    "from functools import wraps": "may not import wraps from functools",
    "from string import Formatter": "may not import Formatter from string",
    "from reconix.config.schema.system import Path": "may not import Path from",
    "from reconix.config.schema.content import read_bounded": "may not import read_bounded from",
    "x = getattr((), '__class__')": "may not use __class__",
    "x = hasattr((), '__class__')": "may not use __class__",
    "x = getattr('{0.__class__}', 'format')": "may not use format",
    "x = '{0.__class__}'.format(())": "may not use format",
    "x = '{a.__class__}'.format_map({})": "may not use format_map",
    "x = (y for y in ()).gi_frame": "may not use gi_frame",
    "x = type('X', (), {'__annotations__': {'a=1: int': int}})": "raised TypeError",
    "x = lambda path: path.read_text()": "may not use read_text",
    "__builtins__ = 1": "may not use __builtins__",
    "class X(metaclass=dict): pass": "may not use a metaclass",
    "from modules.other import x": "raised ImportError: other",
    "x = getattr(1, 'y')": "has no attribute 'y'",
    "x = unknown": "raised NameError",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_reaches_for_the_world_is_refused_with_its_line(tmp_path: Path, source: str) -> None:
    with pytest.raises(ModuleError) as failure:
        run(tmp_path, f"# a module\n{source}\n")
    problem = failure.value.problems[0]
    assert REFUSED[source] in problem.fact
    assert (problem.place.line, problem.place.text) == (2, source)
    assert problem.key == "module hello"


def test_a_pattern_is_no_way_to_what_may_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="may not use __class__"):
        run(tmp_path, "match ():\n    case object(__class__=x): pass\n")


def test_a_name_that_says_another_name_is_no_way_either(tmp_path: Path) -> None:
    source = "class S(str):\n    def startswith(self, *_): return False\n"
    with pytest.raises(ModuleError, match="may not use __class__"):
        run(tmp_path, f"{source}x = getattr((), S('__class__'))\n")


def test_all_that_is_refused_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModuleError) as failure:
        run(tmp_path, "import os\nimport time\nx = open\n")
    assert len(failure.value.problems) == 3


def test_what_only_computes_runs(tmp_path: Path) -> None:
    source = (
        "from dataclasses import dataclass\nfrom re import sub\n"
        "@dataclass(frozen=True, slots=True)\nclass Point:\n    x: int = 0\n"
        "total = sum(p.x for p in (Point(1), Point(2)))\nname = sub('a', 'b', 'aa')\n"
    )
    module = run(tmp_path, source)
    assert (module.__dict__["total"], module.__dict__["name"]) == (3, "bb")


@pytest.mark.parametrize("file", BUILT_IN, ids=lambda file: file.stem)
def test_built_in_modules_keep_the_rules_of_all_others(file: Path) -> None:
    assert load(file, sibling).__dict__["configure"]


def test_a_module_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="cannot be read"):
        run(tmp_path, "#" * (257 << 10))
