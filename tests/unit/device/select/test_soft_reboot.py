"""A system takes over without a restart, and nothing of that outlives the next boot."""

from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.project_files import enough
from tests.unit.device.conftest import Units

from reconix.base.documents import JsonInput
from reconix.base.process import CommandFailed
from reconix.boot.trial import OnTrial
from reconix.device.select.choose import Reboot, choose_always, choose_once, writes
from reconix.device.select.soft_reboot import obstacle, soft_reboot
from reconix.device.select.start import Started, start
from reconix.device.select.watch import mark_bad, watch
from reconix.device.state.events import read_events
from reconix.device.state.lock import exclusive, exclusive_rw
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.apply import apply
from reconix.device.update.untouched import adopt
from reconix.store.tree import File, Folder, folder

ETC = {"default": folder({}), "mqtt": folder({})}
BROKEN: JsonInput = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}


def machine_with(
    machine: Machine, *, etc: dict[str, Folder] = ETC, health: JsonInput | None = None
) -> Machine:
    """The device, running the default system of a generation whose systems can take over."""
    systemd = machine.paths.root / "usr/lib/systemd/system"
    systemd.mkdir(parents=True)
    (systemd / "soft-reboot.target").touch()
    if health is None:
        machine.generation("two", etc=etc)
    else:
        machine.generation("two", etc=etc, health=health)
    machine.boot()
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    assert watch(machine.device)
    assert machine.boot().booted.generation == machine.generations["two"]
    return machine


def take_over(machine: Machine, system: str) -> Started:
    """Do what systemd and the last program of the old system do; then the agent begins."""
    paths = machine.paths
    generation = machine.read(machine.generations["two"])
    soft_reboot(paths, generation.system(system))
    toplevel, images, end = paths.next_system.read_text().split("\n")
    assert (images.split(","), end) == (
        [each.hex() for each in generation.system(system).images],
        "",
    )
    root_is(machine, toplevel)
    paths.soft_reboot_target.write_text(f"{toplevel}\n")
    paths.soft_reboots.write_text(f"{machine_switches(machine) + 1}\n")
    for path in (paths.next_system, paths.booted, paths.run / "booted", paths.is_unproven):
        path.unlink(missing_ok=True)
    return start(machine.device)


def machine_switches(machine: Machine) -> int:
    place = machine.paths.soft_reboots
    return int(place.read_text()) if place.exists() else 0


def root_is(machine: Machine, toplevel: str) -> None:
    link = machine.paths.running
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(toplevel)


def restarted(machine: Machine) -> Started:
    """An ordinary boot: the root of before is gone."""
    machine.paths.running.unlink(missing_ok=True)
    return machine.boot()


