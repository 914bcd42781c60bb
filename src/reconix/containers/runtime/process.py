"""The process of a container: what runs, as whom, where, and with which environment.

A configuration says a part of it, the image the rest. Everything is settled when a system is built,
so that nothing on a device has to be looked up in tables that come from others.

Tested by ``tests/unit/containers/runtime/test_process.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base.documents import JsonInput
from reconix.config.lock.containers import IDS
from reconix.config.schema.containers import Container
from reconix.containers.paths import inside
from reconix.containers.settings import Settings
from reconix.containers.unfit import Unfit
from reconix.containers.users import Ids, find_ids

INIT = "/dev/init"
"""Where a container finds process 1, if that is not its own program."""

CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""Of root in a container, as podman has it by default; good for what belongs to the container.

Source: containers.conf(5), ``default_capabilities``.
"""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UMASK = 0o022


@dataclass(frozen=True, slots=True)
class Process:
    """What is started in a container."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    """Sorted."""
    ids: Ids
    folder: str
    gains_rights: bool = False
    """Whether it may start programs that have more rights than itself."""


def process_of(
    name: str, container: Container, settings: Settings, root: Path, *, source: str
) -> Process:
    """The process of a container.

    Args:
        name: of the container.
        container: as configured.
        settings: what its image says.
        root: the tree of the image.
        source: the container, for messages.

    Raises:
        BadImage: user or folder are not in the image, or nobody says what is to run.
    """
    ids = ids_of(container, settings, root, source=source)
    folder = folder_of(container, settings, root, source=source)
    usual = {"PATH": _PATH, "HOSTNAME": name}
    environment = {**usual, **dict(settings.environment), **container.environment}
    return Process(
        settings.command_or(container.command, source=source),
        tuple(sorted(environment.items())),
        ids,
        folder,
        container.set_id,
    )


def ids_of(container: Container, settings: Settings, root: Path, *, source: str) -> Ids:
    """Whom a container runs as.

    Raises:
        Unfit: there is nobody of that name, or no container has the number.
    """
    ids = find_ids(container.user or settings.user, root, source=source)
    for number in (ids.user, ids.group, *ids.groups):
        if number >= IDS:
            fact = f"runs under the number {number}: it has those below {IDS}"
            raise Unfit(source, fact, "user", hint="let it run as somebody else: user = 1000")
    return ids


def folder_of(container: Container, settings: Settings, root: Path, *, source: str) -> str:
    """Where a container starts.

    Raises:
        Unfit: the folder is not there: neither in the image nor because of the configuration.
    """
    folder = container.working_directory or settings.folder
    place = inside(root, folder)
    made = {*container.volumes.values(), *_folders_of(container.files)}
    if (place is None or not place.is_dir()) and not any(
        PurePosixPath(each).is_relative_to(folder) for each in made
    ):
        raise Unfit(
            source,
            f"the folder {folder} is not in its image",
            "working_directory",
            hint="name one that is there: working_directory of the container",
        )
    return folder


def _folders_of(files: Iterable[str]) -> list[str]:
    return [str(PurePosixPath(path).parent) for path in files]


def describe(process: Process, command: tuple[str, ...] = ()) -> Mapping[str, JsonInput]:
    """A process as crun is told it.

    Args:
        process: of the container.
        command: another one, that is to run beside it.

    Source: OCI runtime specification 1.0, *Process*.
    """
    ids, has_rights = process.ids, process.ids.user == 0
    bounding = CAPABILITIES if has_rights or process.gains_rights else ()
    effective = CAPABILITIES if has_rights else ()
    return {
        "args": command or process.command,
        "capabilities": {
            "ambient": (),
            "bounding": bounding,
            "effective": effective,
            "inheritable": (),
            "permitted": effective,
        },
        "cwd": process.folder,
        "env": [f"{name}={value}" for name, value in process.environment],
        "noNewPrivileges": not process.gains_rights,
        "terminal": False,
        "user": {
            "additionalGids": ids.groups,
            "gid": ids.group,
            "uid": ids.user,
            "umask": _UMASK,
        },
    }
