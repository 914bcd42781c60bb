from collections.abc import Callable

import pytest
from tests.project_files import enough

from reconix.base.process import run
from reconix.cli.completion import SHELLS, script
from reconix.cli.description import describe_all


def completed_by_bash(*words: str) -> set[str]:
    line = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _reconix; echo ${{COMPREPLY[@]}}"
    return set(run("bash", "-c", script("bash", describe_all()) + ask).decode().split())


def test_bash_completes_commands_and_their_words() -> None:
    assert completed_by_bash("reconix", "comp") == {"completion"}
    assert completed_by_bash("reconix", "completion", "") >= {"bash", "zsh", "fish", "--help"}
    assert completed_by_bash("reconix", "-v", "completion", "z") == {"zsh"}
    assert completed_by_bash("reconix", "completion", "bash", "--pro") == {"--project"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_every_command(shell: str) -> None:
    text = script(shell, describe_all())
    commands = enough(list(describe_all()), at_least=15, what="commands")
    assert all(each.name in text for each in commands)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_bash_and_zsh_accept_their_scripts(shell: str, need: Callable[..., None]) -> None:
    need("bash")  # the script for zsh is that for bash, behind two lines
    run("bash", "-n", stdin=script(shell, describe_all()).encode())


def test_fish_gets_one_command_per_line_with_balanced_quotes() -> None:
    lines = script("fish", describe_all()).splitlines()[1:]
    for line in enough(lines, at_least=100, what="lines"):
        assert line.startswith("complete -c reconix ")
        assert line.replace("\\'", "").count("'") % 2 == 0
