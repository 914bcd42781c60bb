"""The settings of a container, read by shells."""

from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.config.schema.containers import Container
from reconix.containers.runtime.network import ContainerNet, Kind
from reconix.containers.runtime.shell import Started, print_settings, quoted
from reconix.containers.settings import HealthCheck
from reconix.containers.users import Ids

STARTED = Started(
    "web",
    "app",
    ("a-container-layer-app/root", "b-container-root/root"),
    0x10000000,
    Ids(1000, 50),
    ContainerNet(Kind.PRIVATE, "base", 3),
    {"/var/run/x": "/run/x", "/data": "/data"},
    "SIGQUIT",
    HealthCheck(("true",), 30, 0.5, 1, 3),
)
CONTAINER = Container(
    packages=("x",),
    volumes={"it": "/var/run/x", "shared:media": "/data"},
    secrets=("two", "one", "two"),
    devices=("/dev/ttyS1", "/dev/odd:name"),
    read_only=True,
)


def read(place: Path, shell: str, name: str) -> str:
    words = (*shell.split(), "-c", f'. ./settings && printf "%s" "${name}"')
    return run(*words, folder=place).decode()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_a_shell_finds_what_was_said(tmp_path: Path, need: Need, shell: str) -> None:
    need(shell.split()[0])
    (tmp_path / "settings").write_bytes(print_settings(CONTAINER, STARTED))
    expected = {
        "LAYERS": "a-container-layer-app/root b-container-root/root",
        "BASE": "268435456",
        "IDS": "65536",
        "OWNER": "268436456:268435506",
        "VOLUMES": "shared/containers/media /data\nsystems/web/containers/app/it /run/x",
        "SECRETS": "one two",
        "DEVICES": "/dev/ttyS1\n/dev/odd:name",
        "NETWORK": "private",
        "NETNS": "reconix-base",
        "JOINS": "base",
        "INTERFACE": "reconix-3",
        "ADDRESS": "10.88.0.14/30",
        "PEER": "10.88.0.13/30",
        "READ_ONLY": "1",
        "CHANGES_BYTES": str(64 << 20),
        "STOP_SIGNAL": "3",
        "STOP_SECONDS": "30",
        "HEALTH_TIMEOUT": "0.5",
        "HEALTH_START": "1",
        "HEALTH_RETRIES": "3",
    }
    assert {name: read(tmp_path, shell, name) for name in expected} == expected


@pytest.mark.parametrize("text", ["", "it's", "$(false)`x`\\", "a\nb", "''"])
def test_what_is_quoted_is_one_word(text: str) -> None:
    assert run("sh", "-c", f"printf '%s' {quoted(text)}").decode() == text
