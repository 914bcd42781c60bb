"""What the agent and the desk start is declared, and nothing else is."""

import ast
from collections.abc import Iterator

from tests.project_files import ROOT, enough

from reconix.build.agent import needs, zipapp
from reconix.build.minify import knowledge
from reconix.build.minify.edges import texts
from reconix.fleet import copying
from reconix.transfer.codecs import lz4
from reconix.transfer.trust import ed25519

STARTS = {"run", "succeeds", "start", "reading", "feeding", "run_for_its_end", "_try"}


def is_command(target: ast.expr, words: ast.Tuple) -> bool:
    """Whether a tuple is a command: by its name, or by an option among its words."""
    options = (each.value for each in words.elts[1:] if isinstance(each, ast.Constant))
    is_words = isinstance(target, ast.Name) and target.id == "words"
    return is_words or any(str(each).startswith("--") for each in options)


def started(tree: ast.AST) -> Iterator[str]:
    """The first word of each command that stands in a source, and of each tuple called words."""
    for node in ast.walk(tree):
        words: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            words = [each for each in node.args[:2] if name in STARTS]
            words = words[1:] if words and isinstance(words[0], ast.Starred) else words[:1]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            words = node.value.elts[:1] if is_command(node.targets[0], node.value) else []
        said = [word.value for word in words if isinstance(word, ast.Constant)]
        yield from (str(word).rpartition("/")[2] for word in said if not str(word).startswith("-"))


def test_every_program_that_the_agent_starts_is_declared() -> None:
    sources = enough(zipapp.modules(), at_least=80, what="modules of the agent")
    found = {
        word for path in sources for word in started(ast.parse((ROOT / "src" / path).read_bytes()))
    }
    declared = (needs.PROGRAMS, needs.LOGIN_PROGRAMS, needs.CONTAINER_PROGRAMS)
    assert found | {"python3"} == {name for table in declared for name in table}


def test_what_the_agent_asks_logind_with_stays_with_it() -> None:
    (fact,) = (each for each in knowledge.ALL if "asked by the agent" in each.how)
    assert {fact.paths} == {f"usr/bin/{name}" for name in needs.LOGIN_PROGRAMS}


def test_every_library_that_the_agent_loads_is_declared() -> None:
    assert {ed25519._LIBRARY, lz4.LIBRARY} == needs.LIBRARIES.keys()


def test_every_program_of_a_copy_is_declared() -> None:
    scripts = f"{copying._TAKE}{copying._GIVE}"
    found = set(texts.words(scripts)) & {
        *("basename", "cat", "cp", "dirname", "ln", "mkdir", "mktemp", "mv", "rm", "stat", "tar"),
    }
    assert found - {"tar"} == needs.REMOTE_PROGRAMS.keys() - {"cat", "journalctl", "sh"}
    assert "tarfile" in needs.LATE_MODULES, "where there is no tar"
