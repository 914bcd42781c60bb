"""What a device's status says about one thing, wherever it stands in the text."""

from collections.abc import Sequence


def part(lines: Sequence[str], title: str) -> list[str]:
    """The line with a title, and those below it that belong to it."""
    begin = [line.partition(" ")[0] for line in lines].index(title)
    rest = lines[begin + 1 :]
    count = next((n for n, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    return [lines[begin], *rest[:count]]
