"""Containers are changed while their system goes on, or are as they were."""

from dataclasses import replace

import pytest
from tests.device_model import Machine
from tests.live_containers import BEGIN, LONG, changed, made, with_containers
from tests.unit.device.conftest import Units

from reconix.boot.trial import Phase, Reason, State, read_state
from reconix.containers.runtime import units as made_units
from reconix.device.__main__ import main
from reconix.device.select.start import start
from reconix.device.settings.containers import NAMES, RULES
from reconix.device.state.current_containers import current, read_more_images
from reconix.device.state.ledger import read_ledger
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import read_running, read_toplevel
from reconix.device.update.live import ContainersNotKept, change_containers
from reconix.device.update.rollback import RolledBack, rollback
from reconix.device.update.untouched import adopt
from reconix.store.paths import StorePath
from reconix.store.tree import File

NEW = ("broker 2", "logger 1", "cache 1")
"""One changed, one as it was, one gone, one new."""


@pytest.fixture
def device(machine: Machine, units: Units) -> Machine:
    return with_containers(machine, units)


def change(machine: Machine, path: StorePath) -> State | None:
    with exclusive_rw(machine.paths):
        return change_containers(machine.device, path)


def asked(units: Units, *verbs: str) -> list[str]:
    """What systemd was asked to do, without questions."""
    return [call for call in units.calls if call.split()[0] in verbs]


VERBS = ("stop", "start", "daemon-reload", "reload-or-restart", "nsenter", "reboot")


def test_what_has_changed_is_stopped_and_started_and_the_generation_is_committed(
    device: Machine, units: Units
) -> None:
    before, three = read_running(device.paths.booted), changed(device, "three", *NEW)
    begun = len(units.calls)
    state = change(device, three)
    assert state is not None and state == read_state(device.paths.state)
    assert (state.phase, state.committed.generation) == (Phase.IDLE, str(three))
    assert (state.previous, state.untried) == (str(device.generations["base"]), ())
    done = [call for call in units.calls[begun:] if call.split()[0] in VERBS]
    assert done == [
        "nsenter --mount=/proc/1/ns/mnt -- /bin/sh /nix/system/agent/container images",
        "stop container-broker.service container-web.service",
        "daemon-reload",
        "start container-broker.service container-cache.service",
    ]
    ours = device.read(three).system("default")
    assert read_running(device.paths.booted) == replace(
        before, slot=device.selected, generation=three, toplevel=ours.toplevel
    )
    assert read_toplevel(device.paths) == ours.toplevel
    assert start(device.device).booted.toplevel == ours.toplevel
    assert device.boot().booted.toplevel == ours.toplevel


def test_systemd_reads_no_units_that_it_knows(device: Machine, units: Units) -> None:
    """That takes its time, and a container is away meanwhile."""
    change(device, changed(device, "three", "broker 2", *BEGIN[1:], units="1"))
    assert asked(units, *VERBS)[-2:] == [
        f"{verb} container-broker.service" for verb in ("stop", "start")
    ]
    assert current(device.paths) == made(device.store, ("broker 2", *BEGIN[1:]), units="1")


def test_what_the_scripts_read_is_the_new_object(device: Machine, units: Units) -> None:
    three = changed(device, "three", *NEW)
    change(device, three)
    link = device.paths.changed_containers
    assert current(device.paths) == made(device.store, NEW)
    assert (link / "units/container-broker.service").read_text() == "# 2\n"
    assert (link / "broker/config.json").read_bytes() == LONG + b"2"
    known = set(device.read(device.generations["base"]).system("default").images)
    images = set(device.read(three).system("default").images)
    assert set(read_more_images(device.paths)) == images - known


def test_containers_that_join_the_network_of_one_that_changes_are_started_again(
    machine: Machine, units: Units
) -> None:
    device = with_containers(machine, units, ["broker 1", "logger 1 with:broker", "web 1"])
    change(device, changed(device, "three", "broker 2", "logger 1 with:broker", "web 1"))
    assert asked(units, "stop") == ["stop container-broker.service container-logger.service"]


def test_rules_of_networks_are_replaced_and_end_before_their_unit_is_gone(
    device: Machine, units: Units
) -> None:
    begun = len(units.calls)
    change(device, changed(device, "three", *NEW, rules=True))
    change(device, changed(device, "four", "broker 2", "logger 1"))
    done = [call for call in units.calls[begun:] if call.split()[0] in VERBS[:4]]
    assert done == [
        "stop container-broker.service container-web.service",
        "daemon-reload",
        "reload-or-restart reconix-container-network.service",
        "start container-broker.service container-cache.service reconix-container-names.path",
        "stop container-cache.service reconix-container-network.service "
        "reconix-container-names.path",
        "daemon-reload",
    ]


