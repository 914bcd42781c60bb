"""Numbers and times as people say them.

Tested by ``tests/unit/cli/test_words.py``.
"""

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def counted(number: int, what: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def ago(seconds: float) -> str:
    """How long ago something was, in its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{counted(int(seconds // size), unit)} ago"
    return "just now"


def lasting(seconds: int) -> str:
    """How long something takes: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 120:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
