"""The health check of a container: what the configuration says, else the image, else Docker.

Tested by ``tests/unit/containers/runtime/test_health.py``.
"""

from reconix.config.schema.containers import ContainerHealth
from reconix.containers.settings import HealthCheck


def health_of(asked: ContainerHealth, image: HealthCheck | None) -> HealthCheck | None:
    """The check of a container; nothing if there is no command, or there is to be no check."""
    command = asked.command or (image.command if image else ())
    if not asked.enable or not command:
        return None
    usual = image or HealthCheck(command)
    return HealthCheck(
        command,
        _or(asked.interval, usual.interval_seconds),
        _or(asked.timeout, usual.timeout_seconds),
        _or(asked.start, usual.start_seconds),
        asked.retries or usual.retries,
    )


def _or(asked: float | None, usual: float) -> float:
    return usual if asked is None else asked
