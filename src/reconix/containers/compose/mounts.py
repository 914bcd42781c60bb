"""What a service mounts: volumes of its own, and files and folders of the host.

A volume of a name becomes one of ours, and one that several services have a shared one. A file of
the project becomes a file of the container: it is part of the generation, so an update brings
another one, and nothing writes to it. A folder of the host has no counterpart, for a device has no
such folder; and least of all what gives a container power over the host, its socket of Docker.

Source: Compose Specification, *volumes*, *configs*.
Tested by ``tests/unit/containers/compose/test_mounts.py``.
"""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.config.problems import Place
from reconix.config.schema.containers import SHARED
from reconix.containers.compose.nodes import Fields, Items, Node, Scalar
from reconix.containers.compose.service import LeftOut, Service, fields, items, text, truth

_GIVEN = frozenset(("/etc/localtime", "/etc/resolv.conf", "/etc/hosts", "/etc/timezone"))
"""What each container has from its system."""
_IN_MEMORY = frozenset(("/tmp", "/run", "/dev/shm"))
"""What each container has in memory anyway."""
_READ_ONLY = frozenset(("ro", "readonly"))
_WITHOUT_EFFECT = frozenset(
    ("rw", "z", "Z", "cached", "delegated", "consistent", "rprivate", "private", "rslave", "slave")
)


@dataclass(frozen=True, slots=True)
class _Mount:
    """What is mounted where."""

    kind: str
    source: str
    target: str
    is_read_only: bool
    place: Place


def volumes(service: Service, node: Node) -> None:
    """The option ``volumes``."""
    service.each("volumes", items(node), _volume)


def tmpfs(service: Service, node: Node) -> None:
    """The option ``tmpfs``."""
    listed = node.items if isinstance(node, Items) else (node,)
    service.each("tmpfs", listed, lambda service, each: _in_memory(text(each).partition(":")[0]))


def configs(service: Service, node: Node) -> None:
    """The option ``configs``: files whose contents stand at the top of the file."""
    service.each("configs", items(node), _config)


def shared_volumes(services: Mapping[str, Node]) -> frozenset[str]:
    """The names of volumes that several services mount."""
    found = Counter(name for node in services.values() for name in set(_names_in(node)))
    return frozenset(name for name, count in found.items() if count > 1)


def _names_in(service: Node) -> Iterator[str]:
    listed = service.entries.get("volumes") if isinstance(service, Fields) else None
    for node in listed.items if isinstance(listed, Items) else ():
        try:
            mount = _mount(node)
        except LeftOut:  # told when it is translated
            continue
        if mount.kind == "volume" and mount.source:
            yield mount.source


def _mount(node: Node) -> _Mount:
    return _long(node) if isinstance(node, Fields) else _short(text(node), node.place)


def _volume(service: Service, node: Node) -> None:
    mount = _mount(node)
    if mount.kind == "tmpfs":
        _in_memory(mount.target)
    elif mount.kind == "bind":
        _bind(service, mount)
    elif mount.kind == "volume":
        _named(service, mount)
    else:
        raise LeftOut(f"there are no mounts of type {mount.kind[:40]!r} here")


def _short(written: str, place: Place) -> _Mount:
    """``SOURCE:TARGET:OPTIONS``, or ``TARGET`` alone."""
    source, colon, rest = written.partition(":")
    if not colon:
        return _Mount("volume", "", source, False, place)
    target, _, options = rest.partition(":")
    given = {each for each in options.split(",") if each}
    if unknown := given - _READ_ONLY - _WITHOUT_EFFECT:
        raise LeftOut(f"{', '.join(sorted(unknown))[:80]} has no counterpart")
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return _Mount(kind, source, target, bool(given & _READ_ONLY), place)


