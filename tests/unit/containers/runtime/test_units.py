"""The units of containers, read by systemd."""

from pathlib import Path

from tests.conftest import Need

from reconix.base.process import run
from reconix.config.schema.containers import Container
from reconix.config.schema.software import Secret
from reconix.config.schema.values import Restart
from reconix.containers.runtime import units
from reconix.containers.runtime.network import ContainerNet, Kind
from reconix.containers.runtime.units import Running, of_all, of_container
from reconix.containers.settings import HealthCheck

CHECK = HealthCheck(("true",), interval_seconds=0.5, timeout_seconds=2)
FULL = Container(
    image="x",
    memory=64 << 20,
    cpu=50,
    tasks=64,
    restart=Restart.ALWAYS,
    secrets=("two", "one"),
    network="with:other",
    after=("time-sync.target",),
)
SECRETS = {
    "one": Secret(units=("container-app.service",), required=False),
    "two": Secret(units=("container-app.service",)),
}


def full() -> dict[str, str]:
    net = ContainerNet(Kind.PRIVATE, "other", 3)
    return of_container("app", FULL, Running(net, SECRETS, "SIGRTMIN+3", CHECK))


def plain(kind: Kind) -> dict[str, str]:
    running = Running(ContainerNet(kind, "other", 3), {}, "SIGTERM", None)
    return of_container("other", Container(image="x"), running)


def test_limits_and_secrets_are_those_of_the_configuration() -> None:
    lines = full()["container-app.service"].splitlines()
    for line in (
        "MemoryMax=67108864",
        "MemorySwapMax=0",
        "CPUQuota=50%",
        "TasksMax=64",
        "Restart=always",
        "KillSignal=SIGRTMIN+3",
        "LoadCredential=one:reconix-one",
        "LoadCredential=two:/run/reconix/data/secrets/two",
        "Wants=container-other.service",
        "After=container-other.service",
        "After=time-sync.target",
        "Wants=container-app-health.timer",
    ):
        assert line in lines


def test_one_that_is_killed_is_started_again_unless_nobody_wants_that() -> None:
    for restart in Restart:
        running = Running(ContainerNet(Kind.HOST, "app", 0), {}, "SIGTERM", None)
        (text,) = of_container("app", Container(image="x", restart=restart), running).values()
        assert ("RestartForceExitStatus=SIGKILL\n" in text) == (restart is not Restart.NO)
        assert "SuccessExitStatus=130 143 SIGKILL\n" in text


def test_who_joins_needs_the_network_of_the_other_one() -> None:
    assert "Requires=container-other-network.service\n" in full()["container-app.service"]
    assert "container-app-network.service" not in full()
    assert (
        "Requires=reconix-container-network.service\n"
        in (plain(Kind.PRIVATE)["container-other-network.service"])
    )


def test_only_a_private_network_has_rules() -> None:
    found = plain(Kind.NONE)["container-other-network.service"]
    assert "reconix-container-network" not in found and "StopWhenUnneeded=yes\n" in found
    assert list(plain(Kind.HOST)) == ["container-other.service"]


def test_a_check_may_be_made_as_often_as_somebody_asks() -> None:
    """systemd has a unit fail that was started five times in ten seconds, and so does a trial."""
    found = full()["container-app-health.service"]
    assert "StartLimitIntervalSec=0\n" in found.partition("[Service]")[0]


def test_a_plain_container_has_no_limits() -> None:
    found = plain(Kind.HOST)["container-other.service"]
    for word in ("MemoryMax", "CPUQuota", "TasksMax", "LoadCredential", "network.service", "timer"):
        assert word not in found
    assert "Restart=on-failure\n" in found


def test_without_a_private_network_nothing_waits_for_rules() -> None:
    assert set(of_all(["a"], has_rules=False)) == {units.TARGET, units.IMAGES}
    assert units.RULES in of_all(["a"], has_rules=True)


def test_systemd_understands_all_of_them(tmp_path: Path, need: Need) -> None:
    need("systemd-analyze")
    common = of_all(["app", "other"], has_rules=True)
    found = {**full(), **plain(Kind.PRIVATE), **common}
    for name, text in found.items():
        (tmp_path / name).write_text(text)
    run(
        *("systemd-analyze", "verify", "--man=no", "--recursive-errors=no"),
        *(tmp_path / name for name in found),
    )
