"""A project with one host and one system, made for a test and used as a user would."""

import sys
from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import Fields
from reconix.base.process import run


@dataclass(frozen=True)
class Project:
    """Where it is."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, machine: str) -> "Project":
        """The host is called ``box``; root logs in with the key of the project."""
        (folder / "hosts/box/systems").mkdir(parents=True)
        (folder / "reconix.toml").write_text('name = "test"\nupdate.require_signature = false\n')
        (folder / "hosts/box/machine.toml").write_text(machine)
        (folder / "hosts/box/systems/default.toml").write_text("")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        return cls(folder)

    @property
    def store(self) -> Path:
        """Its build store."""
        return self.folder / "store"

    def reconix(self, *words: str) -> Fields:
        """Run the command as a user would, and give its answer."""
        code = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
        options = ("--project", str(self.folder), "--store", str(self.store))
        said = run(sys.executable, "-c", code, *options, *words, "--json")
        return Fields.parse(said, source="reconix")
