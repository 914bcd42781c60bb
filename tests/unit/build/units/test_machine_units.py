"""The units of a machine, by what its configuration says."""

from reconix.build.units.machine_units import growth_units, scrub_units, units
from reconix.config.schema.machine import Disk, Machine
from reconix.config.schema.values import REST


def test_a_device_reads_on_each_hour_beside_everything_else() -> None:
    made = scrub_units(Disk(scrub=(3 << 20) + 1))
    service = made["reconix-scrub.service"]
    assert "scrub --at-most 4\n" in service and "ExecStart=-/" in service
    assert "Nice=19\n" in service and "IOSchedulingClass=idle\n" in service
    assert "OnUnitInactiveSec=1h\n" in made["reconix-scrub.timer"]


def test_nothing_is_read_if_the_configuration_says_so() -> None:
    assert scrub_units(Disk(scrub=0)) == {}


def test_a_machine_has_the_units_of_its_agent_and_reads_on_by_default() -> None:
    assert {"reconix-start.service", "reconix-scrub.timer"} <= units(Machine()).keys()
    assert "reconix-schedule.timer" not in units(Machine())


def test_data_grows_if_it_has_no_size_and_nobody_waits_for_it() -> None:
    assert growth_units(Disk()) == {}
    service = growth_units(Disk(data_size=REST))["reconix-grow.service"]
    assert " grow\n" in service and "ExecStart=-/" in service and "Type=exec\n" in service
