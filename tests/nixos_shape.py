"""A toplevel of the shape of NixOS, built by the real Nix from expressions in ``tests/data``."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.process import run
from reconix.store.paths import StorePath

EXPRESSIONS = Path(__file__).parent / "data/nixos"
BUSYBOX = Path("/bin/busybox")
PROGRAMS = ("nix", "nix-build", "busybox")

_CONFIGURATION = """
extra-experimental-features = nix-command flakes
build-users-group =
substituters =
sandbox = true
"""
_CALL = """
import {folder}/toplevel.nix {{
  kernel = {folder}/kernel;
  modules = {folder}/modules;
  programs = {folder}/programs;
  system = "x86_64-linux";
}}
"""


@dataclass(frozen=True)
class Shape:
    """A folder with the expressions and what they are made from; it is a flake, too."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, kernel: bytes, modules: Mapping[str, bytes]) -> "Shape":
        """Lay out a folder; modules are loaded in their order.

        Args:
            folder: new.
            kernel: content of the kernel.
            modules: content by name.
        """
        shutil.copytree(EXPRESSIONS, folder)
        for name in ("modules", "programs"):
            (folder / name).mkdir()
        shutil.copy(BUSYBOX, folder / "programs")
        (folder / "kernel").write_bytes(kernel)
        (folder / "modules/order").write_text("".join(f"{name}\n" for name in modules))
        for name, content in modules.items():
            (folder / f"modules/{name}.ko").write_bytes(content)
        return cls(folder)

    def build(self, environment: Mapping[str, str]) -> StorePath:
        """Build it with ``nix-build``."""
        words = ("nix-build", "--no-out-link", "-E", _CALL.format(folder=self.folder))
        return StorePath.parse(run(*words, environment=environment).decode().strip())


def nix_environment(folder: Path) -> Mapping[str, str]:
    """What makes Nix work in a store below a folder, and know nothing of this machine's own."""
    return {
        "HOME": str(folder / "home"),
        "NIX_CONFIG": _CONFIGURATION,
        "NIX_REMOTE": str(folder / "nix"),
    }