def test_units_of_networks_are_called_as_a_build_calls_them() -> None:
    assert (made_units.RULES, f"{made_units.NAMES}.path") == (RULES, NAMES)


def test_the_network_of_a_container_that_changes_is_made_anew(
    machine: Machine, units: Units
) -> None:
    device = with_containers(machine, units, ["broker 1 none", "logger 1 none", "web 1"])
    change(device, changed(device, "three", "broker 2 none", "logger 1 none", "web 1"))
    (stopped,) = asked(units, "stop")
    assert stopped == "stop container-broker.service container-broker-network.service"


def test_one_change_follows_another_and_one_that_touches_nothing(
    device: Machine, units: Units
) -> None:
    change(device, changed(device, "three", *NEW))
    four = changed(device, "four", *NEW, "more 1")
    assert change(device, four) is not None
    assert "container-more.service" in units.running
    objects = {"default": made(device.store, [*NEW, "more 1"])}
    five = device.generation("five", only=["mqtt"], like="base", containers=objects)
    device.install("five")
    with exclusive_rw(device.paths):
        state = adopt(device.device, five)
    assert state is not None and state.untried == ("mqtt",)
    toplevel = device.read(five).system("default").toplevel
    assert read_toplevel(device.paths) == read_running(device.paths.booted).toplevel == toplevel


def test_repeated_it_does_nothing(device: Machine, units: Units) -> None:
    three = changed(device, "three", *NEW)
    change(device, three)
    calls = asked(units, *VERBS)
    assert change(device, three) is None
    assert asked(units, *VERBS) == calls


# -- what is not kept ------------------------------------------------------------------------------


def assert_as_before(device: Machine, units: Units) -> None:
    state = read_state(device.paths.state)
    assert state.committed.generation == str(device.generations["base"])
    assert (state.phase, device.selected) == (Phase.IDLE, state.committed.slot)
    names = [each.split()[0] for each in BEGIN]
    assert units.running == {"multi-user.target", *(f"container-{name}.service" for name in names)}
    assert current(device.paths) in (None, made(device.store, BEGIN))
    assert read_more_images(device.paths) == ()
    assert device.boot().booted.generation == device.generations["base"]


def test_one_that_does_not_start_is_not_kept(device: Machine, units: Units) -> None:
    three = changed(device, "three", *NEW)
    units.break_down("container-cache.service")
    with pytest.raises(ContainersNotKept, match="systemctl start"):
        change(device, three)
    last = read_state(device.paths.state).last
    assert last is not None and last.verdict is not None
    assert (last.generation, last.verdict.reason) == (str(three), Reason.UNHEALTHY)
    left = read_ledger(device.paths.ledger).left_of(str(three))
    assert left is not None and left.reason is Reason.UNHEALTHY
    assert_as_before(device, units)


def test_if_an_image_cannot_be_mounted_nothing_is_stopped(device: Machine, units: Units) -> None:
    three, begun = changed(device, "three", *NEW), len(asked(units, *VERBS))
    (units.place / "nsenter").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ContainersNotKept, match="nsenter") as failure:
        change(device, three)
    assert failure.value.are_back
    assert asked(units, *VERBS)[begun:] == []
    assert_as_before(device, units)


def test_one_that_is_not_healthy_is_not_kept(device: Machine, units: Units) -> None:
    broken = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}
    three = changed(device, "three", *NEW, stricter=broken)
    with pytest.raises(ContainersNotKept, match=r"unit nginx\.service is active"):
        change(device, three)
    last = read_state(device.paths.state).last
    assert last is not None and last.verdict is not None
    assert last.verdict.output == "nginx.service is broken: no such page"
    assert_as_before(device, units)


def test_one_that_has_ended_stays_ended(device: Machine, units: Units) -> None:
    """As one that runs once, or was stopped by somebody."""
    units.activate("multi-user.target", "container-broker.service")
    change(device, changed(device, "three", *NEW))
    names = {"container-broker.service", "container-cache.service"}
    assert units.running == {"multi-user.target", *names}