def _long(node: Fields) -> _Mount:
    given = node.entries
    read_only = "read_only" in given and truth(given["read_only"])
    source = text(given["source"]) if "source" in given else ""
    if "target" not in given:
        raise LeftOut("it does not say where it is mounted: target")
    kind = text(given["type"]) if "type" in given else "volume"
    return _Mount(kind, source, text(given["target"]), read_only, node.place)


def _in_memory(target: str) -> None:
    if target.rstrip("/") not in _IN_MEMORY:
        raise LeftOut(
            f"{target[:80]} gets no room of its own in memory",
            hint="without read_only a container keeps in memory whatever is written outside of "
            "volumes: `changes` bounds it",
        )


def _named(service: Service, mount: _Mount) -> None:
    if mount.target.rstrip("/") in _IN_MEMORY:
        service.tell(
            "volumes", mount.place, f"{mount.target} is in memory here, as in each container"
        )
        return
    shared = SHARED if mount.source in service.around.shared else ""
    name = f"{shared}{_volume_name(mount.source or mount.target)}"
    defined = service.around.volumes.get(mount.source)
    if isinstance(defined, Fields) and (
        odd := sorted({"external", "driver_opts"} & {*defined.entries})
    ):
        service.tell("volumes", mount.place, f"{mount.source}: {odd[0]} has no counterpart")
    if service.has("volumes", name):
        raise LeftOut(f"there is a volume {name} already")
    service.enter("volumes", name, mount.target, mount.place)
    if mount.is_read_only:
        service.tell("volumes", mount.place, "is writable here: a volume is never read-only")
    if shared:
        service.tell("volumes", mount.place, f"{name} is one for all systems of the device")


def _volume_name(text: str) -> str:
    """A name of ours for a volume: lower-case letters, digits and ``-``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "data"


def _bind(service: Service, mount: _Mount) -> None:
    if mount.target in _GIVEN:
        return
    if mount.source.endswith("docker.sock"):
        raise LeftOut("there is no Docker on a device that it could talk to")
    if mount.source.startswith(("/", "~")):
        raise LeftOut(
            f"a device has no {mount.source[:80]} of this machine",
            hint="name a volume, or a file of the project",
        )
    _file(service, mount.source, mount.target, mount.place)
    if not mount.is_read_only:
        fact = "is part of the generation here: the container cannot change it"
        service.tell("volumes", mount.place, fact)


def _config(service: Service, node: Node) -> None:
    given = fields(node) if isinstance(node, Fields) else {"source": node}
    if "source" not in given:
        raise LeftOut("it does not say which: source")
    name = text(given["source"])
    target = text(given["target"]) if "target" in given else f"/{name}"
    mode = {"mode": text(given["mode"])} if "mode" in given else {}
    defined = service.around.configs.get(name)
    if not isinstance(defined, Fields):
        raise LeftOut(f"there is no config {name[:80]!r} at the top of the file")
    if "file" in defined.entries:
        _file(service, text(defined.entries["file"]), target, node.place, mode)
    elif isinstance(content := defined.entries.get("content"), Scalar):
        service.enter("files", target, {"text": content.text, **mode}, node.place)
    else:
        raise LeftOut("only configs with `file` or `content` have a counterpart")


def _file(
    service: Service,
    source: str,
    target: str,
    place: Place,
    options: Mapping[str, object] | None = None,
) -> None:
    path = service.around.folder / source
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise LeftOut(
            f"{source[:80]} is a folder, and only single files can be laid over an image",
            hint="name its files, or put the folder into the image",
        )
    if mode is None:
        service.tell("volumes", place, f"{source[:80]} is not there; it is taken for a file")
    is_program = mode is not None and mode & stat.S_IXUSR
    found: dict[str, object] = {"source": _from(service.around.into, path)}
    service.enter(
        "files",
        str(PurePosixPath(target)),
        {**found, **({"mode": "0755"} if is_program else {}), **(options or {})},
        place,
    )


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _from(folder: Path, path: Path) -> str:
    """A path relative to the file that names it."""
    return os.path.relpath(path, folder)
