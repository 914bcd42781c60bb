"""Live: containers are changed while their system goes on.

The containers of a system are an object of their own, to which a link of its toplevel leads. Where
a new generation has another one and is the same in all else that runs, no restart is needed:

==================  ==========================================================================
write the slot      as ever; nothing boots it yet
mount               the images that the new containers need, beside the others
copy                the new object; from here to the start a changed container is away
stop                the containers that have changed or are gone
point               ``/run/reconix/containers/current`` to the copy
start               what is new, from the units that systemd reads there if they are not the same
health              the checks of the new toplevel, as in a trial
commit              as an update that touches nothing (``untouched.py``): one sector
==================  ==========================================================================

Containers with the same identity keep their processes. What is not healthy is stopped, and the
containers before are started again; the reason is recorded as that of any trial, and nothing of it
outlives a restart: after a cut the old generation boots, with its own containers.

The object is copied, because a mount that the agent makes in its own namespace nobody else sees,
and it is small. Its images are mounted for everybody, by the script that does it at a start.

Tested by ``tests/unit/device/update/test_live.py`` and ``tests/crash/test_live_cut.py``.
"""

from collections.abc import Collection

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed, run
from reconix.base.records import dataclass, replace
from reconix.boot.transitions import Cancelled
from reconix.boot.trial import Reason, State
from reconix.device.device import Device
from reconix.device.settings.containers import (
    LINK,
    NAME,
    NAMES,
    RULES,
    Container,
    containers_object,
    network_unit_of,
    read_containers,
)
from reconix.device.settings.health import read_health
from reconix.device.settings.policy import Untouched, read_policy
from reconix.device.state.current_containers import (
    copy_of,
    current,
    mount_images,
    needs_images,
    point_to,
    read_more_images,
    unmount_others,
    write_more_images,
)
from reconix.device.state.record import record
from reconix.device.state.running import Running
from reconix.device.trial.disks import expect_fit_disk
from reconix.device.trial.monitor import Unhealthy, await_health
from reconix.device.update.untouched import commit, running, starts_the_same, written
from reconix.store.generation import Generation, InstalledSystem, expect_known
from reconix.store.images.nodes import ImageFolder, Node, find
from reconix.store.paths import StorePath
from reconix.store.registry import Registry

_MAY_DIFFER = frozenset({LINK, "health.json", "secrets.json"})
"""What of a toplevel only the agent reads, and the containers themselves."""

_COMMAND_SECONDS = 120.0


class ContainersNotKept(ReconixError):
    """New containers are not healthy, and those before run again."""

    exit_code = 71

    def __init__(self, problem: Unhealthy, *, are_back: bool) -> None:
        said = f"\n{problem.output}" if problem.output else ""
        super().__init__(
            f"the new containers were not kept: {problem.check}{said}",
            hint="those before run again, and the generation is not tried again by itself"
            if are_back
            else "those before do not start again: restart the device",
        )
        self.are_back = are_back


