"""Generations that were built, by number, and kept from being collected.

Every new generation of a host gets the next number; building the same again gives the same number.
A pin is a root of Nix's garbage collector, so neither ours nor the real one removes what it needs.

    <store root>/nix/var/nix/gcroots/reconix/<project>/<host>/<number> → /nix/store/…

Wherever a generation is named, one grammar holds:

    3                     the one with this number
    -1, -2                the one before the latest, two before it
    latest                the newest that was built
    device                what a device runs; `device:USER@ADDR` names which
    /nix/store/…          a store path, or its <hash>-<name>

Tested by ``tests/unit/build/test_pins.py``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import sync_folder
from reconix.store.paths import StorePath

_FOLDER = Path("nix/var/nix/gcroots/reconix")
_NUMBERED = re.compile(r"-?[0-9]{1,9}|latest|device(?::.+)?")
_PATH = re.compile(r"(?:/nix/store/)?[0-9a-z]{32}-.+")

OnDevice = Callable[[str], StorePath]
"""Asks a device what it runs; the argument says which, empty for the one that is meant anyway."""


def is_generation(text: str) -> bool:
    """Whether a word names a generation, as opposed to, say, a revision of git."""
    return is_numbered(text) or _PATH.fullmatch(text) is not None


def is_numbered(text: str) -> bool:
    """Whether a word names a generation otherwise than by its store path."""
    return _NUMBERED.fullmatch(text) is not None


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

    def built_at(self, pin: Pin) -> float:
        """When a generation got its number, in seconds since 1970."""
        return (self._folder / str(pin.number)).lstat().st_mtime

    def find(self, text: str, on_device: OnDevice | None = None) -> Pin:
        """A generation by a word of the grammar.

        Args:
            text: the word.
            on_device: asks devices; without it, what runs there is not known.

        Raises:
            UsageError: there is no such generation.
        """
        pins = self.all()
        if not pins:
            raise UsageError(
                f"no generation of {self._host} is built yet",
                hint=f"build one: reconix build {self._host}",
            )
        found = self._found(text, pins, on_device)
        if found is None:
            numbers = ", ".join(str(pin.number) for pin in pins)
            raise UsageError(
                f"{self._host} has no generation {text!r}; there are: {numbers}",
                hint="name it by number, -1 (before the latest), latest, device, or store path",
            )
        return found

    def _found(self, text: str, pins: list[Pin], on_device: OnDevice | None) -> Pin | None:
        word, _, to = text.partition(":")
        if text == "latest":
            return pins[-1]
        if word == "device" and on_device is not None:
            return self._with_path(on_device(to), pins)
        if re.fullmatch(r"-[0-9]{1,9}", text):
            back = int(text[1:])
            return pins[-1 - back] if back < len(pins) else None
        name = text.removeprefix("/nix/store/").rstrip("/")
        # The same content may have several numbers: the last one is the one in use.
        found = [pin for pin in pins if text == str(pin.number) or name == pin.path.basename]
        return found[-1] if found else None

    def _with_path(self, path: StorePath, pins: list[Pin]) -> Pin:
        found = [pin for pin in pins if pin.path == path]
        if not found:
            raise UsageError(
                f"the device runs {path}, which is no generation of {self._host} that is kept here",
                hint="was it built elsewhere, or dropped by `reconix store collect --keep`?",
            )
        return found[-1]
