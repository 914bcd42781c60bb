"""A place in a text of TOML, and what can stand there.

``tomllib`` says what a text means, but not where anything stands or how it was spelt. Who needs
that walks over the text with a ``Cursor``. The patterns are short because they are used on valid
TOML only: they have to know where a thing ends, not whether it is right.

Source: TOML 1.0.0.
"""

import re

BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
"""Space, ends of lines, comments."""
SPACE = re.compile(r"[ \t]*")
COMMENT = re.compile(r"#[^\n]*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|'
    r"'''.*?'{3,5}(?!')|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'",
    re.DOTALL,
)
OTHER = re.compile(r"[^,\]}\n#]*")
"""A value that is neither a text nor a list nor a table; space at its end does not belong to it."""


class Cursor:
    """A place in a text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    @property
    def next(self) -> str:
        """The character that comes next; nothing at the end."""
        return self.text[self.at : self.at + 1]

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Go past what a pattern takes, and give it."""
        found = pattern.match(self.text, self.at)
        assert found is not None, "the text is valid TOML"
        self.at = found.end()
        return found[0]
