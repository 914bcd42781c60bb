"""Links, and how long a stream takes on one.

A link is one of a name, or a number of bits in a second. The names stand for what such a link
brings to a device on an ordinary day, not for what its standard allows:

=========  ===========  ========================================================================
link       bits in a s  of
=========  ===========  ========================================================================
ethernet   100,000,000
wifi        20,000,000
lte         10,000,000  category 1
lte-m          300,000  category M1, half duplex (3GPP TS 36.306: at most 300 kbit/s)
nb-iot          26,000  category NB1 (3GPP release 13: at most 26 kbit/s)
certus-100      88,000  Iridium Certus 100
iridium          2,400  an Iridium data call
=========  ===========  ========================================================================

What carries the bytes takes some itself: 40 bytes of TCP and IP for each 1,400, and what ssh adds.
Nothing is lost in this reckoning, and the link does nothing else.

Tested by ``tests/unit/fleet/forecast/test_links.py``.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from reconix.base.errors import UsageError

NAMED = {
    "ethernet": 100_000_000,
    "wifi": 20_000_000,
    "lte": 10_000_000,
    "lte-m": 300_000,
    "nb-iot": 26_000,
    "certus-100": 88_000,
    "iridium": 2_400,
}
"""Bits in a second."""

_NUMBER = re.compile(r"([0-9]{1,12})([kM]?)")
_FACTORS = {"": 1, "k": 1_000, "M": 1_000_000}
_CARRIED = Fraction(1480, 1400)
"""What goes over the link for each byte of a stream."""


@dataclass(frozen=True, slots=True)
class Link:
    """A way to a device.

    Attributes:
        name: as it was asked for.
        bits_per_second: what it carries.
    """

    name: str
    bits_per_second: int

    @classmethod
    def parse(cls, word: str) -> "Link":
        """The link of that name, or of that many bits in a second: ``9600``, ``64k``, ``2M``.

        Raises:
            UsageError: it is neither.
        """
        if word in NAMED:
            return cls(word, NAMED[word])
        found = _NUMBER.fullmatch(word)
        rate = int(found[1]) * _FACTORS[found[2]] if found else 0
        if rate == 0:
            known = ", ".join(NAMED)
            raise UsageError(
                f"{word[:80]!r} is no link", hint=f"{known}, or bits in a second: 9600, 64k, 2M"
            )
        return cls(word, rate)

    def seconds(self, size_bytes: int) -> int:
        """How long a stream takes, in whole seconds, rounded up."""
        bits = size_bytes * 8 * _CARRIED
        return -(-bits.numerator // (bits.denominator * self.bits_per_second))
