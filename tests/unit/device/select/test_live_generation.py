"""An installed generation runs until the next boot, and nothing on the disk says so."""

import json
from pathlib import Path

import pytest
from tests.device_model import MIB, SYSTEMS, Machine
from tests.unit.device.conftest import Units
from tests.unit.device.select.test_soft_reboot import ETC, machine_with, restarted, root_is

from reconix.base.documents import JsonInput
from reconix.base.process import CommandFailed
from reconix.boot.trial import OnTrial, Phase
from reconix.device.__main__ import main
from reconix.device.select.live_generation import NotLive, live_system
from reconix.device.select.start import Started, start
from reconix.device.select.watch import watch
from reconix.device.settings.policy import Policy, print_policy
from reconix.device.state.events import read_events
from reconix.device.state.live_note import read_live
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import BootReason
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.apply import apply
from reconix.device.update.collect import collect
from reconix.device.update.receive import UpdatesForbidden
from reconix.device.update.untouched import adopt
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node

BROKEN: JsonInput = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}


def other(machine: Machine, name: str = "three", **files: bytes) -> StorePath:
    """An installed generation whose systems are others under the same kernel."""
    extra: dict[str, Node] = {each.replace("_", "."): File(text) for each, text in files.items()}
    extra["name"] = File(name.encode())
    made = machine.generation(name, etc=ETC, only=[], like="two", extra=extra)
    machine.install(name)
    return made


def go_live(machine: Machine, path: StorePath) -> Started:
    """The command, then what systemd and the scripts do, then the agent of the new root."""
    assert main(["live", str(path)], machine.device) == 0
    return taken_over(machine)


def taken_over(machine: Machine) -> Started:
    paths = machine.paths
    toplevel = paths.next_system.read_text().splitlines()[0]
    root_is(machine, toplevel)
    paths.soft_reboot_target.write_text(f"{toplevel}\n")
    paths.soft_reboots.write_text("1\n")
    for path in (paths.next_system, paths.booted, paths.run / "booted", paths.is_unproven):
        path.unlink(missing_ok=True)
    return start(machine.device)


def powered_off(machine: Machine) -> Started:
    """Another boot; what is in memory is gone."""
    machine.paths.live.unlink(missing_ok=True)
    return restarted(machine)


def disk(machine: Machine) -> dict[Path, bytes]:
    """What the agent remembers on the disk, and the table that selects."""
    home = machine.paths.home
    found = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    table = machine.place / "disk"
    return {**found, table: table.read_bytes()[:MIB]}


