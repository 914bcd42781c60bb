"""How a failure is told: the fact, the next step, and its exit status.

Tested by ``tests/unit/cli/test_main.py``.
"""

from reconix.base.errors import ReconixError
from reconix.cli import answers, install_hints


def named(error: ReconixError | OSError) -> ReconixError:
    """An error, also one of the operating system that no other place has given a name."""
    if isinstance(error, ReconixError):
        return error
    where = f"{error.filename}: " if error.filename is not None else ""
    return ReconixError(f"{where}{error.strerror or error}")


def show(failure: ReconixError | OSError, *, as_json: bool = False, verbose: bool = False) -> int:
    """Tell about a failure, and with ``verbose`` about its cause; gives its exit status."""
    error = named(failure)
    hint = install_hints.hint(error)
    if as_json:
        told = {"message": str(error), "hint": hint}
        answers.answer_json({"error": {**told, "exit_code": error.exit_code}})
        return error.exit_code
    answers.complain(f"error: {error}")
    if verbose and error.__cause__ is not None:
        answers.complain(f"cause: {error.__cause__!r}")
    if hint:
        answers.complain(f"hint: {hint}")
    return error.exit_code
