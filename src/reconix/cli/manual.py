"""Manual pages from the command line: ``docs/man/reconix*.1``.

A page is a pure function of what the parsers and docstrings say. It is written in the ``man``
macros of roff, in which a line that begins with a dot or a quote is a command, so such lines and
all backslashes and dashes are protected.

Source: man(7), groff_man_style(7). Tested by ``tests/unit/cli/test_manual.py`` with ``man`` itself.
"""

from reconix.cli.description import (
    CommandDescription,
    Operand,
    Option,
    describe_agent,
    describe_all,
)
from reconix.cli.parsers import ABOUT
from reconix.device import __main__ as agent


def pages() -> dict[str, bytes]:
    """Every page by its file name."""
    described = describe_all()
    found = {f"reconix-{each.name}.1": _page(each) for each in described}
    return {**found, "reconix.1": _overview(described), "reconix-device.1": _agent()}


def _overview(described: list[CommandDescription]) -> bytes:
    lines = [
        *_head("reconix", "several complete systems on one device"),
        *(".SH SYNOPSIS", r".B reconix", r"[\fIoptions\fP] \fICOMMAND\fP \&..."),
        *(".SH DESCRIPTION", _text(ABOUT), ".SH COMMANDS"),
    ]
    for each in described:
        lines += [".TP", rf"\fBreconix\-{each.name}\fP(1)", _text(each.summary)]
    lines += [".SH EXIT STATUS", _text(EXIT_STATUS)]
    return _joined(lines)


def _agent() -> bytes:
    """The page of the agent, which is a program of its own with few options."""
    lines = [
        *_head("reconix-device", agent.ABOUT.partition("\n")[0].removesuffix(".")),
        *(".SH SYNOPSIS", r".B reconix\-device", r"\fICOMMAND\fP [\fIoptions\fP]"),
        *(".SH DESCRIPTION", *_paragraphs(agent.ABOUT.partition("\n")[2].strip())),
        ".SH COMMANDS",
    ]
    for each in describe_agent():
        usage = " ".join(each.usage.split()).removeprefix("reconix-device ")
        lines += [".TP", rf"\fB{_text(usage)}\fP", _text(each.manual)]
        options = [one for one in each.options if "--help" not in one.spellings]
        lines += [".RS", *(line for one in options for line in _option(one)), ".RE"]
    return _joined([*lines, ".SH SEE ALSO", r"\fBreconix\fP(1)"])


EXIT_STATUS = (
    "0 done; 1 a failure of no special kind; 2 wrong use or configuration; 20-29 store; 30-39 boot;"
    " 40-49 programs and files; 50-59 streams; 60-69 inputs of a build; 70-79 the device;"
    " 80-89 trust and transport; 130 interrupted."
)


def _page(each: CommandDescription) -> bytes:
    lines = [
        *_head(f"reconix-{each.name}", each.summary),
        *(".SH SYNOPSIS", _text(" ".join(each.usage.split())), ".SH DESCRIPTION"),
        *_paragraphs(each.manual.partition("\n")[2].strip() or each.summary),
    ]
    if each.operands:
        lines += [".SH OPERANDS", *(line for one in each.operands for line in _operand(one))]
    lines += [".SH OPTIONS", *(line for one in each.options for line in _option(one))]
    return _joined([*lines, ".SH SEE ALSO", r"\fBreconix\fP(1)"])


def _head(name: str, summary: str) -> list[str]:
    return [
        f'.TH {_text(name.upper())} 1 "" reconix',
        *(".nh", ".ad l", ".SH NAME", rf"{_text(name)} \- {_text(summary)}"),
    ]


def _operand(operand: Operand) -> list[str]:
    return [".TP", rf"\fI{_text(operand.name)}\fP", _text(operand.help)]


def _option(option: Option) -> list[str]:
    value = rf" \fI{_text(option.value)}\fP" if option.value else ""
    words = ", ".join(rf"\fB{_text(word)}\fP{value}" for word in option.spellings)
    return [".TP", words, _text(option.help)]


def _paragraphs(text: str) -> list[str]:
    """Paragraphs are filled; one whose lines are indented keeps them."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        body = [_text(line) for line in paragraph.splitlines()]
        kept = any(line.startswith((" ", "* ")) for line in paragraph.splitlines())
        lines += [".PP", *([".nf", *body, ".fi"] if kept else body)]
    return lines


def _text(text: str) -> str:
    protected = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{protected}" if protected.startswith((".", "'")) else protected


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
