"""A command says what it lacks before it works."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
from tests.project_files import ROOT, enough

from reconix.base.process import find
from reconix.cli import needs
from reconix.cli.commands import NAMES
from reconix.cli.install_hints import INSTALLED_BY, NOT_IN_DEBIAN
from reconix.cli.main import main
from reconix.cli.needs import NEEDED_BY, USED_BY, ProgramsMissing

Need = Callable[..., None]
STARTING = {"run", "run_for_its_end", "succeeds", "start", "feeding", "reading"}
ELSEWHERE_FOUND = ("device/", "boot/", "store/", "cli/features.py")
"""What runs on a device finds its programs there; what looks at a machine can do without."""


def test_all_that_is_missing_is_told_at_once() -> None:
    needs.expect("sh", "env")
    with pytest.raises(ProgramsMissing) as caught:
        needs.expect("sh", "no-such-a", "mkfs.no", "no-such-a")
    assert str(caught.value) == "no-such-a, mkfs.no are not installed"
    assert caught.value.hint.startswith("apt install mkfs.no no-such-a;")
    assert caught.value.exit_code == 40


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no program is found."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("reconix.base.process._OF_ADMINISTRATORS", ())
    assert find("sh") is None


@pytest.fixture
def project(tmp_path: Path, need: Need) -> Path:
    need("ssh-keygen")
    assert main(["init", str(tmp_path / "project")]) == 0
    return tmp_path / "project"


ELSEWHERE = ["--to", "root@192.0.2.1"]
CASES = [
    (["init", "NEW"], "ssh-keygen is not installed"),
    (["diff"], "git, tar are not installed"),
    (["lock"], "apt-get, apt-cache, apt-config are not installed"),
    (
        ["build"],
        "apt-config, dpkg-deb, tar, mmdebstrap, unshare, mount, sh, depmod are not installed",
    ),
    (["image"], "mkfs.ext4 is not installed"),
    (["install", "--to", "/dev/no"], "sh, blockdev are not installed"),
    (["run"], "qemu-system-x86_64, qemu-img are not installed"),
    (["status", *ELSEWHERE], "ssh is not installed"),
    (["deploy", *ELSEWHERE], "ssh is not installed"),
    (["shell", *ELSEWHERE], "ssh is not installed"),
    (["logs", *ELSEWHERE], "ssh is not installed"),
    (["timeline", *ELSEWHERE], "ssh is not installed"),
    (["cp", "here", ":there", *ELSEWHERE], "ssh, tar are not installed"),
    (["repair", *ELSEWHERE], "ssh is not installed"),
    (["prove"], "qemu-storage-daemon, losetup"),
]


@pytest.mark.parametrize(("words", "told"), CASES, ids=lambda each: str(each[0]))
def test_a_command_says_what_it_lacks_before_it_works(
    words: list[str],
    told: str,
    project: Path,
    tmp_path: Path,
    bare: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(project.rglob("*"))
    named = [str(tmp_path / "new") if word == "NEW" else word for word in words]
    places = ["--project", str(project), "--store", str(tmp_path / "store")]
    assert main([*places, *named]) == 40
    assert f"error: {told}" in capsys.readouterr().err
    assert sorted(project.rglob("*")) == before and not (tmp_path / "new").exists()


def test_every_command_with_needs_is_tried_here() -> None:
    assert {words[0] for words, _ in CASES} == set(NEEDED_BY) | {"status"}
    assert set(NEEDED_BY) | set(USED_BY) <= set(NAMES)


def started_programs() -> Iterator[tuple[str, str]]:
    """Every program that the source names where it is started, with the module."""
    package = ROOT / "src" / "reconix"
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(ELSEWHERE_FOUND):
            yield from ((name, word) for word in _first_words(ast.parse(path.read_text())))


def _first_words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            starts = [each for each in ast.walk(node) if _is_start(each)]
            yield from (word for call in starts for word in _word(call.args[0]))
            named = {ast.unparse(call.args[0]).removeprefix("*") for call in starts}
            for each in ast.walk(node):
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) in named:
                    yield from _word(each.value)


def _is_start(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    return ast.unparse(node.func).split(".")[-1] in STARTING


def _word(node: ast.expr) -> Iterator[str]:
    """The first word of a command, as far as it stands there."""
    match node:
        case ast.Constant(value=str(word)) if not word.startswith("-"):
            yield word
        case ast.Starred(value=inner) | ast.Tuple(elts=[inner, *_]) | ast.List(elts=[inner, *_]):
            yield from _word(inner)


def test_every_program_that_is_started_stands_in_the_tables() -> None:
    started = enough(list(started_programs()), at_least=30, what="programs that are started")
    asked = {each for table in (NEEDED_BY, USED_BY) for each in sum(table.values(), ())}
    unknown = {each for each in started if each[1] not in asked}
    assert not unknown, f"add them to cli/needs.py: {sorted(unknown)}"
    assert asked <= set(INSTALLED_BY) | NOT_IN_DEBIAN
