"""Restarts that do happen.

A generation on trial that has failed must not stay, so the restart is *issued*, step by step:
systemd is asked; if the device is still there after a while, systemd is told to stop nothing and
restart; and if even that does nothing, the kernel is asked directly. Whoever calls this in a unit
must not be stopped by the shutdown itself: the unit has no ``Conflicts=shutdown.target``.

Tested by ``tests/unit/device/test_main.py``, with programs that do nothing.
"""

import time

from reconix.base import progress
from reconix.base.process import CommandFailed, ProgramMissing, Word, run
from reconix.device.hardware.inhibitors import RestartInhibited, inhibitors
from reconix.device.paths import Paths

GRACE_SECONDS = 60.0


def ask_to_restart() -> None:
    """Restart in order: everything is stopped first.

    Raises:
        RestartInhibited: a program holds an inhibitor; the next restart does what this one should.
        CommandFailed: systemd refuses.
    """
    ask(
        "reboot",
        hint="the request stands: the next restart carries it out. End the inhibitor "
        "(systemd-inhibit --list) and restart, or: systemctl reboot --check-inhibitors=no",
    )


def ask(verb: str, *, hint: str) -> None:
    """Ask systemd to stop what runs.

    Args:
        verb: of systemctl.
        hint: what follows if a program holds an inhibitor.

    Raises:
        RestartInhibited: a program does.
        CommandFailed: systemd refuses.
    """
    try:
        run("systemctl", verb, timeout_seconds=30)
    except CommandFailed as error:
        found = inhibitors()
        if found or b"inhibit" in error.output.lower():
            raise RestartInhibited(found, hint=hint) from error
        raise


def force_restart(paths: Paths, *, grace_seconds: float = GRACE_SECONDS) -> None:
    """Restart, whatever the state of the system; returns only where nothing restarts."""
    progress.note("restarting")
    _try("systemctl", "reboot")
    time.sleep(grace_seconds)
    _try("systemctl", "reboot", "--force", "--force")
    time.sleep(grace_seconds / 6)
    (paths.proc / "sysrq-trigger").write_bytes(b"b")


def _try(*words: Word) -> None:
    try:
        run(*words, timeout_seconds=30)
    except (CommandFailed, ProgramMissing) as error:
        progress.note(str(error))
