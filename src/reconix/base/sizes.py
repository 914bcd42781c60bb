"""Sizes as people read them.

Tested by ``tests/unit/base/test_sizes.py``.
"""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def human(size_bytes: int) -> str:
    """A size with the largest unit that leaves a whole part: ``1.5 MiB``."""
    size = float(size_bytes)
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
