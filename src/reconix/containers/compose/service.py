"""One service while it becomes a container: its options so far, and what is to be told of it.

Each value is held against the shape of its option when it is put, one item of a list and one entry
of a table at a time. What the option does not take is left out and told at its line; the rest of it
counts. So what is printed in the end is what `reconix check` takes.

Tested by ``tests/unit/containers/compose/test_translate.py``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconix.config.check import check
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container
from reconix.config.shapes import shape_of
from reconix.config.toml.reader import Raw, RawList, RawScalar, RawTable
from reconix.containers.compose.nodes import BadCompose, Fields, Items, Node, Scalar
from reconix.containers.compose.quantities import NoQuantity

MAX_ITEMS = 4000
_CONTAINER = shape_of(Container)
_TRUTHS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "on", "On"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "off", "Off"), False),
}


class LeftOut(Exception):
    """Something has no counterpart, or is not what it should be; says why."""

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a compose file refers to outside of a service.

    Attributes:
        folder: of the compose file.
        into: the folder of the file that gets the result.
        containers: the names of services, as containers have them.
        registry: what stands before the name of an image that says no registry; ``""``: nothing.
        secrets: the names of secrets, as we have them.
        configs: what is at the top of the file under ``configs``.
        volumes: what is there under ``volumes``.
        shared: the names of volumes that several services have.
        read: files of variables; this and what follows is filled in on the way.
        spent: how much was put into lists and tables.
    """

    folder: Path
    into: Path
    containers: Mapping[str, str] = field(default_factory=dict)
    registry: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, Node] = field(default_factory=dict)
    volumes: Mapping[str, Node] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    read: dict[str, Mapping[str, str | None]] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Service:
    """A service, and what has come of it so far."""

    name: str
    """Of the container."""
    key: str
    """Of the service in its file: ``services.web``."""
    around: Surroundings
    values: dict[str, Raw] = field(default_factory=dict)
    lists: dict[str, dict[Raw, None]] = field(default_factory=dict)
    tables: dict[str, dict[str, Raw]] = field(default_factory=dict)
    remarks: list[Problem] = field(default_factory=list)

    def tell(self, key: str, place: Place, fact: str, hint: str = "") -> None:
        """Remark on something of the service, by its dotted key in it."""
        self.remarks.append(Problem(place, f"{self.key}.{key}", fact, hint))

    @contextmanager
    def telling(self, key: str, place: Place) -> Iterator[None]:
        """Within the block, what is left out is told."""
        try:
            yield
        except LeftOut as error:
            self.tell(key, place, f"is left out: {error}", error.hint)
        except NoQuantity as error:
            self.tell(key, place, f"is left out: {error}")

    def each(self, key: str, nodes: Sequence[Node], use: "Callable[[Service, Node], None]") -> None:
        """Use each of several nodes; one that is left out does not keep the others."""
        for node in nodes:
            with self.telling(key, node.place):
                use(self, node)

    def put(self, option: str, value: object, place: Place) -> None:
        """Set an option.

        Raises:
            LeftOut: it does not take the value.
        """
        self.values[option] = _fitting(option, raw(value, place))

    def append(self, option: str, value: object, place: Place) -> None:
        """Add an item to an option.

        Raises:
            LeftOut: it does not take the item.
        """
        self._spend(option, place)
        _fitting(option, RawList((raw(value, place),), place))
        self.lists.setdefault(option, {}).setdefault(raw(value, place))

    def enter(self, option: str, name: str, value: object, place: Place) -> None:
        """Add an entry to an option.

        Raises:
            LeftOut: it does not take the entry.
        """
        self._spend(option, place)
        _fitting(option, RawTable({name: raw(value, place)}, place))
        self.tables.setdefault(option, {})[name] = raw(value, place)

    def has(self, option: str, name: str = "") -> bool:
        """Whether an option was set, or an entry of it."""
        return name in self.tables.get(option, {}) if name else option in self.values

    def _spend(self, option: str, place: Place) -> None:
        self.around.spent.append(option)
        if len(self.around.spent) > MAX_ITEMS:
            fact = (
                f"is too much: a file may have {MAX_ITEMS} of ports, variables, files and the like"
            )
            raise BadCompose([Problem(place, f"{self.key}.{option}", fact)])

    def table(self, place: Place) -> RawTable:
        """All that came of it, in the order of the options."""
        lists = {name: RawList(tuple(each), place) for name, each in self.lists.items()}
        tables = {name: RawTable(each, place) for name, each in self.tables.items()}
        found: dict[str, Raw] = {**self.values, **lists, **tables}
        return RawTable({name: found[name] for name in _CONTAINER.options if name in found}, place)


def raw(value: object, place: Place) -> Raw:
    """A value as if it had been written in TOML."""
    if isinstance(value, tuple):
        return RawList(tuple(raw(item, place) for item in value), place)
    if isinstance(value, Mapping):
        return RawTable({name: raw(each, place) for name, each in value.items()}, place)
    return RawScalar(value, place)


def _fitting(option: str, value: Raw) -> Raw:
    found = check(RawTable({option: value}, value.place), _CONTAINER).problems
    for problem in found:
        raise LeftOut(problem.fact, hint=problem.hint)
    return value


def text(node: Node) -> str:
    """A node that must be a text.

    Raises:
        LeftOut: it is something else, or nothing.
    """
    if not isinstance(node, Scalar) or node.is_null:
        raise LeftOut("a text is expected")
    return node.text


def truth(node: Node) -> bool:
    """A node that must be true or false.

    Raises:
        LeftOut: it is something else.
    """
    found = _TRUTHS.get(text(node))
    if found is None:
        raise LeftOut("true or false is expected")
    return found


def items(node: Node) -> tuple[Node, ...]:
    """A node that must be a sequence, or nothing.

    Raises:
        LeftOut: it is something else.
    """
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Scalar) and node.is_null:
        return ()
    raise LeftOut("a list is expected")


def fields(node: Node) -> Mapping[str, Node]:
    """A node that must be a mapping, or nothing.

    Raises:
        LeftOut: it is something else.
    """
    if isinstance(node, Fields):
        return node.entries
    if isinstance(node, Scalar) and node.is_null:
        return {}
    raise LeftOut("a mapping is expected")


def pairs(node: Node) -> Iterator[tuple[str, str | None, Place]]:
    """A mapping of texts, which may also be written as a list of ``NAME=VALUE``.

    ``None`` is a name without a value.

    Raises:
        LeftOut: it is something else.
    """
    if isinstance(node, Items):
        for item in node.items:
            name, equals, value = text(item).partition("=")
            yield name, value if equals else None, item.place
        return
    for name, each in fields(node).items():
        is_null = isinstance(each, Scalar) and each.is_null
        yield name, None if is_null else text(each), each.place
