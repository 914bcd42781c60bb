"""The text of a unit file: what a section of it says.

Source: systemd.syntax(7).
Tested by ``tests/unit/base/test_unit_text.py``, and by all that reads units.
"""

from collections.abc import Iterable, Iterator


def assignments(texts: Iterable[str], section: str) -> Iterator[tuple[str, str]]:
    """The lines ``key=value`` of one section.

    Args:
        texts: of the unit and its drop-ins, in order.
        section: its name, without brackets.
    """
    for text in texts:
        within = ""
        for line in (line.strip() for line in text.replace("\\\n", " ").splitlines()):
            key, equals, value = line.partition("=")
            if line.startswith("["):
                within = line
            elif within == f"[{section}]" and equals and not line.startswith(("#", ";")):
                yield key.strip(), value.strip()
