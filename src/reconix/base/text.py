r"""Untrusted text, made safe to look at.

A terminal obeys what it is shown: a few characters in a name rename its window, clear it, write the
clipboard of whoever looks, or turn the order of letters so that a line says what it does not mean.
Such characters come from a device, from a web server, from a package, from a program that failed.

Nobody can say of each text where it has been, so there is one rule at the one place where text is
shown: **a character that has no shape is spelt out**, ``\x1b`` for an escape. That covers controls
(C0, DEL, C1 with ``\x9b``, which alone begins a sequence), marks that turn the direction,
separators of lines and paragraphs, characters of no width, halves of surrogate pairs, and what no
standard has given a meaning yet. Python has that rule: it is what ``repr`` does, ``isprintable``.

A line break is left alone by ``shown``, because our own texts have several lines. What stands on a
line of a table is shown by ``one_line``, and an error or a note by ``message``: so no text of
others begins where lines of ours begin.

Tested by ``tests/unit/base/test_text.py``; whole ways by ``tests/unit/cli/test_foreign_text.py``
and ``tests/unit/device/test_foreign_text.py``.
"""

_KEPT = "\n\t"
_LAST_BYTES = 1024
_FIRST_ASTRAL = 0x10000


def shown(text: str) -> str:
    """A text of one or several lines as it may be shown."""
    return text if text.isprintable() else "".join(map(_shown, text))


def one_line(text: str) -> str:
    """A text as it may be shown within a line: a line break is spelt out, too."""
    return shown(text).replace("\n", "\\n")


def message(text: str) -> str:
    """A text as it may be shown after a word of ours: lines after the first are set in."""
    return shown(text).replace("\n", "\n  ")


def last_words(said: bytes) -> str:
    """The last of what a program said, to stand in a message."""
    return said[-_LAST_BYTES:].decode(errors="replace").strip()


def shown_in_json(text: str) -> str:
    """The text of a JSON document as it may be shown; it means the same."""
    return "".join(char if char.isprintable() or char == "\n" else _json(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable() or char in _KEPT:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _FIRST_ASTRAL else f"\\U{code:08x}"


def _json(char: str) -> str:
    """Spelt as JSON does, in halves if need be (RFC 8259, section 7)."""
    code = ord(char)
    if code < _FIRST_ASTRAL:
        return f"\\u{code:04x}"
    high, low = divmod(code - _FIRST_ASTRAL, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
