"""Generations: which systems, which boot tree, which slot image.

A generation is one store object with ``generation.json``. It names the toplevel of each system, the
images that hold it, the boot tree, and the hash of the slot image that the boot tree gives: what a
manifest promises for the store, this hash promises for the boot partition.

    {"version": 2, "host": "gateway", "architecture": "amd64", "default": "default",
     "systems": {"default": {"toplevel": "/nix/store/…-system-default", "images": ["<sha256>", …]},
                 …},
     "boot": "/nix/store/…-boot-gateway",
     "slot": {"image_sha256": "…", "image_size_bytes": 1, "slot_size_bytes": 1}}

``"integrity": "verity"`` stands there besides if the kernel shall compare whatever it reads with
the names of contents; every file of the generation must have hashes then, also on the device.

An older agent that comes after a newer one, in the trial of a generation that somebody goes back
to, reads the newer one, too. So a release may add fields, and a reader takes any version. What is
raised with the version is what an agent must know to *install* the generation.

Tested by ``tests/unit/store/test_generation.py``.
"""

import re
from enum import Enum
from pathlib import Path

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded
from reconix.base.records import dataclass
from reconix.store.paths import BadStorePath, StorePath

VERSION = 2
_WITH_IMAGES = 2
FILE_NAME = "generation.json"
MAX_BYTES = 1 << 20
MAX_IMAGES = 16
"""Of one system: each is a mount, and stands on the command line of the kernel."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class BadGeneration(ReconixError):
    """A store object is no generation, or contradicts itself."""

    exit_code = 70


class UnknownSystem(ReconixError):
    """A generation has no system of that name."""

    exit_code = 2

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no system {name!r}", hint=f"there are: {', '.join(known)}")


class Integrity(Enum):
    """Who compares contents with their names when they are read."""

    NONE = "none"  # nobody
    VERITY = "verity"  # the kernel, by fs-verity


@dataclass(frozen=True, slots=True, order=True)
class InstalledSystem:
    """One system of a generation."""

    name: str
    toplevel: StorePath
    images: tuple[Digest, ...]  # sorted; all that its root needs

    def __post_init__(self) -> None:
        if list(self.images) != sorted(set(self.images)) or len(self.images) > MAX_IMAGES:
            raise BadGeneration(f"the images of the system {self.name!r} are not sorted")


@dataclass(frozen=True, slots=True)
class SlotImage:
    """What the slot of a generation must contain, and the slot that the image was made for."""

    digest: Digest
    size_bytes: int
    slot_size_bytes: int

    def __post_init__(self) -> None:
        sizes = (self.size_bytes, self.slot_size_bytes)
        if not 0 < self.size_bytes <= self.slot_size_bytes or any(size % 512 for size in sizes):
            raise BadGeneration(f"an image of {sizes[0]} bytes in a slot of {sizes[1]} bytes")


@dataclass(frozen=True, slots=True)
class Generation:
    """All systems of a host and their boot tree; valid by construction."""

    path: StorePath
    host: str
    architecture: str
    default: str
    systems: tuple[InstalledSystem, ...]  # sorted by name
    boot: StorePath
    slot: SlotImage
    version: int = VERSION
    integrity: Integrity = Integrity.NONE

    def __post_init__(self) -> None:
        names = [system.name for system in self.systems]
        if names != sorted(set(names)) or not all(map(_NAME.fullmatch, names)):
            raise BadGeneration(f"{self.path}: bad names of systems: {names!r}")
        if self.default not in names:
            raise BadGeneration(f"{self.path}: it has no system {self.default!r}, its default")

    def system(self, name: str) -> InstalledSystem:
        """The system of that name.

        Raises:
            UnknownSystem: there is none.
        """
        for system in self.systems:
            if system.name == name:
                return system
        raise UnknownSystem(name, tuple(system.name for system in self.systems))

    def running(self, toplevel: StorePath) -> InstalledSystem | None:
        """The system with that toplevel, if it is one of this generation."""
        found = [system for system in self.systems if system.toplevel == toplevel]
        return found[0] if found else None


def system_name(generation: Generation | None, toplevel: StorePath) -> str:
    """What a system is called in its generation; if that does not say it, by its store path."""
    found = generation.running(toplevel) if generation else None
    return found.name if found else toplevel.name.removeprefix("system-")


def expect_known(generation: Generation) -> None:
    """Check that a generation can be installed by this release.

    Raises:
        BadGeneration: it is for newer agents alone, or it was built for the layout before.
    """
    if generation.version < VERSION:
        raise BadGeneration(
            f"{generation.path} has version {generation.version}: it was built for another layout",
            hint="build it again with this release",
        )
    if generation.version > VERSION:
        raise BadGeneration(
            f"{generation.path} has version {generation.version}; this agent knows {VERSION}",
            hint="update to a generation in between first",
        )


def parse_generation(content: bytes, path: StorePath) -> Generation:
    """Read ``generation.json`` of the object ``path``.

    Raises:
        BadGeneration: it is not what this module says.
    """
    try:
        return _generation(Fields.parse(content, source=f"{path}/{FILE_NAME}"), path)
    except (BadDocument, BadStorePath, BadDigest) as error:
        raise BadGeneration(str(error), hint="build the generation again") from error


def _generation(fields: Fields, path: StorePath) -> Generation:
    systems, slot = fields.object("systems"), fields.object("slot")
    return Generation(
        path=path,
        host=fields.text("host"),
        architecture=fields.text("architecture"),
        default=fields.text("default"),
        systems=tuple(
            _system(name, systems.object(name), fields.version()) for name in systems.names()
        ),
        boot=StorePath.parse(fields.text("boot")),
        slot=SlotImage(
            Digest.parse(slot.text("image_sha256")),
            slot.number("image_size_bytes"),
            slot.number("slot_size_bytes"),
        ),
        version=fields.version(),
        integrity=_integrity(fields, fields.version()),
    )


def _integrity(fields: Fields, version: int) -> Integrity:
    """What a generation asks for; what only newer agents know is no matter of this one."""
    if not fields.has("integrity"):
        return Integrity.NONE
    word = fields.text("integrity")
    try:
        return Integrity(word)
    except ValueError as error:
        if version > VERSION:
            return Integrity.NONE
        raise BadDocument(f"{fields.source}: {word!r} is no integrity") from error


def _system(name: str, fields: Fields, version: int) -> InstalledSystem:
    """A system; before version 2 there were no images."""
    images = tuple(map(Digest.parse, fields.texts("images"))) if version >= _WITH_IMAGES else ()
    return InstalledSystem(name, StorePath.parse(fields.text("toplevel")), images)


def read_generation(store: Path, path: StorePath) -> Generation:
    """Read a generation from the folder that holds the objects of a build store.

    Raises:
        BadGeneration: the object is not there or is no generation.
    """
    try:
        content = read_bounded(store / path.basename / FILE_NAME, MAX_BYTES)
    except (OSError, BadFile) as error:
        raise BadGeneration(f"{path} is no generation: {error}") from error
    return parse_generation(content, path)
