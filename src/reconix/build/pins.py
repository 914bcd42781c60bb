"""Generations that were built, by number, and kept from being collected.

Every new generation of a host gets the next number; building the same again gives the same number.
A pin is a root of Nix's garbage collector, so neither ours nor the real one removes what it needs.

    <store root>/nix/var/nix/gcroots/reconix/<project>/<host>/<number> → /nix/store/…

Tested by ``tests/unit/build/test_pins.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import sync_folder
from reconix.store.paths import StorePath

_FOLDER = Path("nix/var/nix/gcroots/reconix")


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One generation of a host."""

    number: int
    path: StorePath


def every_host(store_root: Path) -> "dict[str, Pins]":
    """The generations of all hosts of all projects in a store, by ``<project>/<host>``, sorted."""
    folders = sorted((store_root / _FOLDER).glob("*/*/"))
    return {
        f"{folder.parent.name}/{folder.name}": Pins(store_root, folder.parent.name, folder.name)
        for folder in folders
    }


class Pins:
    """The generations of one host that are kept."""

    def __init__(self, store_root: Path, project: str, host: str) -> None:
        self._host = host
        self._folder = store_root / _FOLDER / project / host

    def all(self) -> list[Pin]:
        """All of them, the oldest first."""
        if not self._folder.is_dir():
            return []
        links = [link for link in self._folder.iterdir() if link.name.isdecimal()]
        return sorted(Pin(int(link.name), StorePath.parse(str(link.readlink()))) for link in links)

    def add(self, path: StorePath) -> Pin:
        """Keep a generation; if it is the newest already, nothing changes."""
        pins = self.all()
        if pins and pins[-1].path == path:
            return pins[-1]
        pin = Pin(pins[-1].number + 1 if pins else 1, path)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / str(pin.number)).symlink_to(str(path))
        sync_folder(self._folder)
        return pin

    def drop(self, keep: int) -> list[Pin]:
        """Drop all but the newest; what they need is removed by the next collection.

        Args:
            keep: how many stay, at least 1; so a number is never given twice.
        """
        if keep < 1:
            raise UsageError("at least one generation of each host must be kept", hint="--keep 1")
        dropped = self.all()[:-keep]
        for pin in dropped:
            (self._folder / str(pin.number)).unlink()
        if dropped:
            sync_folder(self._folder)
        return dropped

    def find(self, text: str) -> Pin:
        """A generation by its number, by its store path, or ``latest``.

        Raises:
            UsageError: there is no such generation.
        """
        pins = self.all()
        found = [pin for pin in pins if text in (str(pin.number), str(pin.path))]
        if text == "latest":
            found = pins[-1:]
        if not found:
            numbers = ", ".join(str(pin.number) for pin in pins) or "none"
            raise UsageError(
                f"{self._host} has no generation {text!r}; there are: {numbers}",
                hint=f"build one: reconix build {self._host}",
            )
        return found[-1]
