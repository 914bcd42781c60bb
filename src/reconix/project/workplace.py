"""What the commands leave for each other, one folder for each host of a project.

    <project>/.reconix/<host>/
        disk.img         the image that `reconix image` made last
        generation       a link to what it holds, which keeps that in the store
        running          where the virtual device is, as long as it runs
        vm/              the virtual device of `reconix run`: disk, variables, console.log, and its
                         own link to the generation that it was started with

Everything here can be made again. The folder tells git to leave it out.

Tested by ``tests/unit/project/test_workplace.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError, UsageError
from reconix.base.files import write_durably
from reconix.config.schema.hosts import Configuration, Host


class NotBuilt(ReconixError):
    """A command needs what another one makes first."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folder of one host."""

    project: Path
    host: str

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.project / ".reconix" / self.host

    @property
    def image(self) -> Path:
        """The disk image of the last generation."""
        return self.folder / "disk.img"

    @property
    def generation(self) -> Path:
        """The link to the generation in the image."""
        return self.folder / "generation"

    @property
    def vm(self) -> Path:
        """What belongs to the virtual device."""
        return self.folder / "vm"

    @property
    def running(self) -> Path:
        """Says where the virtual device is; it is not in ``vm``, which may be made anew."""
        return self.folder / "running"

    def make(self) -> None:
        """Make the folder, if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder.parent / ".gitignore"
        if not ignore.exists():
            write_durably(ignore, b"*\n")


def pick_host(configuration: Configuration, name: str | None) -> Host:
    """The host that was named; without a name, the only one.

    Raises:
        UsageError: there is no such host, or a name is needed.
    """
    known = ", ".join(configuration.hosts)
    if name is None and len(configuration.hosts) == 1:
        return next(iter(configuration.hosts.values()))
    if name is None:
        raise UsageError("which host?", hint=f"this project has: {known or 'none'}")
    if name not in configuration.hosts:
        raise UsageError(f"there is no host {name!r}", hint=f"this project has: {known or 'none'}")
    return configuration.hosts[name]
