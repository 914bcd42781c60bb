"""Times, sizes, shares and commands, as compose files write them and as our options take them.

What is below a second, or between two bytes, is rounded up: a limit must not become tighter, nor a
wait shorter.

Source: Compose Specification, *Specifying durations* and *Specifying byte values*; Go, package
``time``, ``ParseDuration``.
Tested by ``tests/unit/containers/compose/test_quantities.py``.
"""

import math
import re
import shlex
from collections.abc import Mapping
from fractions import Fraction

from reconix.config.schema.values import print_duration, print_size

_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(us|µs|ms|ns|s|m|h|d)")
_SECONDS: Mapping[str, Fraction] = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")


class NoQuantity(ValueError):
    """A text is not what it should be; says what was expected."""


def seconds(text: str) -> str:
    """``1m30s`` as our options take it: ``90s``.

    Raises:
        NoQuantity: it is no duration.
    """
    parts = _PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise NoQuantity("a time such as 1m30s is expected")
    return print_duration(
        math.ceil(sum(Fraction(number) * _SECONDS[unit] for number, unit in parts))
    )


def size(text: str) -> str:
    """``64mb`` as our options take it: ``64M``.

    Raises:
        NoQuantity: it is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise NoQuantity("a size such as 64m is expected")
    return print_size(math.ceil(Fraction(found[1]) * _BYTES[found[2].lower()]))


def percent(text: str) -> str:
    """Processors, such as ``0.5``, as our options take them: ``50%``.

    Raises:
        NoQuantity: it is no number.
    """
    if _NUMBER.fullmatch(text) is None:
        raise NoQuantity("a number of processors such as 0.5 is expected")
    return f"{math.ceil(Fraction(text) * 100)}%"


def words(text: str) -> tuple[str, ...]:
    """A command line as words, without a shell.

    Raises:
        NoQuantity: a quotation has no end.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise NoQuantity(f"words are expected: {error}") from error
