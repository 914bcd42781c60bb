"""What a module reaches by import: what goes to devices, and what recipes hang on."""

import ast
from pathlib import Path
from types import ModuleType

import pytest
from tests.project_files import enough

from reconix.build import recipes
from reconix.build.agent import bytecode
from reconix.build.boot import initrd, linux
from reconix.build.imports import SOURCE, NotOurs, imported, reached
from reconix.build.root import debian

SOURCES = {
    "reconix/__init__.py": "",
    "reconix/a.py": "import os\nfrom reconix.b import b\n",
    "reconix/b.py": "def b():\n    from reconix.inner import late\n",
    "reconix/inner/__init__.py": "",
    "reconix/inner/late.py": "import reconix.a\n",
    "reconix/other.py": "",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_imported_late_or_in_a_circle_counts(source: Path) -> None:
    found = reached(["reconix.a"], source)
    assert {str(file.relative_to(source)) for file in found.values()} == {
        name for name in SOURCES if name != "reconix/other.py"
    }


@pytest.mark.parametrize(
    "place",
    [
        "if x:\n    pass\nelse:\n    {}",
        "class A:\n    async def f():\n        {}",
        "for x in y:\n    pass\nelse:\n    {}",
        "while x:\n    with y:\n        {}",
        "try:\n    {}\nfinally:\n    pass",
        "try:\n    pass\nexcept E:\n    {}",
        "try:\n    pass\nfinally:\n    {}",
        "match x:\n    case 1:\n        {}",
        "f = lambda: (x if y else z); {}",
    ],
)
def test_an_import_counts_wherever_it_stands(place: str) -> None:
    assert imported(place.format("from a import b").encode()) == (("a", "b"),)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from a import (\n    b,  # c, d\n    e as f,\n)\n", (("a", "b"), ("a", "e"))),
        ("import a.b, c as d  # import e\n", (("a.b", ""), ("c", ""))),
        ('"""\nimport a\n"""\nTEXT = """\\\nfrom b import c\n"""\n', ()),
        ("# import a\nimportant = 1\nyield_from = import_\n", ()),
        ("from . import a\n", ()),
    ],
)
def test_the_names_of_an_import_are_read(text: str, found: tuple[tuple[str, str], ...]) -> None:
    assert imported(text.encode()) == found


def parsed(content: bytes) -> list[tuple[str, str]]:
    """The imports of a module, as Python's own parser finds them."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.module, alias.name) for alias in node.names]
    return sorted(found)


def test_no_import_of_ours_is_missed() -> None:
    modules = enough([*SOURCE.glob("reconix/**/*.py")], at_least=300, what="modules")
    for path in modules:
        content = path.read_bytes()
        assert sorted(imported(content)) == parsed(content), path


def test_an_import_of_nothing_is_refused(source: Path) -> None:
    (source / "reconix/b.py").write_text("from reconix.nothing import x\n")
    with pytest.raises(NotOurs, match=r"reconix\.nothing"):
        reached(["reconix.a"], source)


@pytest.mark.parametrize(
    ("maker", "needed"),
    [
        (debian, {"accounts", "debian", "normalise", "static_ids", "process"}),
        (initrd, {"cpio", "initrd", "linux"}),
        (linux, {"linux", "process"}),
        (bytecode, {"bytecode", "process"}),
    ],
)
def test_a_recipe_hangs_on_all_code_that_makes_the_object(
    maker: ModuleType, needed: set[str]
) -> None:
    assert needed <= {path.stem for path in recipes.sources(maker)}


def test_a_new_option_does_not_make_roots_anew() -> None:
    sources = [path.relative_to(SOURCE) for path in recipes.sources(debian)]
    enough(sources, at_least=5, what="modules")
    assert not [path for path in sources if path.is_relative_to("reconix/config")]