@dataclass(frozen=True, slots=True)
class ContainerSet:
    """The containers of one toplevel.

    Attributes:
        path: the object that tells of them.
        containers: what it tells.
    """

    path: StorePath
    containers: tuple[Container, ...]

    @classmethod
    def of(cls, registry: Registry, toplevel: StorePath) -> "ContainerSet | None":
        """Those of a toplevel, if it has some.

        Raises:
            ReconixError: they cannot be read.
        """
        path = containers_object(registry, toplevel)
        return None if path is None else cls(path, read_containers(registry, path))

    def differing(self, other: "ContainerSet") -> tuple[Container, ...]:
        """The containers that are not the same in another set, and those that join one of these."""
        same = {(each.name, each.identity) for each in other.containers}
        names = {each.name for each in self.containers if (each.name, each.identity) not in same}
        return tuple(each for each in self.containers if each.name in names or each.joins in names)


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one set of containers to another one.

    Attributes:
        device: on which it is made.
        before: what runs.
        after: what is to run.
    """

    device: Device
    before: ContainerSet
    after: ContainerSet

    @property
    def back(self) -> "Change":
        """The change that undoes this one."""
        return replace(self, before=self.after, after=self.before)

    def make(self, *, knows_units: bool = True) -> None:
        """Stop what differs, and start what takes its place; what has ended by itself stays ended.

        Whatever can be done before is done before: in between, containers are away.

        Args:
            knows_units: whether systemd has read those of the containers before.

        Raises:
            CommandFailed: a container does not end, or does not start.
        """
        reads = not (knows_units and self._has_same_units())
        stopping, starting = self._to_stop(), self._to_start()
        rules = [RULES] if self._has(self.after, RULES) else []
        copy_of(self.device.paths, self.device.registry, self.after.path)
        _systemctl("stop", stopping)
        point_to(self.device.paths, self.device.registry, self.after.path)
        if reads:
            _systemctl("daemon-reload")
        _systemctl("reload-or-restart", rules)  # all of them are replaced at once
        _systemctl("start", starting)

    def _to_stop(self) -> list[str]:
        """What ends as it was told to begin: systemd reads the units of others afterwards."""
        differing = self.before.differing(self.after)
        networks = [network_unit_of(each.name) for each in differing]
        gone = [unit for unit in (RULES, NAMES) if not self._has(self.after, unit)]
        more = [unit for unit in (*networks, *gone) if self._has(self.before, unit)]
        return [each.unit for each in differing] + more

    def _to_start(self) -> list[str]:
        new = [each.unit for each in self.after.differing(self.before)]
        return new + ([NAMES] if self._has(self.after, NAMES) else [])

    def _has_same_units(self) -> bool:
        """Whether systemd knows already what it would read."""
        try:
            before, after = (self._units(each) for each in (self.before, self.after))
        except ReconixError:
            return False
        return before is not None and before == after

    def _units(self, containers: ContainerSet) -> Node | None:
        return find(self.device.registry.tree(containers.path), b"units")

    def _has(self, containers: ContainerSet, unit: str) -> bool:
        return self.device.registry.has(containers.path, "units", unit)


def change_containers(device: Device, path: StorePath) -> State | None:
    """Commit a generation that changes only containers of what runs; under ``exclusive_rw``.

    Args:
        device: to change.
        path: an installed generation.

    Returns:
        What is remembered then; ``None`` if this is no such generation, and nothing was done.

    Raises:
        ContainersNotKept: the new ones are not healthy; those before run again.
        DiskIsShort, CopyAttached, OnTrial, SlotSizeDiffers, WrongImage, NotKept: as for ``apply``.
    """
    target, state = device.generation(path), device.recall()
    expect_known(target)
    state.expect_not_on_trial()
    booted = running(device, state)
    if booted is not None:
        _mend(device, booted)
    if booted is None or state.committed.generation == str(path):
        return None
    change = change_to(device, device.generation(state.committed.generation), booted, target)
    if change is None:
        return None
    expect_fit_disk(device)
    return _try(change, written(device, target, booted), booted, target)


def _mend(device: Device, booted: Running) -> None:
    """Bring back the containers of what runs, if an agent was ended while it changed them."""
    registry, found = device.registry, current(device.paths)
    if found is None:
        return
    wanted = ContainerSet.of(registry, booted.toplevel)
    if wanted is not None and wanted.path != found:
        known = registry.has(found, NAME)
        before = ContainerSet(found, read_containers(registry, found) if known else ())
        try:
            Change(device, before, wanted).make(knows_units=False)
            _systemctl("start", [each.unit for each in wanted.containers])
        except (ReconixError, OSError) as error:
            progress.note(f"the containers of what runs are not all back: {error}")


def change_to(
    device: Device, committed: Generation, booted: Running, target: Generation
) -> Change | None:
    """The change of containers to a generation, if nothing else of what runs differs.

    Raises:
        ReconixError: what is installed cannot be read.
    """
    registry = device.registry
    ours = next((one for one in target.systems if one.name == booted.system), None)
    if ours is None:
        return None
    if not differ_in_containers(registry.tree(booted.toplevel), registry.tree(ours.toplevel)):
        return None
    if read_policy(registry, booted.toplevel).untouched is Untouched.TRIAL:
        return None
    if not starts_the_same(device, committed, target, but=booted.system):
        return None
    before = ContainerSet.of(registry, booted.toplevel)
    after = ContainerSet.of(registry, ours.toplevel)
    return Change(device, before, after) if before and after else None


def differ_in_containers(one: Node, other: Node) -> bool:
    """Whether the containers of two toplevels differ, and nothing else that matters to systemd."""
    first, second = _parts(one), _parts(other)
    differing = {
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    }
    return LINK in differing and differing <= _MAY_DIFFER


def _parts(tree: Node) -> dict[str, Node]:
    entries = tree.entries if isinstance(tree, ImageFolder) else ()
    return {name.decode(errors="replace"): node for name, node in entries}


# -- trying ----------------------------------------------------------------------------------------


def _try(change: Change, state: State, booted: Running, target: Generation) -> State:
    """Change, look, and commit; or go back and say why."""
    device, ours = change.device, target.system(booted.system)
    images = read_more_images(device.paths)
    now = replace(booted, toplevel=ours.toplevel)
    unready = _unready(change, ours)
    done = unready or _problem(change, ours) or _commit(device, state, target, now)
    if isinstance(done, State):
        unmount_others(device.paths)
        return done
    write_more_images(device.paths, images)
    are_back = unready is not None or _go_back(change)
    record(device.paths, state, Cancelled(Reason.UNHEALTHY, done.check, done.output))
    raise ContainersNotKept(done, are_back=are_back)


def _commit(device: Device, state: State, target: Generation, booted: Running) -> State | Unhealthy:
    """Commit; or why not, as long as the generation before is what boots."""
    try:
        return commit(device, state, target, booted)
    except (ReconixError, OSError) as error:
        if device.selection().slot != state.committed.slot:
            raise
        return Unhealthy("the generation is committed", str(error))


def _go_back(change: Change) -> bool:
    """Let the containers before run again; whether they do."""
    try:
        change.back.make()
    except (ReconixError, OSError):
        return False
    return True


def _unready(change: Change, ours: InstalledSystem) -> Unhealthy | None:
    """Mount and copy what the change needs; what is wrong then, while no container was touched."""
    device = change.device
    try:
        write_more_images(device.paths, needs_images(device.paths, ours.images))
        mount_images()
        copy_of(device.paths, device.registry, change.after.path)
    except (ReconixError, OSError) as error:
        return _unchanged(error)
    return None


def _problem(change: Change, ours: InstalledSystem) -> Unhealthy | None:
    """Make the change; what is wrong then. Nothing is said meanwhile: who hears it may be gone."""
    device = change.device
    try:
        health = read_health(device.registry, ours.toplevel)
        seconds = read_policy(device.registry, ours.toplevel).trial_timeout_seconds
        deadline = device.clock.now() + min(health.timeout_seconds, seconds)
        change.make()
    except (ReconixError, OSError) as error:
        return _unchanged(error)
    return await_health(health, deadline, clock=device.clock, containers=device.paths.containers)


def _unchanged(error: ReconixError | OSError) -> Unhealthy:
    output = error.output.decode(errors="replace") if isinstance(error, CommandFailed) else ""
    return Unhealthy(f"the containers are changed: {error}".partition("\n")[0], output)


def _systemctl(verb: str, units: Collection[str] | None = None) -> None:
    if units is None or units:
        run("systemctl", verb, *(units or ()), timeout_seconds=_COMMAND_SECONDS)
