"""Signals by their names, as images and compose files write them.

Source: signal(7); the numbers are those of Linux on the processors that hosts have.
Tested by ``tests/unit/containers/test_settings.py``.
"""

import re
import signal

_FIRST_REAL_TIME, _LAST = 34, 64  # of C libraries: the kernel's first two are theirs
_REAL_TIME = re.compile(r"RT(?:MIN(?:\+([0-9]{1,2}))?|MAX(?:-([0-9]{1,2}))?)")


def number_of(name: str) -> int | None:
    """The number of a signal: ``SIGTERM``, ``TERM``, ``SIGRTMIN+3`` or ``15``; nothing if none."""
    bare = name.removeprefix("SIG")
    number = int(bare) if bare.isdecimal() else _named(bare)
    return number if number is not None and 0 < number <= _LAST else None


def _named(bare: str) -> int | None:
    found = _REAL_TIME.fullmatch(bare)
    if found is None:
        known = signal.Signals.__members__.get(f"SIG{bare}")
        return None if known is None else int(known)
    number = _LAST - int(found[2] or 0) if "MAX" in bare else _FIRST_REAL_TIME + int(found[1] or 0)
    return number if number >= _FIRST_REAL_TIME else None
