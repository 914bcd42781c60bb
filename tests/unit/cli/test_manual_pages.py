"""The manual of a command as Markdown says what the manual page says."""

from reconix.cli import manual_pages
from reconix.cli.commands import available
from reconix.cli.description import CommandDescription, Operand, Option

DESCRIBED = CommandDescription(
    "air",
    "Fill the tyres.\n\nAll of *four*, or <those>.\n\n    reconix air --at 2",
    "usage: reconix air [-h]\n   [wheel]",
    (Option(("-a", "--at"), "BAR", (), "how much"),),
    (Operand("wheel", (), "which [one]"),),
)


def test_a_page_has_all_that_is_said() -> None:
    assert manual_pages.page(DESCRIBED) == (
        "# reconix air\n\n"
        "Fill the tyres.\n\n"
        "```text\nusage: reconix air [-h] [wheel]\n```\n\n"
        "All of \\*four\\*, or \\<those>.\n\n"
        "```text\n    reconix air --at 2\n```\n\n"
        "## Operands\n\n* `wheel`\n\n  which \\[one]\n\n"
        "## Options\n\n* `-a BAR`, `--at BAR`\n\n  how much\n"
    )


def test_each_command_has_one() -> None:
    assert set(manual_pages.pages()) == {f"{name}.md" for name in available()}
