"""What is laid over the image of a container: the files of the configuration, and mount points.

A mount needs a file or folder to be mounted on. If crun made it in a container that runs, it would
go where a link of the image leads at that moment. So all of them are made when a system is built,
and the image cannot have a word in it: names are looked up in its tree, links are followed there,
and where they end is where the folder is made.

    root/       the tree
    metadata    what is said of it, so that two that differ in that alone are two objects

A folder that the image has too is said to be as the image has it, because of two folders of one
name the upper one counts. What is new belongs to root of the container.

Source: CVE-2026-47766.
Tested by ``tests/unit/containers/runtime/test_layer.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reconix.base.text import one_line
from reconix.config.schema.containers import Container
from reconix.containers.layers.unpack import METADATA
from reconix.containers.paths import inside
from reconix.containers.runtime.places import HOSTS, RESOLV_CONF, ROOT, SECRETS, TEMPORARY
from reconix.containers.trees import CLOSED
from reconix.containers.unfit import Unfit, asked_by
from reconix.store.images.nodes import EXECUTABLE, Metadata
from reconix.store.sidecar import ITSELF, Entries, print_entries
from reconix.store.tree import File, Folder, Node, folder

FOLDERS = {
    "dev": Metadata(0o755),
    "etc": Metadata(0o755),
    "proc": Metadata(0o555),
    "run": Metadata(0o755),
    "sys": Metadata(0o555),
    "tmp": Metadata(0o1777),
}
"""What every container has: a folder, and no link to one."""

_NEW_FOLDER, _NEW_FILE = Metadata(0o755), Metadata(0o644)


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The tree of an image, and what is said of it."""

    root: Path
    """Where it lies on this machine."""
    entries: Mapping[bytes, Metadata]
    """By path below the root; of the root itself ``ITSELF``."""

    def folder(self, path: str) -> Metadata:
        """What is said of a folder that is there."""
        return self.entries.get(path.encode() or ITSELF, EXECUTABLE)


@dataclass(slots=True)
class _Layer:
    """A layer that is being made; paths are relative to the root of the container."""

    image: ImageFiles
    source: str
    nodes: dict[str, Node] = field(default_factory=dict)
    said: dict[str, Metadata] = field(default_factory=dict)

    def add_folder(self, path: str, new: Metadata = _NEW_FOLDER) -> str:
        """A folder, unless it is there; gives the path without links."""
        found = self._existing(path)
        if found is None:
            above, name = self._above(path)
            found = f"{above}/{name}".lstrip("/")
            self.nodes.setdefault(found, Folder())
            self.said.setdefault(found, new)
        return found

    def add_file(self, path: str, content: bytes, new: Metadata = _NEW_FILE) -> None:
        """A file, in the place of a file or a link of the image."""
        above, name = self._above(path)
        place = self.image.root / above / name
        if place.is_dir() and not place.is_symlink():
            raise Unfit(self.source, f"there is a folder at {one_line(path)}, no file")
        own = f"{above}/{name}".lstrip("/")
        self.nodes[own] = File(content, executable=bool(new.mode & 0o111))
        self.said[own] = new

    def _existing(self, path: str) -> str | None:
        """The real path of a folder of the image or of this layer; nothing if there is none."""
        place = inside(self.image.root, path)
        if place is None:
            own = str(PurePosixPath("/", path))[1:]
            return own if own in self.said else None
        if not place.is_dir():
            raise Unfit(self.source, f"{one_line(path)} is a file, where a folder must be")
        return "" if place == self.image.root else str(place.relative_to(self.image.root))

    def _above(self, path: str) -> tuple[str, str]:
        """The folder around a path, which is made if it is not there, and the name in it."""
        pure = PurePosixPath("/", path)
        above = self.add_folder(str(pure.parent))
        for each in [above, *map(str, PurePosixPath(above).parents)] if above else []:
            if each != "." and each not in self.said:
                self.said[each] = self.image.folder(each)
        return above, pure.name


@dataclass(frozen=True, slots=True)
class MadeLayer:
    """The object of a layer."""

    tree: Folder
    entries: Entries
    """What is to be said of it."""
    volumes: Mapping[str, str]
    """Where volumes really are, by the paths of the configuration; they may lead over links."""


def make_layer(
    name: str,
    container: Container,
    image: ImageFiles,
    *,
    localtime: bytes | None = None,
    source: str,
) -> MadeLayer:
    """The object of the layer of a container.

    Args:
        name: of the container.
        container: as configured.
        image: what it is laid over.
        localtime: the time zone of the system, if it has another one than UTC.
        source: the container, for messages.

    Raises:
        Unfit: a folder is in the place of a file, or the reverse.
    """
    layer = _Layer(image, source)
    for path, said in FOLDERS.items():
        _expect_plain(image.root / path, path, source)
        layer.add_folder(path, said)
    real: dict[str, str] = {}
    for path, option in _mounted_folders(container):
        with asked_by(*option):
            real[path] = f"/{layer.add_folder(path)}"
    for path, content in _given(name, localtime).items():
        layer.add_file(path, content)
    for path, file in sorted(container.files.items()):
        with asked_by("files", path):
            layer.add_file(path, file.read(), Metadata(file.mode))
    volumes = {path: real[path] for path in container.volumes.values()}
    return MadeLayer(*_object(layer), volumes)


def _expect_plain(place: Path, path: str, source: str) -> None:
    """Refuse a root in which one of the folders is something else."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise Unfit(
            source,
            f"/{path} of its image is no folder",
            hint="something is mounted there in every container; take another image",
        )


def _mounted_folders(container: Container) -> list[tuple[str, tuple[str, ...]]]:
    """With the option that asks for each; sorted, so that a folder stands before those in it."""
    secrets = {f"/run/{SECRETS}": ("secrets",)} if container.secrets else {}
    temporary = dict.fromkeys(TEMPORARY, ("read_only",)) if container.read_only else {}
    volumes = {path: ("volumes", name) for name, path in container.volumes.items()}
    return sorted({**temporary, **secrets, **volumes}.items())


def _given(name: str, localtime: bytes | None) -> dict[str, bytes]:
    """What every container has in ``/etc``; over two of them something is mounted."""
    given = {f"etc/{RESOLV_CONF}": b"", f"etc/{HOSTS}": b"", "etc/hostname": f"{name}\n".encode()}
    return given if localtime is None else {**given, "etc/localtime": localtime}


def _object(layer: _Layer) -> tuple[Folder, Entries]:
    """The tree below a folder that is closed, and the lines about it."""
    own = {"": layer.image.folder(""), **layer.said}
    inner = {f"{ROOT}/{path}".rstrip("/").encode(): said for path, said in own.items()}
    entries = tuple(sorted({ITSELF: CLOSED, **inner}.items()))
    nodes = {f"{ROOT}/{path}": node for path, node in layer.nodes.items()}
    return folder({METADATA: File(print_entries(entries)), **nodes}), entries
