"""The units of containers: systemd starts and ends them, bounds them, and starts them again.

    containers.target                        wanted by multi-user.target
      └─ container-NAME.service              the container
           ├─ reconix-container-images       mounts images, once for all
           ├─ container-NAME-network         makes its network; ends when nobody needs that
           │    └─ reconix-container-network   the table of rules
           └─ container-NAME-health.timer ─► container-NAME-health.service
    reconix-container-names.path             other servers resolve names by now

They are in the object with the containers, not in ``/etc``: so another set of containers can take
the place of this one while the system goes on, and what has not changed has the same unit.

The process that systemd watches is the first one of the container. crun has ended by then, and
its process is in the control group of the unit; so limits, restarts and the journal are systemd's.

Source: systemd.service(5), systemd.resource-control(5), systemd.timer(5); what the script does,
``docs/spec/containers.md``.
Tested by ``tests/unit/containers/runtime/test_units.py``, with ``systemd-analyze verify``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconix.config.schema.containers import Container, container_unit
from reconix.config.schema.software import Secret
from reconix.config.schema.values import Restart
from reconix.containers.runtime.network import ContainerNet, Kind
from reconix.containers.runtime.places import RUN
from reconix.containers.runtime.shell import STOP_SECONDS
from reconix.containers.settings import HealthCheck
from reconix.device.paths import Paths

TARGET = "containers.target"
IMAGES = "reconix-container-images.service"
RULES = "reconix-container-network.service"
NAMES = "reconix-container-names"
_SCRIPT = "/bin/sh /nix/system/agent/container"
_SERVERS = "/run/systemd/resolve/resolv.conf"
_RESTART_SECONDS = 5
_FILLING_SECONDS = 600  # the first start copies what the image has in volumes
_ENDED_BY_SIGNAL = "130 143"  # as shells, Java and Node say that they were asked to end
_ENDED_BY_FORCE = "SIGKILL"  # which is no failure of a container that is stopped
_MORE_THAN_STOP_SECONDS = 10
_MORE_THAN_TIMEOUT_SECONDS = 10
_FILES = "1024:524288"  # as systemd has it: crun may not raise what it got


@dataclass(frozen=True, slots=True)
class Running:
    """What is known of a container besides its configuration."""

    net: ContainerNet
    secrets: Mapping[str, Secret]
    """Those of the system, by name."""
    stop_signal: str
    health: HealthCheck | None


def of_container(name: str, container: Container, running: Running) -> dict[str, str]:
    """The units of a container, by name."""
    checks = _health_units(name, running.health) if running.health else {}
    is_maker = running.net.namespace and running.net.maker == name
    network = {_network_name(name): _network_unit(name, running.net)} if is_maker else {}
    return {container_unit(name): _unit(name, container, running), **network, **checks}


def of_all(names: Iterable[str], *, has_rules: bool) -> dict[str, str]:
    """The units of all containers of a system together, by name.

    Args:
        names: of the containers.
        has_rules: whether there is a table of rules, because a network is private.
    """
    wanted = [*map(container_unit, sorted(names)), *([f"{NAMES}.path"] if has_rules else [])]
    wants = [f"Wants={unit}" for unit in wanted]
    found = {
        TARGET: _text("Containers", wants, []),
        IMAGES: _text(
            "Images of containers",
            ["RequiresMountsFor=/run/reconix/system"],
            ["[Service]", *_once("images")],
        ),
    }
    return {**found, **_of_networks()} if has_rules else found


def _unit(name: str, container: Container, running: Running) -> str:
    return _text(
        f"Container {name}",
        [
            f"PartOf={TARGET}",
            *_after(IMAGES),
            "After=network.target",
            *_order(container, running.net),
            *([f"Wants={_timer_name(name)}"] if running.health else []),
            "StartLimitIntervalSec=0",
        ],
        [
            "[Service]",
            "Type=forking",
            f"PIDFile={RUN}/{name}/pid",
            f"ExecStart={_SCRIPT} start {name}",
            f"ExecStop={_SCRIPT} stop {name}",
            f"ExecStopPost={_SCRIPT} clean {name}",
            "PrivateMounts=yes",
            f"RuntimeDirectory={RUN.removeprefix('/run/')}/{name}",
            "RuntimeDirectoryMode=0711",
            "KillMode=mixed",
            f"KillSignal={running.stop_signal}",
            f"TimeoutStartSec={_FILLING_SECONDS}s",
            f"TimeoutStopSec={STOP_SECONDS + _MORE_THAN_STOP_SECONDS}s",
            f"SuccessExitStatus={_ENDED_BY_SIGNAL} {_ENDED_BY_FORCE}",
            *_restarts(container),
            f"RestartSec={_RESTART_SECONDS}s",
            f"SyslogIdentifier={name}",
            "Delegate=yes",
            f"LimitNOFILE={_FILES}",
            "LimitCORE=0",
            *_limits(container),
            *_credentials(container, running.secrets),
        ],
    )


def _restarts(container: Container) -> Iterator[str]:
    """Who is ended by force and was not to be stopped has failed all the same."""
    yield f"Restart={container.restart.value}"
    if container.restart is not Restart.NO:
        yield f"RestartForceExitStatus={_ENDED_BY_FORCE}"


def _order(container: Container, net: ContainerNet) -> Iterator[str]:
    if net.namespace:
        yield from _after(_network_name(net.maker))
    if container.joins is not None:
        joined = container_unit(container.joins)
        yield from (f"Wants={joined}", f"After={joined}")
    for each in container.after:
        yield from (f"Wants={each}", f"After={each}")


def _limits(container: Container) -> Iterator[str]:
    """Memory of a container does not go to swap instead: the limit is one of both."""
    if container.memory is not None:
        yield from (f"MemoryMax={container.memory}", "MemorySwapMax=0")
    if container.cpu is not None:
        yield f"CPUQuota={container.cpu}%"
    if container.tasks is not None:
        yield f"TasksMax={container.tasks}"


def _credentials(container: Container, secrets: Mapping[str, Secret]) -> Iterator[str]:
    """As other units get theirs (``build/units/credentials.py``)."""
    for name in sorted(set(container.secrets)):
        required = name not in secrets or secrets[name].required
        source = str(Paths().secrets / name) if required else f"reconix-{name}"
        yield f"LoadCredential={name}:{source}"


def _network_name(name: str) -> str:
    return f"container-{name}-network.service"


def _network_unit(name: str, net: ContainerNet) -> str:
    """Without rules a private network is none: it would be open, or lead nowhere."""
    return _text(
        f"Network of the container {name}",
        [*(_after(RULES) if net.kind is Kind.PRIVATE else []), "StopWhenUnneeded=yes"],
        ["[Service]", *_once("connect", name), f"ExecStop={_SCRIPT} disconnect {name}"],
    )


def _of_networks() -> dict[str, str]:
    """A firewall that is loaded again flushes all tables; the rules are loaded again with it."""
    firewall = "nftables.service"
    return {
        RULES: _text(
            "Rules for the networks of containers",
            [f"After={firewall}", f"PartOf={firewall}", f"ReloadPropagatedFrom={firewall}"],
            [
                "[Service]",
                *_once("network"),
                f"ExecReload={_SCRIPT} network",
                f"ExecStop={_SCRIPT} quiet",
            ],
        ),
        f"{NAMES}.path": _text(
            "Servers that resolve names for containers",
            [f"PartOf={TARGET}", f"Before={TARGET}"],
            ["[Path]", f"PathChanged={_SERVERS}"],
        ),
        f"{NAMES}.service": _text(
            "Tell containers which servers resolve names",
            [],
            ["[Service]", "Type=oneshot", f"ExecStart={_SCRIPT} names"],
        ),
    }


def _timer_name(name: str) -> str:
    return f"container-{name}-health.timer"


def _health_units(name: str, health: HealthCheck) -> dict[str, str]:
    own = container_unit(name)
    interval = f"{health.interval_seconds:g}s"
    return {
        f"container-{name}-health.service": _text(
            f"Whether the container {name} works",
            [f"Requisite={own}", f"After={own}", "StartLimitIntervalSec=0"],
            [
                "[Service]",
                "Type=oneshot",
                f"ExecStart={_SCRIPT} health {name}",
                f"TimeoutStartSec={health.timeout_seconds + _MORE_THAN_TIMEOUT_SECONDS:g}s",
                f"SyslogIdentifier={name}",
            ],
        ),
        _timer_name(name): _text(
            f"Check again and again whether the container {name} works",
            [f"BindsTo={own}", f"After={own}"],
            [
                "[Timer]",
                f"OnActiveSec={interval}",
                f"OnUnitInactiveSec={interval}",
                "AccuracySec=100ms",
            ],
        ),
    }


def _after(unit: str) -> list[str]:
    return [f"Requires={unit}", f"After={unit}"]


def _once(*work: str) -> list[str]:
    """What is done once, and counts until the unit is stopped."""
    return ["Type=oneshot", "RemainAfterExit=yes", f"ExecStart={' '.join((_SCRIPT, *work))}"]


def _text(description: str, order: Iterable[str], section: Iterable[str]) -> str:
    lines = ["[Unit]", f"Description={description}", *order]
    return "".join(f"{line}\n" for line in [*lines, *(["", *section] if section else [])])
