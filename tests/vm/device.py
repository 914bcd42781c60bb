"""A device that changes its system while it runs, and how one asks it."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from reconix.base.clock import turns
from reconix.base.documents import Fields
from reconix.base.process import CommandFailed
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine
from reconix.vm.timeouts import scaled

_PAUSE_SECONDS = 0.5
_WHAT_IT_DOES = """\
cat /run/reconix/booted
systemctl --no-pager list-jobs
systemctl --no-pager --failed
ps -eo time,etime,stat,args --sort=-time | head -20
journalctl --no-pager --boot --lines=40
"""


@dataclass(frozen=True)
class Device:
    """A running guest."""

    machine: Machine
    login: Login

    def ask(self, line: str) -> str:
        """What a line of shell says."""
        return self.machine.ssh(self.login, "sh", "-c", line).decode().strip()

    def tell(self, line: str) -> None:
        """Run a line of shell that may end the connection before it ends itself."""
        with contextlib.suppress(CommandFailed):
            self.ask(line)

    def switch(self, system: str) -> None:
        """Let another system take over."""
        self.tell(f"reconix-device boot {system} --now")

    def wait_for(self, system: str, *, soft_reboots: int, seconds: float = BOOT_SECONDS) -> None:
        """Wait until a system runs and has been found healthy."""
        facts = (f"SYSTEM={system}", f"SOFT_REBOOTS={soft_reboots}")
        wanted = " && ".join(f"grep -qx {fact} /run/reconix/booted" for fact in facts)
        rests = "! test -e /run/reconix/switched && systemctl is-active multi-user.target"
        self.wait_until(f"{wanted} && {rests}", f"{system} does not run", seconds=seconds)

    def wait_until(self, line: str, otherwise: str, *, seconds: float = BOOT_SECONDS) -> None:
        """Wait until a line of shell succeeds."""
        for _ in turns(_PAUSE_SECONDS, seconds=scaled(seconds)):
            with contextlib.suppress(CommandFailed):
                self.ask(line)
                return
        raise AssertionError(f"{otherwise}\n{self._what_it_does()}")

    def _what_it_does(self) -> str:
        """What it waits for and what failed, if one can still log in."""
        try:
            return self.ask(_WHAT_IT_DOES)
        except CommandFailed as error:
            return str(error)

    def status(self) -> Fields:
        """What the agent says."""
        return Fields.parse(self.ask("reconix-device status --json").encode(), source="status")


def ssh_words(device: Device, key: Path, to: str = "root@127.0.0.1") -> tuple[str, ...]:
    """The options with which a command of ``reconix`` reaches a device."""
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    words = [word for option in options for word in ("-o", option)]
    return ("--to", to, "-p", str(device.machine.port(22)), "-i", str(key), *words)
