"""Which stretches of new content resemble which stretches of old content.

HDiffPatch finds them: it sorts the suffixes of the old content and keeps what is worth a copy
although some bytes differ. Of its result we take the copies alone; how their differences are
written is our own matter (``deltas.py``).

Memory is about six times the old content, so what is very large is compared window by window.

Source: HDiffPatch, ``patch_types.h`` and ``serializeCompressedDiff`` (format HDIFF13).
Tested by ``tests/unit/transfer/sending/test_targets.py``: copies and differences give the new
content.
"""

import hdiffpatch

Copy = tuple[int, int, int]  # origin, gap, length: see ``plan.Copies``

_NUMBERS = 11  # in the head: sizes, counts, then sizes of what follows
_COUNT = 2


class _Reader:
    """Numbers, seven bits in a byte, highest first; the first byte may begin with a tag."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at

    def number(self, tag_bits: int = 0) -> tuple[int, int]:
        """Tag and number."""
        byte = self._content[self._at]
        self._at += 1
        more = 0x80 >> tag_bits
        tag, value = byte >> 8 - tag_bits, byte & more - 1
        while byte & more:
            byte, more = self._content[self._at], 0x80
            self._at += 1
            value = value << 7 | byte & 0x7F
        return tag, value


def find(old: bytes, new: bytes) -> list[Copy]:
    """The copies out of ``old`` that ``new`` is best made from, in order."""
    if not old or not new:
        return []
    found = hdiffpatch.diff(old, new, validate=False)
    reader = _Reader(found, found.index(b"\0") + 1)
    head = [reader.number()[1] for _ in range(_NUMBERS)]
    copies, at, gap_before = [], 0, 0
    for _ in range(head[_COUNT]):
        backwards, distance = reader.number(1)
        gap, length = reader.number()[1], reader.number()[1]
        origin = at - distance if backwards else at + distance
        if length:
            copies.append((origin, gap + gap_before, length))
        gap_before = 0 if length else gap + gap_before
        at = origin + length
    return copies