def test_it_runs_until_the_next_boot_and_leaves_nothing_on_the_disk(
    machine: Machine, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(machine)
    three = other(machine)
    before = disk(machine)
    booted = go_live(machine, three).booted
    assert "soft-reboot" in units.calls and "until the next boot" in capsys.readouterr().out
    assert (booted.generation, booted.system, booted.reason) == (three, "default", BootReason.LIVE)
    assert booted.toplevel == machine.read(three).system("default").toplevel
    assert watch(machine.device)
    assert disk(machine) == before
    after = powered_off(machine).booted
    assert (after.generation, after.reason) == (machine.generations["two"], BootReason.COMMITTED)
    assert disk(machine) == before


def test_status_tells_that_it_is_live_and_whether_it_has_shown_that_it_works(
    machine: Machine, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(machine)
    three = other(machine)
    go_live(machine, three)
    lines = status_lines(read_status(machine.device))
    assert "           because: it is live until the next boot, and not committed" in lines
    assert any(f"slot 2, {three}, soft reboot 1" in line for line in lines)
    assert _status(machine, capsys)["unproven"]
    assert watch(machine.device)
    said = _status(machine, capsys)
    assert not said["unproven"] and said["booted"]["why"] == "live"
    assert said["booted"]["generation"] == str(three)
    assert said["committed"]["generation"] == str(machine.generations["two"])


def _status(machine: Machine, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert main(["status", "--json"], machine.device) == 0
    found: dict[str, dict[str, str]] = json.loads(capsys.readouterr().out)
    return found


def test_one_live_generation_follows_another_and_a_system_of_the_committed_one_ends_it(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    go_live(machine, other(machine, "three"))
    four = other(machine, "four")
    assert go_live(machine, four).booted.generation == four
    assert read_live(machine.paths) == four
    assert main(["boot", "mqtt", "--now"], machine.device) == 0
    booted = taken_over(machine).booted
    assert (booted.system, booted.reason) == ("mqtt", BootReason.SOFT_REBOOT)
    assert booted.generation == machine.generations["two"]
    assert read_live(machine.paths) is None


def test_one_that_is_not_healthy_is_left_by_a_restart(machine: Machine, units: Units) -> None:
    machine_with(machine)
    units.activate("multi-user.target")
    three = machine.generation("three", etc=ETC, only=SYSTEMS, health=BROKEN, like="two")
    machine.install("three")
    _same_kernel(machine, three)
    go_live(machine, three)
    assert not watch(machine.device)
    last = read_events(machine.paths.log)[-1]
    assert (last.name, "nginx.service" in last.text) == ("system-unhealthy", True)
    assert powered_off(machine).booted.generation == machine.generations["two"]
    left = read_status(machine.device).choice.left
    assert left is not None and left.system == "default"


def _same_kernel(machine: Machine, path: StorePath) -> None:
    """Let the kernel of a generation be the one that runs."""
    toplevel = machine.read(path).system("default").toplevel
    (machine.paths.proc / "cmdline").write_text(f"init={toplevel}/init gpt\n")


def test_an_update_is_tried_by_a_restart_even_if_it_would_touch_nothing(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    go_live(machine, other(machine))
    policy = TrustPolicy(require_signature=False)
    four = machine.generation("four", etc=ETC, only=[], like="two", policy=policy)
    machine.install("four")
    with exclusive_rw(machine.paths):
        assert adopt(machine.device, four) is None
        assert apply(machine.device, four) is not None
    assert machine.device.recall().phase is Phase.ARMED


def test_it_can_be_kept_by_an_ordinary_update(machine: Machine, units: Units) -> None:
    machine_with(machine)
    three = other(machine)
    go_live(machine, three)
    assert main(["apply", str(three)], machine.device) == 0
    assert powered_off(machine).booted.reason is BootReason.TRIAL
    assert watch(machine.device)
    assert machine.device.recall().committed.generation == str(three)


def test_it_is_not_collected_while_it_runs(machine: Machine, units: Units) -> None:
    machine_with(machine)
    three, four = other(machine, "three"), other(machine, "four")
    go_live(machine, three)
    with exclusive_rw(machine.paths):
        collect(machine.device, machine.device.recall())
    assert three in machine.device.installed() and four not in machine.device.installed()
    powered_off(machine)
    with exclusive_rw(machine.paths):
        collect(machine.device, machine.device.recall())
    assert three not in machine.device.installed()


def test_another_kernel_is_refused(machine: Machine, units: Units) -> None:
    machine_with(machine)
    three = machine.generation("three", etc=ETC)
    machine.install("three")
    with pytest.raises(NotLive, match="a different kernel"):
        live_system(machine.device, three)
    assert "soft-reboot" not in units.calls and read_live(machine.paths) is None


def test_during_a_trial_it_is_refused(machine: Machine, units: Units) -> None:
    machine_with(machine)
    three, four = other(machine, "three"), other(machine, "four")
    with exclusive_rw(machine.paths):
        apply(machine.device, three)
    with pytest.raises(OnTrial):
        live_system(machine.device, four)


def test_where_updates_are_forbidden_it_is_refused(machine: Machine, units: Units) -> None:
    machine_with(machine)
    three = other(machine, update_json=print_policy(Policy(receive=False)))
    four = other(machine, "four")
    go_live(machine, three)
    with pytest.raises(UpdatesForbidden):
        live_system(machine.device, four)


def test_what_was_taken_without_a_signature_is_refused_where_one_is_required(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    three = other(machine)
    assert live_system(machine.device, three).name == "default"
    strict = TrustPolicy(require_signature=True)
    four = machine.generation("four", etc=ETC, only=[], like="two", policy=strict)
    machine.install("four")
    with exclusive_rw(machine.paths):
        assert adopt(machine.device, four) is not None
    other(machine, "three")
    with pytest.raises(NotLive, match="without a signature"):
        live_system(machine.device, three)


def test_a_soft_reboot_that_systemd_refuses_leaves_what_was_live(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(machine)
    three, four = other(machine, "three"), other(machine, "four")
    go_live(machine, three)
    program = machine.place / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert main(["live", str(four)], machine.device) == CommandFailed.exit_code
    assert read_live(machine.paths) == three and not machine.paths.next_system.exists()


def test_a_note_of_nothing_that_is_there_is_no_live_generation(
    machine: Machine, units: Units
) -> None:
    machine_with(machine)
    machine.paths.live.write_text("no path\n")
    assert read_live(machine.paths) is None
    machine.paths.live.write_text(f"{StorePath('0' * 32, 'generation-gateway')}\n")
    assert machine.boot().booted.reason is BootReason.COMMITTED
