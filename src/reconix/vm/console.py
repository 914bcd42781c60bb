"""Reading what a guest says on its serial console.

QEMU writes everything to a log file; we read it as it grows and wait for a text. Each wait goes on
where the one before has ended, so that the ``login:`` of the first boot is not taken for that of
the second. Waiting always ends: the text comes, the guest stops, or the time is over, which follows
the machine (``vm/timeouts.py``).

Tested by ``tests/unit/vm/test_console.py``.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.vm.timeouts import scaled

_PAUSE_SECONDS = 0.05
_KEPT_BYTES = 1 << 20
_SHOWN_LINES = 15
_CONTROL = re.compile(rb"\x1b\[[0-9;=?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


class NotSaid(ReconixError):
    """A text did not appear on the console in time."""

    exit_code = 41

    def __init__(self, text: str, *, why: str, last: str) -> None:
        shown = "\n".join(f"    {line}" for line in last.splitlines()[-_SHOWN_LINES:])
        super().__init__(f"the console did not show {text!r}: {why}; its last lines:\n{shown}")


class Console:
    """The serial console of one guest, from this moment on."""

    def __init__(self, log: Path, *, running: Callable[[], bool]) -> None:
        self.log = log
        self._running = running
        self._at_byte = log.stat().st_size if log.exists() else 0
        self._unread = b""

    def wait(self, text: str, *, seconds: float) -> str:
        """Wait until the console says ``text``; gives everything up to it since the last wait.

        Raises:
            NotSaid: the time is over, or the guest has stopped.
        """
        wanted, deadline = text.encode(), time.monotonic() + scaled(seconds)
        while True:
            alive = self._running()
            self._read()
            before, found, after = self._unread.partition(wanted)
            if found:
                self._unread = after
                return (before + found).decode(errors="replace")
            if not alive:
                raise self._not_said(text, "the guest has stopped")
            if time.monotonic() > deadline:
                raise self._not_said(text, f"{scaled(seconds):g} s are over")
            time.sleep(_PAUSE_SECONDS)

    def _read(self) -> None:
        """Take in what is new; colours and cursor movements are left out."""
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self._at_byte)
            new = file.read(_KEPT_BYTES)
        if not new:
            return
        self._at_byte += len(new)
        self._unread = _CONTROL.sub(b"", self._unread + new)[-_KEPT_BYTES:]

    def _not_said(self, text: str, why: str) -> NotSaid:
        return NotSaid(text, why=why, last=self._unread.decode(errors="replace"))
