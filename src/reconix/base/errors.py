"""Errors that say what to do now.

Every failure that a user may meet is a ``ReconixError``: one sentence with the fact and the
values, a hint with the next step, and an exit code that scripts can tell apart. It is raised where
the cause is known and shown in one place, ``cli/main.py`` or ``device/__main__.py``.

Exit codes: 1 general, 2 usage and configuration, 20-29 store, 30-39 boot, 40-49 programs and files,
50-59 streams, 60-69 inputs of a build, 70-79 the device, 80-89 trust and transport.
"""


class ReconixError(Exception):
    """A failure with a fact, a next step and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ReconixError):
    """The command was called with words that do not fit."""

    exit_code = 2
