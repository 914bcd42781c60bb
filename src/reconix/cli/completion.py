"""Print what a shell needs to complete the words of `reconix`.

For one session:

    bash  source <(reconix completion bash)
    zsh   source <(reconix completion zsh)
    fish  reconix completion fish | source

For all sessions, save the output where the shell looks for it, for example in
~/.local/share/bash-completion/completions/reconix.
"""

import argparse

from reconix.cli.answers import give
from reconix.cli.description import CommandDescription, Option, describe_all

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("shell", choices=SHELLS, help="whose language to print")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    give(script(arguments.shell, describe_all()).encode())
    return 0


def script(shell: str, described: list[CommandDescription]) -> str:
    """The script for one of ``SHELLS``."""
    printers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return printers[shell](described)


def _bash(described: list[CommandDescription]) -> str:
    cases = "".join(
        f'        {each.name}) words="{" ".join(_words(each))}" ;;\n' for each in described
    )
    return f"""\
# Completion of reconix for bash.
_reconix() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" command="" words="" word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in
        {"|".join(each.name for each in described)}) command="$word"; break ;;
        esac
    done
    case "$command" in
        "") words="{" ".join(_first_words(described))}" ;;
{cases}    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _reconix reconix
"""


def _zsh(described: list[CommandDescription]) -> str:
    return f"""\
#compdef reconix
# Completion of reconix for zsh, which can use that for bash.
autoload -U +X bashcompinit && bashcompinit
{_bash(described)}"""


def _fish(described: list[CommandDescription]) -> str:
    lines = ["# Completion of reconix for fish."]
    for each in described:
        summary = _fish_quoted(each.summary)
        lines.append(f"complete -c reconix -n __fish_use_subcommand -a {each.name} -d {summary}")
        inside = f"-n '__fish_seen_subcommand_from {each.name}'"
        lines += [_fish_option(inside, option) for option in each.options]
        for operand in each.operands:
            if operand.choices:
                choices = _fish_quoted(" ".join(operand.choices))
                lines.append(f"complete -c reconix {inside} -f -a {choices}")
    return "".join(f"{line}\n" for line in lines)


def _fish_option(inside: str, option: Option) -> str:
    spellings = " ".join(
        f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.spellings
    )
    takes = " -r" if option.value else ""
    choices = f" -f -a {_fish_quoted(' '.join(option.choices))}" if option.choices else ""
    help_text = _fish_quoted(option.help)
    return f"complete -c reconix {inside} {spellings}{takes}{choices} -d {help_text}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _first_words(described: list[CommandDescription]) -> list[str]:
    return [each.name for each in described]


def _words(each: CommandDescription) -> list[str]:
    """What may stand after a command."""
    options = [word for option in each.options for word in option.spellings]
    choices = [word for operand in each.operands for word in operand.choices]
    return [*choices, *options]
