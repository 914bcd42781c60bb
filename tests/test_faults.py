"""Every fault that we say we survive has a test, or a reason why it has none."""

import ast
import re
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough

ROW = re.compile(r"\| ([A-Z]\d+) \| (.+) \| (.+) \| (.+) \|")
NAMED = re.compile(r"test_((?:[a-z]\d+_)+)")


def rows() -> dict[str, str]:
    """The table of ``docs/faults.md``: where each fault is tested, or why not."""
    lines = (ROOT / "docs/faults.md").read_text().splitlines()
    found = [match for line in lines if (match := ROW.fullmatch(line))]
    assert len(found) == len([line for line in lines if line.startswith("| ")]) - 1
    return {match[1]: match[4] for match in found}


def codes(path: Path) -> set[str]:
    """The faults after which tests of a file are named."""
    names = [
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    matches = filter(None, map(NAMED.match, names))
    return {code.upper() for match in matches for code in match[1].rstrip("_").split("_")}


ROWS = enough(rows(), at_least=53, what="faults")
TESTED = enough(
    {path: codes(path) for path in sorted((ROOT / "tests").rglob("test_*.py"))},
    at_least=200,
    what="files of tests",
)


@pytest.mark.parametrize("code", ROWS)
def test_each_fault_has_a_test_or_a_reason(code: str) -> None:
    has_test = any(code in found for found in TESTED.values())
    assert has_test or ROWS[code].startswith("no test"), f"no test is named test_{code.lower()}_…"


@pytest.mark.parametrize("code", ROWS)
def test_the_file_that_the_table_names_has_such_a_test(code: str) -> None:
    named = [ROOT / "docs" / link for link in re.findall(r"\]\((\S+\.py)\)", ROWS[code])]
    least = 0 if ROWS[code].startswith("no test") else 1
    for path in enough(named, at_least=least, what=f"files for {code}"):
        assert code in TESTED[path.resolve()], f"{path.name} has no test_{code.lower()}_…"


def test_each_test_is_named_after_a_fault_of_the_table() -> None:
    unknown = {code for found in TESTED.values() for code in found} - ROWS.keys()
    assert not unknown
