"""A file and a unit have one content: a text, another file or a link.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.content import Content
from reconix.config.schema.system import File, System, Unit


def check_contents(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the files and units of a system."""
    yield from _content_is_said_once(system.files, "files", table, file)
    yield from _content_is_said_once(system.units, "units", table, file)
    yield from _what_is_generated_is_a_service(system.units, table, file)


def _content_is_said_once(
    contents: Mapping[str, Content], option: str, table: Table, file: Place
) -> Iterator[Problem]:
    for name, content in contents.items():
        kinds = ("text", "source", "link" if isinstance(content, File) else "exec")
        said = [kind for kind in kinds if getattr(content, kind) is not None]
        if len(said) != 1:
            fact = f"has {' and '.join(said)}" if said else f"has neither {' nor '.join(kinds)}"
            place = place_of(table, option, name, default=file)
            yield Problem(place, dotted(option, name), fact, "set exactly one of them")


def _what_is_generated_is_a_service(
    units: Mapping[str, Unit], table: Table, file: Place
) -> Iterator[Problem]:
    for name, unit in units.items():
        key = dotted("units", name)
        if unit.exec is not None and not name.endswith(".service"):
            place = place_of(table, "units", name, "exec", default=file)
            hint = "name it <name>.service, or write the unit: text, source"
            yield Problem(place, f"{key}.exec", "only a service runs a program", hint)
        for option in ("user", "state", "environment", "after") if unit.exec is None else ():
            if getattr(unit, option):
                place = place_of(table, "units", name, option, default=file)
                fact = "has no effect without exec"
                yield Problem(place, f"{key}.{option}", fact, "write it into the unit")
