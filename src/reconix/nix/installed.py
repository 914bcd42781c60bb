"""What a system or a generation of the build store is on a device: its images, and their size.

To know it every file has to be read, so it is written down as a small document. The document says
whom it is about: one that is found under the wrong name is not taken for another::

    {
      "of": "/nix/store/<hash>-system-web",
      "images": ["<sha256 hex>", …],                    sorted
      "contents": 2, "contents_bytes": 8192, "images_bytes": 4096
    }

Tested by ``tests/unit/nix/test_installed.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.nix.images import DeviceImage, DeviceTrees, read_device_generation, system_images
from reconix.nix.installed_size import InstalledSize, installed_size
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Installed:
    """The images of a system or a generation, and what they and all that they name amount to."""

    images: tuple[Digest, ...]  # sorted
    size: InstalledSize


def installed_system(trees: DeviceTrees, toplevel: StorePath) -> Installed:
    """Read what a system is on a device."""
    return _installed(system_images(trees, toplevel))


def installed_generation(trees: DeviceTrees, root: StorePath) -> Installed:
    """Read what a generation is on a device.

    Raises:
        BadGeneration: see ``read_device_generation``.
    """
    return _installed(read_device_generation(trees.store, root, trees).images)


def _installed(images: Iterable[DeviceImage]) -> Installed:
    found = tuple(images)
    return Installed(tuple(sorted({each.entry.sha256 for each in found})), installed_size(found))


def print_installed(subject: StorePath, installed: Installed) -> bytes:
    """The document about an object."""
    return print_json(
        {
            "of": str(subject),
            "images": [digest.hex() for digest in installed.images],
            "contents": installed.size.contents,
            "contents_bytes": installed.size.contents_bytes,
            "images_bytes": installed.size.images_bytes,
        }
    )


def parse_installed(content: bytes, subject: StorePath, *, source: str) -> Installed:
    """Read the document about an object.

    Raises:
        BadDocument: it is none, or about another object.
        BadDigest: it names an image that cannot be.
    """
    fields = Fields.parse(content, source=source)
    if fields.text("of") != str(subject):
        raise BadDocument(f"{source} is about {fields.text('of')}, not about {subject}")
    images = tuple(map(Digest.parse, fields.texts("images")))
    size = InstalledSize(
        fields.number("contents"),
        fields.number("contents_bytes"),
        len(images),
        fields.number("images_bytes"),
    )
    return Installed(images, size)
