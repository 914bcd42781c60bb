"""``settings``: what the script ``container`` is told, as lines that a shell can source.

Specified in ``docs/spec/containers.md``.
Tested by ``tests/unit/containers/runtime/test_shell.py``, with shells.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconix.config.lock.containers import IDS
from reconix.config.schema.containers import Container
from reconix.containers.runtime.configuration import volume_paths
from reconix.containers.runtime.network import ContainerNet
from reconix.containers.runtime.places import volume_folder
from reconix.containers.settings import HealthCheck
from reconix.containers.signals import number_of
from reconix.containers.users import Ids

STOP_SECONDS = 30
"""How long a container has to end when it is asked to."""


@dataclass(frozen=True, slots=True)
class Started:
    """What is known of a container besides its configuration."""

    system: str
    name: str
    layers: tuple[str, ...]
    """Folders in the store, the uppermost first."""
    first_id: int
    ids: Ids
    net: ContainerNet
    volumes: Mapping[str, str]
    """Where volumes really are, by the paths of the configuration."""
    stop_signal: str
    health: HealthCheck | None


def print_settings(container: Container, started: Started) -> bytes:
    """The lines for a container."""
    values = {
        "LAYERS": " ".join(started.layers),
        "BASE": str(started.first_id),
        "IDS": str(IDS),
        "OWNER": f"{started.first_id + started.ids.user}:{started.first_id + started.ids.group}",
        "VOLUMES": _lines(_volumes(container, started)),
        "SECRETS": " ".join(sorted(set(container.secrets))),
        "DEVICES": _lines(container.devices),
        "READ_ONLY": "1" if container.read_only else "",
        "CHANGES_BYTES": str(container.changes),
        "STOP_SIGNAL": str(number_of(started.stop_signal)),
        "STOP_SECONDS": str(STOP_SECONDS),
        **_network(started),
        **_health(started.health),
    }
    return "".join(f"{name}={quoted(value)}\n" for name, value in values.items()).encode()


def quoted(text: str) -> str:
    """A text as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _lines(values: Iterable[str]) -> str:
    return "\n".join(values)


def _volumes(container: Container, started: Started) -> list[str]:
    names = {path: volume for volume, path in container.volumes.items()}
    return [
        f"{volume_folder(started.system, started.name, names[path])} {started.volumes[path]}"
        for path in volume_paths(container)
    ]


def _network(started: Started) -> Mapping[str, str]:
    net = started.net
    return {
        "NETWORK": net.kind.value,
        "NETNS": net.namespace,
        "JOINS": net.maker if net.maker != started.name else "",
        "INTERFACE": net.interface,
        "ADDRESS": net.with_prefix(net.address),
        "PEER": net.with_prefix(net.peer),
    }


def _health(health: HealthCheck | None) -> Mapping[str, str]:
    return {
        "HEALTH_TIMEOUT": f"{health.timeout_seconds:g}" if health else "",
        "HEALTH_START": f"{health.start_seconds:g}" if health else "",
        "HEALTH_RETRIES": str(health.retries) if health else "",
    }
