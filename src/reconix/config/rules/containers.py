"""What one container says must fit together, and be something that a container can have.

What only its image tells - is there a command, a user of that name - is found when it is locked or
built. What containers take from each other is in ``containers_together.py``.

Tested by ``tests/unit/config/rules/test_containers.py``.
"""

import functools
from collections.abc import Iterator
from pathlib import PurePosixPath

from reconix.config.image_reference import BadReference, parse_reference
from reconix.config.lock.containers import IDS
from reconix.config.merge import List, Table, Value, dotted
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container, ContainerHealth, container_unit
from reconix.config.schema.system import System

_OF_THE_KERNEL = ("/proc", "/sys", "/dev")
_IN_MEMORY = ("/run", "/tmp")
_LEAST_MEMORY = 1 << 20


def check_containers(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for each container of a system."""
    for name, container in system.containers.items():
        told = Told(name, table, file)
        yield from _made_of_one_thing(container, told)
        yield from _can_be_started(container, told)
        yield from _has_a_user(container, told)
        yield from _has_volumes(container, told)
        yield from _has_files(container, told)
        yield from _knows_its_secrets(container, system, told)
        yield from _has_a_unit(container, system, told)
        yield from _has_limits(container, told)


class Told:
    """What is told of a container, and where that was written."""

    def __init__(self, name: str, table: Table, file: Place) -> None:
        self.name, self._table, self._file = name, table, file

    def problem(self, *keys: str, fact: str, hint: str, item: object = None) -> Problem:
        """Something that is wrong with an option, or with an item of a list.

        Args:
            keys: the option within the table of the container.
            fact: what is wrong.
            hint: what to write instead.
            item: of the list, if it is one.
        """
        where = ("containers", self.name, *keys)
        place = place_of(self._table, *where, default=self._file)
        if item is not None:
            place = place_of_item(self._table, *where, item=item, default=place)
        return Problem(place, functools.reduce(dotted, where), fact, hint)

    def files_of(self, key: str) -> list[Place]:
        """Where the items of a list were written, one place for each file."""
        value: Value | None = self._table
        for each in ("containers", self.name, key):
            value = value.entries.get(each) if isinstance(value, Table) else None
        items = value.items if isinstance(value, List) else ()
        return list({item.place.file: item.place for item in items}.values())


def _made_of_one_thing(container: Container, told: Told) -> Iterator[Problem]:
    if container.image is not None and container.packages:
        hint = "set exactly one of them"
        yield told.problem("packages", fact="has an image and packages", hint=hint)
    if container.image is None and not container.packages:
        hint = 'set one of them: image = "…" or packages = ["…"]'
        yield told.problem(fact="has neither image nor packages", hint=hint)
    if container.image is not None:
        try:
            parse_reference(container.image)
        except BadReference as error:
            yield told.problem("image", fact=str(error), hint=error.hint)


def _can_be_started(container: Container, told: Told) -> Iterator[Problem]:
    if container.image is None and container.packages and not container.command:
        hint = 'say what runs in it: command = ["…"]'
        yield told.problem(fact="is made of packages, and has no command", hint=hint)
    if container.command and not container.command[0]:
        yield told.problem("command", fact="begins with an empty word", hint="name the program")
    places = told.files_of("command")
    if len(places) > 1:
        fact = f"has words here and in {places[0]}, which would be one command"
        yield told.problem("command", fact=fact, hint="write command = { force = [...] }")


def _has_a_user(container: Container, told: Told) -> Iterator[Problem]:
    for each in (container.user or "").split(":"):
        if each.isdecimal() and int(each) >= IDS:
            fact, hint = f"a container has no number {each}", f"choose one below {IDS}"
            yield told.problem("user", fact=fact, hint=hint)


def _has_volumes(container: Container, told: Told) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for name, path in container.volumes.items():
        other = taken.setdefault(path, name)
        if other != name:
            fact = f"{path} is also where {other} is"
            yield told.problem("volumes", name, fact=fact, hint="give each a path of its own")
        if path == "/" or _is_in(path, _OF_THE_KERNEL) or path in _IN_MEMORY:
            hint = "name the folder that the program writes to"
            yield told.problem("volumes", name, fact=f"{path} can be no volume", hint=hint)


def _has_files(container: Container, told: Told) -> Iterator[Problem]:
    for path, content in container.files.items():
        said = [kind for kind in ("text", "source") if getattr(content, kind) is not None]
        if len(said) != 1:
            fact = f"has {' and '.join(said)}" if said else "has neither text nor source"
            yield told.problem("files", path, fact=fact, hint="set exactly one of them")
        hidden = [*_OF_THE_KERNEL, *_IN_MEMORY, *container.volumes.values()]
        above = [each for each in hidden if _is_in(path, (each,))]
        if above:
            fact = f"is not seen: something else is mounted at {above[0]}"
            yield told.problem("files", path, fact=fact, hint="choose another path")


def _knows_its_secrets(container: Container, system: System, told: Told) -> Iterator[Problem]:
    for name in container.secrets:
        if name not in system.secrets:
            fact, hint = f"there is no secret {name}", f"add it: [secrets.{name}]"
            yield told.problem("secrets", fact=fact, hint=hint, item=name)


def _has_a_unit(container: Container, system: System, told: Told) -> Iterator[Problem]:
    unit = container_unit(told.name)
    if unit in system.units:
        yield told.problem(
            fact=f"its unit is {unit}, which `units` has too", hint="rename one of the two"
        )
    known = set(map(container_unit, system.containers))
    for other in container.after:
        if other == unit:
            yield told.problem(
                "after", fact="waits for itself", hint="name other units", item=other
            )
        elif other.startswith("container-") and other not in {*known, *system.units}:
            fact = f"there is no container of {other}"
            hint = f"there are: {', '.join(sorted(known))}"
            yield told.problem("after", fact=fact, hint=hint, item=other)


def _has_limits(container: Container, told: Told) -> Iterator[Problem]:
    if container.memory is not None and container.memory < _LEAST_MEMORY:
        hint = 'write it with its unit: memory = "64M"'
        yield told.problem("memory", fact="no program can start with so little", hint=hint)
    if container.changes < _LEAST_MEMORY and not container.read_only:
        hint = 'write it with its unit: changes = "64M"; or set read_only = true'
        yield told.problem("changes", fact="is less than 1M", hint=hint)
    health = container.health
    for key, seconds in (("interval", health.interval), ("timeout", health.timeout)):
        if seconds == 0:
            yield told.problem(
                "health", key, fact="is no time at all", hint='write one such as "30s"'
            )
    if container.image is None and health.enable and not health.command and _is_told(health):
        hint = "name one: health.command = [...]"
        yield told.problem("health", fact="has no command, and no image with one", hint=hint)


def _is_told(health: ContainerHealth) -> bool:
    return health != ContainerHealth()


def _is_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)
