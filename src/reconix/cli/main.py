"""The command ``reconix``.

This is where words become a call and where every failure is shown: the fact, the next step, the
exit status of its kind, and never a traceback for an error that has a name. With ``--json`` the
same is one JSON object on the standard output.

Tested by ``tests/unit/cli/test_main.py``.
"""

import argparse
import os
import signal
import sys
from types import FrameType

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.cli import answers, commands, failures, parsers

INTERRUPTED = 130
TERMINATED = 143
PIPE_CLOSED = 141
"""Exit statuses as shells report them: 128 and the number of the signal."""


def entry() -> int:
    """Run ``reconix`` with the words of this process; gives its exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    answers.spell_what_a_terminal_cannot()
    return main(sys.argv[1:])


def main(words: list[str]) -> int:
    """Run ``reconix`` with these words; gives its exit status."""
    try:
        status = _run_or_exit(words)
        sys.stdout.flush()
    except ReconixError as error:
        return _show(error, words)
    except BrokenPipeError:
        # Whoever read our output has enough; a second failure at exit must not be shown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        return _show(error, words)
    except KeyboardInterrupt:
        answers.complain("interrupted")
        return INTERRUPTED
    return status


def _run_or_exit(words: list[str]) -> int:
    """Let ``--help``, which leaves by an exception, end like everything else."""
    try:
        return _run(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0


def _run(words: list[str]) -> int:
    before = parsers.top_parser().parse_args(words)
    name: str | None = before.command
    if before.version:
        return _show_version()
    if name is None:
        parsers.top_parser().print_help()
        return 2
    parsers.check_command(name)
    arguments = parsers.parse(name, before.words, before)
    _listen(arguments)
    return commands.load(name).run(arguments)


def _listen(arguments: argparse.Namespace) -> None:
    from reconix.cli.progress import listener  # not needed for --help

    if not arguments.no_progress:
        progress.listen(listener(sys.stderr))


def _show_version() -> int:
    from importlib import metadata  # slow, and needed only here

    try:
        version = metadata.version("reconix")
    except metadata.PackageNotFoundError:
        version = "(run from its source, not installed)"
    answers.say(f"reconix {version}")
    return 0


def _show(failure: ReconixError | OSError, words: list[str]) -> int:
    """Tell about a failure of a command that had these words, whether they could be read or not."""
    is_verbose = not {"-v", "--verbose"}.isdisjoint(words)
    return failures.show(failure, as_json="--json" in words, verbose=is_verbose)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C: what we started is ended, what we made is removed."""
    raise SystemExit(TERMINATED)
