"""``config.json``: what crun is told of a container.

Programs of a container see its root and little else: processes, names, users and mounts are its
own. Its root is somebody without rights on the device: the numbers 0 to 65535 of the container are
a range that nobody else has. What of ``/proc`` and ``/sys`` tells about the machine, or changes it,
is covered or read-only.

Limits of memory and the like are those of the unit that runs it: crun leaves control groups alone,
and the container sees its own as the top one.

Source: OCI runtime specification 1.0; for what is covered, containers-common, and moby,
``oci/defaults.go``.
Tested by ``tests/unit/containers/runtime/test_configuration.py`` and, with crun,
``tests/compat/test_containers.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from reconix.base.documents import JsonInput, print_json
from reconix.config.lock.containers import IDS
from reconix.config.schema.containers import Container
from reconix.containers.runtime import seccomp
from reconix.containers.runtime.network import ContainerNet, Kind
from reconix.containers.runtime.places import (
    DEVICES,
    HOSTS,
    INIT,
    RESOLV_CONF,
    ROOT,
    SECRETS,
    TEMPORARY,
    VOLUMES,
    place,
)
from reconix.containers.runtime.process import INIT as INIT_INSIDE
from reconix.containers.runtime.process import Process, describe

_VERSION = "1.0.2"
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/dev/block",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_SAFE = ("nosuid", "noexec", "nodev")
_DEVICE_MEMORY = "size=65536k"
_TTY_GROUP = 5


def print_configuration(
    name: str,
    container: Container,
    process: Process,
    net: ContainerNet,
    *,
    first_id: int,
    architecture: str,
) -> bytes:
    """``config.json`` of a container.

    Args:
        name: of it.
        container: as configured.
        process: what runs in it.
        net: its network.
        first_id: of the range of users and groups that it has on the device.
        architecture: Debian's name of it.
    """
    command = (INIT_INSIDE, "--", *process.command) if container.init else process.command
    ids = [{"containerID": 0, "hostID": first_id, "size": IDS}]
    return print_json(
        {
            "ociVersion": _VERSION,
            "hostname": name,
            "process": describe(process, command),
            "root": {"path": place(name, ROOT), "readonly": container.read_only},
            "mounts": [*_mounts(name, container)],
            "linux": {
                "namespaces": [*_namespaces(net)],
                "uidMappings": ids,
                "gidMappings": ids,
                "maskedPaths": _MASKED,
                "readonlyPaths": _READ_ONLY,
                "seccomp": seccomp.profile(architecture),
            },
        }
    )


def _namespaces(net: ContainerNet) -> Iterator[JsonInput]:
    for kind in ("cgroup", "ipc", "mount", "pid", "user", "uts"):
        yield {"type": kind}
    if net.kind is not Kind.HOST:
        yield {"type": "network", "path": f"/run/netns/{net.namespace}"}


def _mounts(name: str, container: Container) -> Iterator[JsonInput]:
    yield _mount("proc", "/proc", *_SAFE)
    yield _mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", _DEVICE_MEMORY)
    terminals = ("newinstance", "ptmxmode=0666", "mode=0620", f"gid={_TTY_GROUP}")
    yield _mount("devpts", "/dev/pts", "nosuid", "noexec", *terminals)
    yield _mount("tmpfs", "/dev/shm", *_SAFE, "mode=1777", _DEVICE_MEMORY)
    yield _mount("mqueue", "/dev/mqueue", *_SAFE)
    yield _mount("sysfs", "/sys", *_SAFE, "ro")
    yield _mount("cgroup", "/sys/fs/cgroup", *_SAFE, "relatime", "ro")
    if container.read_only:
        yield from _temporary(container)
    for each in (RESOLV_CONF, HOSTS):
        if f"/etc/{each}" not in container.files:
            yield _bind(place(name, each), f"/etc/{each}", *_SAFE, "ro")
    yield from _of_the_device(name, container)


def _temporary(container: Container) -> Iterator[JsonInput]:
    """In memory, with what the image has there."""
    for path, mode in TEMPORARY.items():
        room = f"size={container.changes}"
        yield _mount("tmpfs", path, "nosuid", "nodev", mode, room, "tmpcopyup")


def _of_the_device(name: str, container: Container) -> Iterator[JsonInput]:
    if container.init:
        yield _bind(INIT, INIT_INSIDE, "nosuid", "nodev", "ro")
    for number, path in enumerate(volume_paths(container)):
        yield _bind(place(name, f"{VOLUMES}/{number}"), path, "nosuid", "nodev", "rw")
    for device in container.devices:
        inner = PurePosixPath(device).relative_to("/dev")
        yield _bind(place(name, f"{DEVICES}/{inner}"), device, "nosuid", "noexec", "rw")
    if container.secrets:
        yield _bind(place(name, SECRETS), f"/run/{SECRETS}", *_SAFE, "ro")


def volume_paths(container: Container) -> list[str]:
    """Where volumes are in a container, one in another behind that one."""
    return sorted(container.volumes.values())


def _mount(kind: str, destination: str, *options: str) -> Mapping[str, JsonInput]:
    return {
        "destination": destination,
        "type": kind,
        "source": kind,
        "options": options,
    }


def _bind(source: str, destination: str, *options: str) -> Mapping[str, JsonInput]:
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": ("rbind", "rprivate", *options),
    }
