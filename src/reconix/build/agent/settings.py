"""What a system tells its agent: the settings beside the links of a toplevel.

The formats and their parsers are the agent's (``device/settings``), which prints them as well; here
its values are made from the configuration.

Tested by ``tests/unit/build/test_toplevel.py``.
"""

from typing import assert_never

from reconix.config.schema import machine
from reconix.config.schema.containers import container_unit
from reconix.config.schema.health import (
    Check,
    CommandCheck,
    ContainerCheck,
    FailedUnitsCheck,
    FileCheck,
    FreeCheck,
    HttpCheck,
    TcpCheck,
    UnitCheck,
)
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.schema.values import OneShot
from reconix.device.settings import health, policy, schedule, secrets
from reconix.device.settings.health import Health
from reconix.device.settings.policy import Policy
from reconix.device.settings.schedule import Hours, Schedule
from reconix.device.settings.secrets import AskedSecret


def files(host: Host, name: str) -> dict[str, bytes]:
    """The files of one system, by name."""
    system, plan = host.systems[name], host.machine.schedule
    found = {
        health.NAME: health.print_health(health_of(system)),
        policy.NAME: policy.print_policy(policy_of(system, host.machine.boot)),
    }
    if asked := secrets_of(system):
        found[secrets.NAME] = secrets.print_secrets(asked)
    if plan.is_set:
        found[schedule.NAME] = schedule.print_schedule(schedule_of(plan, host.machine.boot.default))
    return found


def policy_of(system: System, boot: machine.Boot) -> Policy:
    """How a system takes updates."""
    return Policy(
        receive=system.update.receive,
        trial_timeout_seconds=system.update.trial_timeout,
        trial_attempts=system.update.trial_attempts,
        always_attempts=system.update.always_attempts,
        automatic=system.update.automatic,
        needs_firmware=boot.one_shot is not OneShot.DISK,
        window=system.update.window or "",
        untouched=policy.Untouched(system.update.untouched.value),
        strict_minify=system.minify.is_trapped and system.minify.strict,
        firmware=boot.firmware,
    )


def secrets_of(system: System) -> list[AskedSecret]:
    """The secrets that a system asks for."""
    return [
        AskedSecret(name, tuple(dict.fromkeys(_readers(system, name))), secret.required)
        for name, secret in sorted(system.secrets.items())
    ]


def _readers(system: System, name: str) -> tuple[str, ...]:
    """The units that read a secret: those that it names, and containers that name it."""
    return (*system.secrets[name].units, *map(container_unit, system.containers_that_read(name)))


def schedule_of(plan: machine.Schedule, default: str) -> Schedule:
    """The schedule of a host, in minutes of the week.

    Args:
        plan: as configured.
        default: the default system of the host.
    """
    hours = tuple(
        Hours(each.system, begin, end) for each in plan.hours for begin, end in each.spans()
    )
    return Schedule(hours, plan.otherwise or default, default, plan.confirm_within)


def health_of(system: System) -> Health:
    """What a trial of a system must pass."""
    checks = [health.Check(_condition(check), check.timeout) for check in system.health.checks]
    named = {check.condition for check in checks}
    others = map(health.ContainerWorks, system.checked_containers)
    checks += (health.Check(each) for each in others if each not in named)
    return Health(
        system.health.timeout,
        (health.STARTED, *checks),
        stable_seconds=system.health.stable,
        retries=system.health.retries,
    )


def _condition(check: Check) -> health.Condition:
    match check:
        case UnitCheck():
            return health.UnitActive(check.unit)
        case FailedUnitsCheck():
            return health.FewUnitsFailed(check.failed_units)
        case TcpCheck():
            return health.PortAnswers(check.tcp)
        case HttpCheck():
            return health.PageAnswers(check.http, check.path, check.status)
        case CommandCheck():
            return health.CommandSucceeds(check.command)
        case FileCheck():
            return health.FileIsFresh(check.file, check.max_age)
        case FreeCheck():
            return health.SpaceIsFree(check.free, check.at_least)
        case ContainerCheck():
            return health.ContainerWorks(check.container)
        case _:
            assert_never(check)
