"""The manual of each command as Markdown, for the site.

A page says what the manual page says (``cli/manual.py``), in the same order.

Tested by ``tests/unit/cli/test_manual_pages.py``.
"""

from collections.abc import Iterator

from reconix.cli.description import CommandDescription, Operand, Option, describe_all


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {f"{each.name}.md": page(each) for each in describe_all()}


def page(each: CommandDescription) -> str:
    """The page of one command."""
    usage = " ".join(each.usage.split())
    parts = [f"# reconix {each.name}", f"{each.summary}.", f"```text\n{usage}\n```"]
    parts += _paragraphs(each.manual.partition("\n")[2].strip())
    if each.operands:
        parts += ["## Operands", *map(_operand, each.operands)]
    if each.options:
        parts += ["## Options", *map(_option, each.options)]
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """One whose lines are indented keeps them."""
    for paragraph in filter(None, text.split("\n\n")):
        kept = any(line.startswith(" ") for line in paragraph.splitlines())
        yield f"```text\n{paragraph}\n```" if kept else _text(paragraph)


def _operand(operand: Operand) -> str:
    return _item(f"`{operand.name}`", operand.help)


def _option(option: Option) -> str:
    value = f" {option.value}" if option.value else ""
    return _item(", ".join(f"`{word}{value}`" for word in option.spellings), option.help)


def _item(words: str, said: str) -> str:
    return f"* {words}\n\n  {_text(said)}"


def _text(text: str) -> str:
    """Characters that mean something in Markdown mean nothing in a sentence."""
    return "".join(f"\\{each}" if each in "*_<[{" else each for each in text)
