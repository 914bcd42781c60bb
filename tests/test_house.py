"""Format, lint and types are tests like all others."""

import sys
from fnmatch import fnmatch

import pytest
from tests.project_files import ROOT, enough

from reconix.base.process import CommandFailed, run, succeeds

FOLDERS = ("src", "tests", "tools", "bench", "examples")
CHECKED = enough(
    [folder for folder in FOLDERS if any((ROOT / folder).rglob("*.py"))],
    at_least=len(FOLDERS),
    what="folders of Python",
)


def test_every_file_is_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", *CHECKED, folder=ROOT)


def test_no_lint_is_found() -> None:
    run(sys.executable, "-m", "ruff", "check", *CHECKED, folder=ROOT)


def test_all_types_hold() -> None:
    run(sys.executable, "-m", "mypy", *CHECKED, folder=ROOT)


def test_no_test_lies_where_pytest_does_not_look(pytestconfig: pytest.Config) -> None:
    """Unless it is told, it looks into no folder called ``build``."""
    passed_over = pytestconfig.getini("norecursedirs")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    for path in enough(files, at_least=250, what="files of tests"):
        folders = path.relative_to(ROOT).parts[:-1]
        hidden = [name for name in folders for each in passed_over if fnmatch(name, each)]
        assert not hidden, f"{path} is never read: {hidden} in norecursedirs"


def test_scripts_are_correct_shell() -> None:
    for script in ("tools/install-packages", "tools/make-environment", ".ci/run"):
        assert succeeds("sh", "-n", ROOT / script), script


def test_all_tests_run_although_some_have_failed() -> None:
    with pytest.raises(CommandFailed, match="failed: vm check-all"):
        run("make", "test", "SETUP=", "RUN=false", folder=ROOT)


@pytest.mark.parametrize("target", ["demo", "test", "check", "vm", "bench", "prove"])
def test_set_up_comes_before_all_work(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for told_to_the_make_that_runs_this in ("MAKEFLAGS", "MAKELEVEL", "SETUP"):
        monkeypatch.delenv(told_to_the_make_that_runs_this, raising=False)
    first = run("make", "--dry-run", target, folder=ROOT).decode().splitlines()[:2]
    assert first == ["sh tools/install-packages", "sh tools/make-environment python3 .venv"]


def test_continuous_integration_starts_with_nothing_but_the_tests() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