def test_a_system_takes_over_and_the_next_boot_is_an_ordinary_one(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    boot_id = machine.paths.boot_id.read_text()
    assert obstacle(machine.device, "mqtt") is None
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt", Reboot.SOFT)
    started = take_over(machine, "mqtt")
    assert "soft-reboot" in units.calls
    assert (started.booted.system, started.booted.soft_reboots) == ("mqtt", 1)
    assert machine.paths.boot_id.read_text() == boot_id
    assert any("mqtt" in line and "soft reboot 1" in line for line in lines(machine))
    assert start(machine.device).booted == started.booted
    assert restarted(machine).booted.system == "default"


def lines(machine: Machine) -> list[str]:
    return status_lines(read_status(machine.device))


def test_a_system_of_a_generation_that_did_not_touch_what_runs_takes_over(
    machine: Machine, units: Units
) -> None:
    """The firmware still says that it was the other slot that was booted."""
    machine_with(machine)
    policy = TrustPolicy(require_signature=False)
    three = machine.generation("three", etc=ETC, only=[], like="two", policy=policy)
    machine.install("three")
    with exclusive_rw(machine.paths):
        assert adopt(machine.device, three) is not None
    assert obstacle(machine.device, "mqtt") is None
    started = take_over(machine, "mqtt")
    assert (started.booted.generation, started.booted.slot) == (three, machine.selected)
    assert watch(machine.device)
    assert restarted(machine).booted.generation == three


def test_each_switch_is_counted_and_a_system_may_follow_itself(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    for number, system in enumerate(("mqtt", "default", "default"), 1):
        booted = take_over(machine, system).booted
        assert (booted.system, booted.soft_reboots) == (system, number)


def test_a_healthy_system_stays(machine: Machine, units: Units) -> None:
    machine_with(machine)
    take_over(machine, "mqtt")
    assert machine.paths.is_unproven.exists()
    assert watch(machine.device)
    assert not machine.paths.soft_reboot_target.exists()


def test_one_that_is_not_healthy_is_left_by_a_restart_and_that_is_recorded(
    machine: Machine, units: Units
) -> None:
    units.activate("multi-user.target", "nginx.service")
    machine_with(machine, health=BROKEN)
    units.activate("multi-user.target")
    take_over(machine, "mqtt")
    assert not watch(machine.device)
    last = read_events(machine.paths.log)[-1]
    assert (last.name, "nginx.service" in last.text) == ("system-unhealthy", True)
    assert restarted(machine).booted.system == "default"


def test_an_agent_that_fails_in_it_is_recorded(machine: Machine, units: Units) -> None:
    machine_with(machine)
    take_over(machine, "mqtt")
    mark_bad(machine.device, "the agent failed")
    last = read_events(machine.paths.log)[-1]
    assert (last.name, "the agent failed" in last.text) == ("system-unhealthy", True)


def test_a_switch_that_ends_where_it_began_is_noticed(machine: Machine, units: Units) -> None:
    machine_with(machine)
    running = str(machine.paths.booted.read_bytes())
    assert "system-default" in running
    mqtt = machine.read(machine.generations["two"]).system("mqtt").toplevel
    machine.paths.soft_reboot_target.write_text(f"{mqtt}\n")
    machine.paths.booted.unlink()
    started = start(machine.device)
    assert (started.booted.system, started.restart) == ("default", True)
    failed = read_events(machine.paths.log)[-1]
    assert (failed.name, failed.text) == ("switch-failed", f"{mqtt} did not come up")


def test_always_by_a_switch_is_asked_of_the_firmware_only_when_it_is_healthy(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt", Reboot.SOFT)
    take_over(machine, "mqtt")
    assert machine.device.firmware.asked_for() is None
    assert watch(machine.device)
    assert restarted(machine).booted.system == "mqtt"


def test_a_switch_for_once_does_not_end_what_is_wanted_always(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    assert machine.boot().booted.system == "mqtt"
    assert watch(machine.device)
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "default", Reboot.SOFT)
    assert take_over(machine, "default").booted.system == "default"
    assert restarted(machine).booted.system == "mqtt"


def test_what_was_asked_of_the_firmware_before_is_taken_back(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
        choose_once(machine.device, "mqtt", Reboot.SOFT)
    assert machine.device.firmware.asked_for() is None


def test_settings_that_a_kernel_keeps_need_a_restart(machine: Machine, units: Units) -> None:
    other = folder({"sysctl.d/90-reconix.conf": File(b"vm.swappiness = 1\n")})
    machine_with(machine, etc={**ETC, "mqtt": other})
    assert obstacle(machine.device, "mqtt") == "mqtt has different settings that a kernel keeps"
    assert obstacle(machine.device, "default") is None


def test_another_kernel_needs_a_restart(machine: Machine, units: Units) -> None:
    machine_with(machine)
    one = machine.read(machine.generations["one"]).system("default").toplevel
    (machine.paths.proc / "cmdline").write_text(f"init={one}/init gpt\n")
    assert "cannot compare it" in str(obstacle(machine.device, "mqtt"))
    machine.generation("three", etc=ETC)
    machine.install("three")
    three = machine.read(machine.generations["three"]).system("default").toplevel
    (machine.paths.proc / "cmdline").write_text(f"init={three}/init gpt\n")
    assert "a different kernel" in str(obstacle(machine.device, "mqtt"))


def test_a_system_without_an_agent_that_can_take_over_needs_a_restart(
    machine: Machine, units: Units
) -> None:
    machine_with(machine, etc={"default": folder({})})
    assert "cannot compare it" in str(obstacle(machine.device, "mqtt"))


def test_a_systemd_that_knows_no_soft_reboot_is_restarted(machine: Machine, units: Units) -> None:
    machine_with(machine)
    (machine.paths.root / "usr/lib/systemd/system/soft-reboot.target").unlink()
    assert obstacle(machine.device, "mqtt") == "systemd cannot do a soft reboot"


def test_no_trial_begins_or_ends_with_a_switch(machine: Machine, units: Units) -> None:
    machine_with(machine)
    machine.generation("three", etc=ETC)
    machine.install("three")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["three"])
        with pytest.raises(OnTrial):
            choose_once(machine.device, "mqtt", Reboot.SOFT)


def test_a_switch_that_systemd_refuses_leaves_nothing(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(machine)
    program = machine.place / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    mqtt = machine.read(machine.generations["two"]).system("mqtt")
    with pytest.raises(CommandFailed):
        soft_reboot(machine.paths, mqtt)
    assert not machine.paths.next_system.exists()


def test_a_switch_writes_nothing_to_the_disk(machine: Machine, units: Units) -> None:
    machine_with(machine)
    before = _written(machine.paths.system)
    assert not writes(machine.device, Reboot.SOFT)
    with exclusive(machine.paths):
        choose_once(machine.device, "mqtt", Reboot.SOFT)
    assert take_over(machine, "mqtt").booted.system == "mqtt"
    assert machine.paths.is_chosen.exists(), "and yet it is known that somebody asked for it"
    assert watch(machine.device)
    assert _written(machine.paths.system) == before


def _written(folder: Path) -> dict[Path, int]:
    found = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    return enough(found, at_least=10, what="files and folders")
