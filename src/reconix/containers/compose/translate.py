"""A compose file becomes the containers of a system, with a remark on all that it cannot become.

Nothing is asked and nothing is started. Whatever stands in the file is either in the result, as
`reconix check` takes it, or told with its line; but for what has no effect on a device at all, such
as labels.

    services.NAME      [containers.NAME]; names get lower-case letters, digits and ``-``
    secrets.NAME       [secrets.NAME], if a service uses it; values are pushed to each device
    configs, volumes   with the services that use them

What a service does not say has our default: above all, a program that fails is started again, which
Docker does only when it is told.

Source: Compose Specification.
Tested by ``tests/unit/containers/compose/test_translate.py``.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from reconix.config import construct
from reconix.config.check import check
from reconix.config.merge import dotted
from reconix.config.problems import Place, Problem
from reconix.config.rules.containers import check_containers
from reconix.config.rules.containers_together import check_containers_together
from reconix.config.schema.system import System
from reconix.config.shapes import shape_of
from reconix.config.toml.reader import Raw, RawScalar, RawTable
from reconix.containers.compose import mounts
from reconix.containers.compose.nodes import MAX_CHARACTERS, BadCompose, Fields, Items, Node, Scalar
from reconix.containers.compose.options import LEFT_OUT, TRANSLATED, in_order
from reconix.containers.compose.service import LeftOut, Service, Surroundings
from reconix.containers.compose.toml import print_tables
from reconix.containers.compose.variables import NoValue, put_values

_SILENT = frozenset(("version", "name", "services", "volumes", "secrets", "configs", "networks"))
_NAME_LETTERS = 63
SYSTEM = shape_of(System)


@dataclass(frozen=True, slots=True)
class Translated:
    """What a compose file became.

    Attributes:
        tables: of the file of a system, by their names.
        remarks: what is different or left out, by line.
    """

    tables: Mapping[tuple[str, ...], RawTable]
    remarks: tuple[Problem, ...]

    @property
    def text(self) -> str:
        """The tables as TOML."""
        return print_tables(self.tables)

    def without(self, secrets: Collection[str]) -> "Translated":
        """The same without the tables of secrets that stand somewhere else already."""
        known = {("secrets", name) for name in secrets}
        tables = {name: table for name, table in self.tables.items() if name not in known}
        return replace(self, tables=tables)


def translate(
    top: Fields, around: Surroundings, variables: Mapping[str, str] | None = None
) -> Translated:
    """Translate a compose file.

    Args:
        top: the file.
        around: what it refers to; names and tables of the file itself are filled in here.
        variables: values for ``${NAME}``.

    Raises:
        BadCompose: it has no services, an image does not say its registry, or two names
            become the same.
    """
    values = _Values(variables or {})
    found = values.put(top, "")
    assert isinstance(found, Fields), "it was a mapping before"
    services = _section(found, "services")
    if not services:
        raise BadCompose([Problem(top.place, "services", "there are none")])
    around = replace(
        around,
        containers=_names(services, "services"),
        secrets=_names(_section(found, "secrets"), "secrets"),
        configs=_section(found, "configs"),
        volumes=_section(found, "volumes"),
        shared=mounts.shared_volumes(services),
    )
    _expect_registries(services, around.registry)
    made = [_service(name, node, around) for name, node in services.items()]
    remarks = [*values.remarks, *_about_the_file(found, around)]
    remarks += (remark for each in made for remark in each.remarks)
    tables = _tables(made, top.place)
    return Translated(tables, tuple(sorted({*remarks, *_against_rules(tables, top.place)})))


def _section(top: Fields, name: str) -> Mapping[str, Node]:
    node = top.entries.get(name)
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return {}
    if not isinstance(node, Fields):
        raise BadCompose([Problem(node.place, name, "expected a mapping")])
    return {key: each for key, each in node.entries.items() if not key.startswith("x-")}


def _names(given: Mapping[str, Node], section: str) -> dict[str, str]:
    """Names of ours for those of a section."""
    found: dict[str, str] = {}
    for name, node in given.items():
        ours = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_NAME_LETTERS].strip("-")
        if not ours or ours in found.values():
            fact = (
                f"would be named {ours}, as another one" if ours else "has a name without letters"
            )
            raise BadCompose([Problem(node.place, dotted(section, name), fact)])
        found[name] = ours
    return found


def _expect_registries(services: Mapping[str, Node], registry: str) -> None:
    """Refuse names that Docker would complete, unless it was said how."""
    if not registry:
        problems = [
            Problem(
                place,
                dotted(dotted("services", name), "image"),
                f"{image[:200]} does not say its registry",
                "say which one Docker takes it from: --registry HOST",
            )
            for name, image, place in _images(services)
            if not _says_registry(image)
        ]
        if problems:
            raise BadCompose(problems)


def _images(services: Mapping[str, Node]) -> Iterator[tuple[str, str, Place]]:
    for name, node in services.items():
        image = node.entries.get("image") if isinstance(node, Fields) else None
        if isinstance(image, Scalar) and not image.is_null:
            yield name, image.text, image.place


def _says_registry(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return bool(slash) and bool(set(".:") & set(first) or first == "localhost")


def _service(name: str, node: Node, around: Surroundings) -> Service:
    service = Service(around.containers[name], dotted("services", name), around)
    if not isinstance(node, Fields):
        service.remarks.append(Problem(node.place, service.key, "is left out: it says nothing"))
        return service
    if service.name != name:
        service.remarks.append(Problem(node.place, service.key, f"is named {service.name} here"))
    for option, value in in_order(node.entries):
        with service.telling(dotted("", option), value.place):
            _option(service, option, value)
    if not service.has("image"):
        service.remarks.append(Problem(node.place, service.key, "is left out: it has no image"))
    return service


def _option(service: Service, option: str, value: Node) -> None:
    if option in TRANSLATED:
        TRANSLATED[option](service, value)
    elif not option.startswith("x-"):
        why, hint = LEFT_OUT.get(option, ("it has no counterpart", ""))
        raise LeftOut(why, hint=hint)


def _tables(made: Iterable[Service], place: Place) -> dict[tuple[str, ...], RawTable]:
    containers: dict[tuple[str, ...], RawTable] = {
        ("containers", each.name): each.table(place) for each in made if each.has("image")
    }
    used = {
        ("secrets", str(getattr(secret, "value", "")))
        for table in containers.values()
        for secret in getattr(table.entries.get("secrets"), "items", ())
    }
    secrets: dict[tuple[str, ...], RawTable] = dict.fromkeys(sorted(used), RawTable({}, place))
    return {**containers, **secrets}


def _against_rules(tables: Mapping[tuple[str, ...], RawTable], place: Place) -> Iterator[Problem]:
    """What `reconix check` will refuse: single values fit, and do not fit together."""
    raw: dict[str, Raw] = {"kernel": RawTable({"package": RawScalar("linux", place)}, place)}
    for kind in ("containers", "secrets"):
        named = {name: table for (first, name), table in tables.items() if first == kind}
        raw[kind] = RawTable(named, place)
    table = check(RawTable(raw, place), SYSTEM).table
    system = construct.make_complete(SYSTEM, table)
    assert isinstance(system, System), "that is its shape"
    yield from check_containers(system, table, place)
    yield from check_containers_together(system, table, place)


def _about_the_file(top: Fields, around: Surroundings) -> Iterator[Problem]:
    for name, node in top.entries.items():
        if name not in _SILENT and not name.startswith("x-"):
            yield Problem(node.place, name, "is left out: it has no counterpart")
    for name, ours in around.secrets.items():
        node = _section(top, "secrets")[name]
        hint = f"reconix secrets push {ours}"
        yield Problem(node.place, dotted("secrets", name), "has its value on each device", hint)
    yield from _about_networks(_section(top, "networks"))


def _about_networks(given: Mapping[str, Node]) -> Iterator[Problem]:
    if len(given) > 1:
        place = min(node.place for node in given.values())
        fact = "do not keep containers apart here: those of a system reach each other"
        yield Problem(place, "networks", fact)


class _Values:
    """Puts values for variables, as many characters as a file may have."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.remarks: list[Problem] = []
        self._values, self._left = values, MAX_CHARACTERS

    def put(self, node: Node, key: str) -> Node | None:
        """A node with values for its variables, without what has none."""
        if isinstance(node, Scalar):
            return self._scalar(node, key)
        if isinstance(node, Items):
            listed = (self.put(each, key) for each in node.items)
            return replace(node, items=tuple(each for each in listed if each is not None))
        entries = {name: self.put(each, dotted(key, name)) for name, each in node.entries.items()}
        given = {name: each for name, each in entries.items() if each is not None}
        return replace(node, entries=given)

    def _scalar(self, node: Scalar, key: str) -> Scalar | None:
        if "$" not in node.text:
            return node
        try:
            text = put_values(node.text, self._values)
        except NoValue as error:
            hint = "values stand in .env beside the file"
            self.remarks.append(Problem(node.place, key, f"is left out: {error}", hint))
            return None
        self._left -= len(text)
        if self._left < 0:
            raise BadCompose([Problem(node.place, key, "variables make the file too large")])
        return replace(node, text=text, is_quoted=True)
