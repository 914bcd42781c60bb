"""The units that each system of a machine has, because there is an agent.

Tested by ``tests/unit/build/units/test_machine_units.py``.
"""

from reconix.build.agent import units as agent_units
from reconix.build.agent.units import AGENT
from reconix.build.templates import fill
from reconix.build.units import schedule_timers
from reconix.config.schema.machine import Disk, Machine

_MIB = 1 << 20


def units(machine: Machine) -> dict[str, str]:
    """The units by name."""
    return {
        **agent_units.units(),
        **schedule_timers.units(machine.schedule),
        **scrub_units(machine.disk),
        **growth_units(machine.disk),
    }


def growth_units(disk: Disk) -> dict[str, str]:
    """What lets data grow; nothing if it has a size."""
    name = "reconix-grow.service"
    return {name: fill(f"units/{name}", agent=AGENT)} if disk.data_grows else {}


def scrub_units(disk: Disk) -> dict[str, str]:
    """What reads on each hour in what is installed; nothing if nothing is to be read."""
    if not disk.scrub:
        return {}
    most = str(-(-disk.scrub // _MIB))
    return {
        "reconix-scrub.service": fill("units/reconix-scrub.service", agent=AGENT, most=most),
        "reconix-scrub.timer": fill("units/reconix-scrub.timer"),
    }
