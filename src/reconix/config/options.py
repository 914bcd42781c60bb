"""The vocabulary in which an option is declared: what it means, and what a value must look like.

``schema/`` is the one place that says which options there are. It says it with types: a table is
a frozen dataclass, an option is a field, and ``Annotated`` adds what a type cannot say. This module
has the three things that are added.

* ``Option``: one sentence about the option, an example as it would be written in TOML, and the
  reason to set it to something else than its default.
* ``Form``: the form that a string must have, and the value that it stands for.
* ``Range``: the limits of a number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """What an option is for, as a newcomer reads it."""

    doc: str
    example: str
    why: str = ""
    """When, or to what end, one sets it: the rest of a sentence that begins with "Set it"."""
    is_short_form: bool = False
    """Whether its value may be written in place of the whole table."""
    formerly: tuple[str, ...] = ()
    """Former names in the same table: they work, with a warning that names the new one."""


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest number that an option takes."""

    least: int
    most: int

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        return f"a number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like, and what it stands for.

    Attributes:
        expected: what to write, for a message: ``a size such as "64M"``.
        pattern: a regular expression for the whole text.
        convert: from a text that matches to the value; may raise ``ValueError``.
        show: from the value to the text, the inverse.
        takes_number: whether a TOML integer is also good; it is converted as its digits.
    """

    expected: str
    pattern: str
    convert: Callable[[str], object] = str
    show: Callable[[object], str] = str
    takes_number: bool = False

    def read(self, text: str) -> object:
        """The value that a text stands for.

        Raises:
            ValueError: the text does not have this form; it says what was expected.
        """
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.expected)
        try:
            return self.convert(text)
        except ValueError as error:
            raise ValueError(self.expected) from error
