"""What the agent and the desk start is declared, and nothing else is."""

import ast
from collections.abc import Iterator

from tests.project_files import ROOT, enough

from reconix.build.agent import needs, zipapp
from reconix.build.minify.edges import texts
from reconix.fleet import copying
from reconix.transfer.codecs import lz4
from reconix.transfer.trust import ed25519

STARTS = {"run", "succeeds", "start", "reading", "feeding", "run_for_its_end", "_try"}


def started(tree: ast.AST) -> Iterator[str]:
    """The first word of each command that stands in a source, and of each tuple called words."""
    for node in ast.walk(tree):
        words: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            words = node.args[:1] if name in STARTS else []
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            is_words = isinstance(node.targets[0], ast.Name) and node.targets[0].id == "words"
            words = node.value.elts[:1] if is_words else []
        yield from (
            word.value
            for word in words
            if isinstance(word, ast.Constant) and isinstance(word.value, str)
        )


def test_every_program_that_the_agent_starts_is_declared() -> None:
    sources = enough(zipapp.modules(), at_least=80, what="modules of the agent")
    found = {
        word for path in sources for word in started(ast.parse((ROOT / "src" / path).read_bytes()))
    }
    assert found | {"python3"} == needs.PROGRAMS.keys()


def test_every_library_that_the_agent_loads_is_declared() -> None:
    assert {ed25519._LIBRARY, lz4.LIBRARY} == needs.LIBRARIES.keys()


def test_every_program_of_a_copy_is_declared() -> None:
    scripts = f"{copying._TAKE}{copying._GIVE}"
    found = set(texts.words(scripts)) & {
        *("basename", "cat", "cp", "dirname", "ln", "mkdir", "mktemp", "mv", "rm", "stat", "tar"),
    }
    assert found == needs.REMOTE_PROGRAMS.keys() - {"cat", "journalctl", "sh"}
