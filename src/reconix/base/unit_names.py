"""How systemd calls the unit of a mount.

Source: systemd.unit(5), *String escaping for inclusion in unit names*.
Tested by ``tests/unit/base/test_unit_names.py``, against ``systemd-escape``.
"""

import re

_PLAIN = re.compile(r"[A-Za-z0-9:_.]")


def mount_unit(path: str) -> str:
    """The name of the unit that mounts something at an absolute path."""
    return f"{escaped(path)}.mount"


def escaped(path: str) -> str:
    """A path as part of a unit's name."""
    text = "".join(map(_escaped_letter, path.strip("/")))
    return f"\\x2e{text[1:]}" if text.startswith(".") else text


def _escaped_letter(letter: str) -> str:
    if letter == "/":
        return "-"
    if _PLAIN.fullmatch(letter):
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())
