"""Running the scripts that make a root with real mounts, in namespaces of our own.

The partition is a small tmpfs that really gets full, in blocks and in inodes. The first root has
the programs of busybox, a soft reboot those of the system that runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.initrd_functions import function_of

from reconix.base.process import run
from reconix.build.boot import initrd

INITRD, SOFT_REBOOT = "initrd", "soft reboot"
_SHELL = {INITRD: ("busybox", "sh"), SOFT_REBOOT: ("sh",)}
_APPLETS = "mkdir applets && busybox --install -s applets && PATH=$PWD/applets"


@dataclass(frozen=True)
class Maker:
    """A device whose root is made.

    Attributes:
        place: of everything: ``data``, ``new``, ``top``, ``run``.
        program: INITRD or SOFT_REBOOT.
        limits: of the partition ``data``, as options of a tmpfs; empty: something is mounted there.
    """

    place: Path
    program: str
    limits: str = "size=1m"

    def brings(self, *files: str, size_bytes: int = 1) -> None:
        """Let the system have these files."""
        for name in files:
            path = self.place / "new" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * size_bytes)

    def keeps(self, *lines: str) -> None:
        """Let the system keep these folders: ``<folder on data> <path>``."""
        (self.place / "top").mkdir(exist_ok=True)
        (self.place / "top/persist").write_text("".join(f"{line}\n" for line in lines))

    def do(self, *work: str) -> str:
        """Run lines of shell that know all functions of the scripts; what they print.

        Each begins in ``place``.
        """
        for name in ("data", "new", "top", "run"):
            (self.place / name).mkdir(exist_ok=True)
        begins = f"cd {self.place}"
        lines = [*self._setting(), *self._functions(), *(f"{begins}\n{each}" for each in work)]
        text = "\n".join([*lines, "exit 0"]).replace("/run/reconix", f"{self.place}/run")
        alone = ("unshare", "--user", "--map-root-user", "--mount")
        return run(*alone, *_SHELL[self.program], "-c", text, folder=self.place).decode()

    def _setting(self) -> Sequence[str]:
        return [
            f"mount -t tmpfs -o mode=0700,{self.limits} data data" if self.limits else "",
            _APPLETS if self.program == INITRD else "",
            f"DATA={self.place}/data NEW={self.place}/new TOPLEVEL={self.place}/top data=there",
            "DELETE_SECONDS=15",
        ]

    def _functions(self) -> Sequence[str]:
        script = initrd.SCRIPT.read_text()
        reset = ("discard", "set_aside", "make_room", "reset_data")
        own = [function_of(script, name) for name in reset]
        switch = initrd.SCRIPT.with_name("switch").read_text()
        theirs = function_of(switch, "bind_here")
        return [
            'say() { :; }\nfail() { echo "fail: $*"; exit 1; }',
            initrd.ROOT_SCRIPT.read_text(),
            *own,
            theirs if self.program == SOFT_REBOOT else "",
        ]

    def faults(self) -> list[str]:
        """What the agent would find."""
        path = self.place / "run/faults"
        return path.read_text().splitlines() if path.exists() else []
