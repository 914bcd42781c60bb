"""Whose word counts for a health check."""

from reconix.config.schema.containers import ContainerHealth
from reconix.containers.runtime.health import health_of
from reconix.containers.settings import HealthCheck

IMAGE = HealthCheck(("/bin/check",), 5, 2, 60, 7)


def test_an_image_alone_counts() -> None:
    assert health_of(ContainerHealth(), IMAGE) == IMAGE


def test_without_a_command_there_is_no_check() -> None:
    assert health_of(ContainerHealth(interval=5), None) is None


def test_a_check_can_be_turned_off() -> None:
    assert health_of(ContainerHealth(enable=False, command=("x",)), IMAGE) is None


def test_the_configuration_wins_in_what_it_says() -> None:
    asked = ContainerHealth(command=("other",), timeout=9, start=0)
    assert health_of(asked, IMAGE) == HealthCheck(("other",), 5, 9, 0, 7)


def test_what_nobody_says_is_as_docker_has_it() -> None:
    assert health_of(ContainerHealth(command=("x",)), None) == HealthCheck(("x",), 30, 30, 0, 3)
