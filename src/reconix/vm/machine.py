"""A running guest: start it, use it, cut its power.

    with running(guest, folder, accelerator) as machine:
        machine.console.wait("login:", seconds=BOOT_SECONDS)
        machine.wait_for_ssh(login, seconds=BOOT_SECONDS)
        machine.ssh(login, "reconix-device", "status")
        machine.cut_power()

Whatever happens in the block, at its end QEMU is gone, and only this QEMU: it is ended by its
process, never by its name. The disk and the firmware's variables are the guest's and stay; a second
``running`` with the same guest is the same device switched on again.

Tested by ``tests/compat/test_ovmf.py``; the boots in ``tests/vm`` stand on it.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reconix.base.clock import turns
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed, run, start
from reconix.vm import monitor
from reconix.vm.console import Console
from reconix.vm.login import Login, ssh_words
from reconix.vm.monitor import Monitor, MonitorFailed
from reconix.vm.qemu import Accelerator, Ends, Guest, command_line
from reconix.vm.timeouts import scaled

BOOT_SECONDS = 240.0
"""How long a boot may take on an idle machine, where it takes 15 s emulated. All limits here follow
the machine (``vm/timeouts.py``)."""

_START_SECONDS = 30.0
_COMMAND_SECONDS = 120.0
_ANSWER_BYTES = 1 << 28
_PROBE_SECONDS = 8
_PAUSE_SECONDS = 0.1
_PROBE_PAUSE_SECONDS = 0.5
_NOT_CONNECTED = 255  # ssh: exits with the command's status, or 255 if an error occurred


class GuestNotStarted(ReconixError):
    """QEMU ended before the guest could run."""

    exit_code = 41


class GuestNotReady(ReconixError):
    """A guest did not get ready in time."""

    exit_code = 41


class Process(Protocol):
    """What we need of a program that runs."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""

    def kill(self) -> None:
        """End it, now."""

    def wait(self) -> int:
        """Wait until it has ended."""


class Machine:
    """One running guest and its console."""

    def __init__(self, process: Process, monitor: Monitor, log: Path) -> None:
        self._process = process
        self._monitor = monitor
        self.console = Console(log, running=self.is_running)
        self._ports = monitor.forwarded_ports()

    def is_running(self) -> bool:
        """Whether QEMU still runs."""
        return self._process.poll() is None

    @property
    def ports(self) -> Mapping[int, int]:
        """The ports on 127.0.0.1 that lead to the guest, by its own."""
        return self._ports

    def port(self, guest_port: int) -> int:
        """The port on 127.0.0.1 that leads to a port of the guest.

        Raises:
            GuestNotReady: the guest's description forwards no such port.
        """
        if guest_port not in self._ports:
            raise GuestNotReady(f"port {guest_port} of the guest is not forwarded")
        return self._ports[guest_port]

    def processor_seconds(self) -> float:
        """How long processors have worked for QEMU; it is less than has passed while others work.

        Source: proc_pid_stat(5), fields 14 and 15; the name before them may have spaces.
        """
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reset(self) -> None:
        """Push the reset button."""
        self._monitor.execute("system_reset")

    def stopped_by(self) -> str | None:
        """Why it stands still, if it has to (``Guest.memory``): ``guest-reset``, for example."""
        return self._monitor.stopped_by()

    def pause(self) -> None:
        """Let it stand still."""
        self._monitor.execute("stop")

    def go_on(self) -> None:
        """Make the restart that it stands still before, and only this one."""
        self._monitor.execute("set-action", reboot="reset")
        self.reset()
        self._monitor.execute("set-action", reboot="shutdown")
        self._monitor.execute("cont")

    def cut_power(self) -> None:
        """Take the power away, now; what the guest has written up to here stays written."""
        self._process.kill()
        self._process.wait()

    def wait_until_off(self, *, seconds: float) -> None:
        """Wait until QEMU has ended because the guest switched itself off.

        Raises:
            GuestNotReady: it still runs.
        """
        deadline = time.monotonic() + scaled(seconds)
        while self.is_running():
            if time.monotonic() > deadline:
                raise GuestNotReady(f"the guest is still running after {scaled(seconds):g} s")
            time.sleep(_PAUSE_SECONDS)

    def ssh(
        self,
        login: Login,
        *command: str,
        stdin: bytes | None = None,
        seconds: float = _COMMAND_SECONDS,
    ) -> bytes:
        """Run a command in the guest and give its standard output.

        Raises:
            CommandFailed: it failed, or ssh did (status 255), or it took too long.
        """
        words = ssh_words(login, self.port(login.guest_port), command)
        return run(*words, stdin=stdin, timeout_seconds=scaled(seconds), limit_bytes=_ANSWER_BYTES)

    def wait_for_ssh(self, login: Login, *, seconds: float) -> None:
        """Wait until one can log in.

        Raises:
            GuestNotReady: the time is over, or the guest has stopped.
        """
        words = ssh_words(
            login, self.port(login.guest_port), ("true",), connect_seconds=_PROBE_SECONDS
        )
        for _ in turns(_PROBE_PAUSE_SECONDS, seconds=scaled(seconds)):
            if _answers(words):
                return
            if not self.is_running():
                raise GuestNotReady("the guest stopped before a login was possible")
        raise GuestNotReady(
            f"cannot log in as {login.user} after {scaled(seconds):g} s",
            hint=f"see its console: {self.console.log}",
        )


def _answers(words: list[str]) -> bool:
    """Whether a command can be run in the guest; a connection that fails is no error."""
    try:
        run(*words, timeout_seconds=scaled(4 * _PROBE_SECONDS))
    except CommandFailed as error:
        if error.status not in (_NOT_CONNECTED, -1):
            raise
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Files:
    """What one start of QEMU leaves in the folder of the guest."""

    folder: Path

    @property
    def console_log(self) -> Path:
        return self.folder / "console.log"

    @property
    def complaints(self) -> Path:
        return self.folder / "qemu.log"


@contextlib.contextmanager
def running(
    guest: Guest, folder: Path, accelerator: Accelerator, *, terminal: bool = False
) -> Iterator[Machine]:
    """Switch a guest on; at the end of the block it is off.

    Args:
        guest: what to run; its disks and variables are changed by it.
        folder: gets ``console.log`` (appended to) and ``qemu.log``.
        accelerator: see ``accelerator.choose``.
        terminal: the serial console is the terminal that we run in (Ctrl-A X ends QEMU).

    Raises:
        GuestNotStarted: QEMU does not accept this guest; the message has what it said.
    """
    files = _Files(folder)
    # A socket's path has at most 107 bytes, so it is not in the folder of the guest.
    with tempfile.TemporaryDirectory(prefix="reconix-vm-") as sockets:
        ends = Ends(files.console_log, terminal, Path(sockets, "monitor"))
        words = command_line(guest, accelerator, ends)
        with files.complaints.open("wb") as complaints:
            process: Process = (
                start(*words, stdin=0, stderr=complaints)
                if terminal
                else start(*words, stderr=complaints)
            )
        try:
            with contextlib.closing(_connect(process, ends.monitor, files)) as connection:
                yield Machine(process, connection, files.console_log)
        finally:
            process.kill()
            process.wait()


def _connect(process: Process, path: Path, files: _Files) -> Monitor:
    """Reach the monitor of a QEMU that has just been started."""
    deadline = time.monotonic() + scaled(_START_SECONDS)
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(MonitorFailed):
            return monitor.connect(path)
        time.sleep(_PAUSE_SECONDS)
    said = files.complaints.read_text(errors="replace").strip()
    raise GuestNotStarted(f"QEMU did not start: {said or 'no output'}")