def test_what_cannot_be_committed_is_not_kept(
    device: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = changed(device, "three", *NEW)

    def broken(*_: object) -> None:
        raise OSError("no sector")

    with monkeypatch.context() as patched, pytest.raises(ContainersNotKept, match="no sector"):
        patched.setattr("reconix.device.update.untouched.select", broken)
        change(device, three)
    assert_as_before(device, units)


def test_if_those_before_do_not_start_the_device_restarts(
    device: Machine, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    three = changed(device, "three", *NEW)
    units.break_down("container-cache.service", "container-web.service")
    assert main(["apply", str(three)], device.device) == ContainersNotKept.exit_code
    assert asked(units, "reboot") == ["reboot"]
    assert device.boot().booted.generation == device.generations["base"]


def test_an_agent_that_was_ended_meanwhile_is_made_good_by_the_next(
    device: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = changed(device, "three", *NEW)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("reconix.device.update.live.await_health", _end)
        change(device, three)
    assert "container-cache.service" in units.running
    four = changed(device, "four", "broker 1", "logger 1", "web 2")
    units.break_down("container-web.service")
    with pytest.raises(ContainersNotKept):
        change(device, four)
    units.break_down()
    assert change(device, four) is not None
    names = ("broker", "logger", "web")
    assert units.running == {"multi-user.target", *(f"container-{name}.service" for name in names)}


def test_units_are_read_after_an_agent_that_was_ended_before_it_could(
    device: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What systemd knows then nobody can say: those of the object that is pointed to, or others."""
    other = changed(device, "three", "broker 2", *BEGIN[1:], units="1")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("reconix.device.update.live.await_health", _end)
        change(device, other)
    begun = len(asked(units, "daemon-reload"))
    change(device, changed(device, "four", "broker 1", *BEGIN[1:], units="1"))
    assert len(asked(units, "daemon-reload")) == begun + 1


def _end(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


# -- what is something else ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"only": ["default"]},
        {"program": b"another loader"},
        {"extra": {"page": File(b"another page")}},
        {"extra": {"update.json": File(b'{"receive": true, "trial_timeout_seconds": 9}')}},
    ],
    ids=["another kernel", "another loader", "another file", "another policy"],
)
def test_what_changes_more_must_be_tried(
    device: Machine, units: Units, more: dict[str, object]
) -> None:
    objects = {"default": made(device.store, NEW)}
    three = device.generation(
        "three",
        **{"only": [], "like": "base", "containers": objects, **more},  # type: ignore[arg-type]
    )
    device.install("three")
    calls = asked(units, *VERBS)
    assert change(device, three) is None
    assert asked(units, *VERBS) == calls


def test_first_containers_and_no_more_containers_must_be_tried(
    device: Machine, units: Units
) -> None:
    three = device.generation("three", only=[], like="base")
    device.install("three")
    assert change(device, three) is None


def test_a_restart_can_be_asked_for_and_none_is_made_where_it_may_not_be(
    device: Machine, units: Units
) -> None:
    three = changed(device, "three", *NEW)
    assert main(["apply", str(three), "--no-reboot"], device.device) == 0
    assert read_state(device.paths.state).phase is Phase.ARMED
    assert main(["apply", str(three), "--restart"], device.device) == 0
    assert asked(units, "stop", "start") == []
    assert asked(units, "reboot") == ["reboot"]
    assert main(["apply", str(three)], device.device) == 0
    assert read_state(device.paths.state).committed.generation == str(three)
    assert device.device.firmware.next_slot(device.device.selection()) is None


def test_a_roll_back_brings_the_containers_before_without_a_restart(
    device: Machine, units: Units
) -> None:
    before, three = units.running, changed(device, "three", *NEW)
    change(device, three)
    begun = len(units.calls)
    with exclusive_rw(device.paths):
        assert rollback(device.device, interrupts=True) is RolledBack.CONTAINERS
    base = device.generations["base"]
    assert read_state(device.paths.state).committed.generation == str(base)
    assert units.running == before
    assert "reboot" not in {call.split()[0] for call in units.calls[begun:]}
    left = read_ledger(device.paths.ledger).left_of(str(three))
    assert left is not None and left.reason is Reason.OPERATOR


def test_a_roll_back_that_must_not_interrupt_arms_a_trial(device: Machine, units: Units) -> None:
    change(device, changed(device, "three", *NEW))
    before = units.running
    with exclusive_rw(device.paths):
        assert rollback(device.device) is RolledBack.PREVIOUS
    assert (units.running, read_state(device.paths.state).phase) == (before, Phase.ARMED)


def test_a_roll_back_to_containers_that_do_not_start_is_not_made(
    device: Machine, units: Units
) -> None:
    three = changed(device, "three", *NEW)
    change(device, three)
    before = units.running
    units.break_down("container-web.service")
    with exclusive_rw(device.paths), pytest.raises(ContainersNotKept):
        rollback(device.device, interrupts=True)
    assert read_state(device.paths.state).committed.generation == str(three)
    assert units.running == before
