"""YAML as a tree of texts, each with its line, within bounds.

The library reads the text and nothing more: no value is made from a tag, and no scalar is taken for
something else than its text. So ``22:22`` stays two ports, which YAML 1.1 reads as a number to the
base 60, and ``no`` stays a word. Places do not quote their lines: anywhere in such a file may stand
a password, and what is told of it is read by more people.

An alias is the tree that it stands for, once more. A few lines of aliases of aliases can stand for
billions of values, and one of itself for endlessly many, so what is made is counted: values, their
characters, and how deep they are nested.

Source: YAML 1.2.2; for ``<<``, *Merge Key Language-Independent Type for YAML 1.1*.
Tested by ``tests/unit/containers/compose/test_nodes.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from reconix.base.errors import ReconixError
from reconix.base.files import read_text
from reconix.config.problems import Place, Problem

MAX_BYTES = 256 << 10
MAX_VALUES = 20_000
MAX_CHARACTERS = 4 << 20
MAX_DEPTH = 32
_OUR_TAGS = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(
    _OUR_TAGS + name
    for name in (*("str", "int", "float", "bool", "null", "timestamp"), *("map", "seq", "value"))
)
_MERGE = "<<"
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class BadCompose(ReconixError):
    """A compose file cannot be translated at all; tells all reasons."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        shown = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"it cannot be translated\n{shown}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One text."""

    text: str
    place: Place = field(compare=False)
    """Of its key, if it has one, as in all kinds of nodes."""
    is_quoted: bool = False

    @property
    def is_null(self) -> bool:
        """Whether nothing is meant."""
        return not self.is_quoted and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: tuple["Node", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the order in which it is written."""

    entries: Mapping[str, "Node"]
    place: Place = field(compare=False)


Node = Scalar | Items | Fields


def read_nodes(file: Path) -> Fields:
    """Read a file.

    Raises:
        BadCompose: it is not one document of YAML that holds a mapping, or breaks a bound.
        BadFile, OSError: it cannot be read, or is too large.
    """
    return parse_nodes(read_text(file, MAX_BYTES), file)


def parse_nodes(text: str, file: Path) -> Fields:
    """Read a text as if it stood in ``file``.

    Raises:
        BadCompose: it is not one document of YAML that holds a mapping, or breaks a bound.
    """
    reader = _Reader(file)
    try:
        reader.expect_shallow(text)
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise reader.translated(error) from error
    found = None if top is None else reader.node(top, reader.at(top.start_mark), MAX_DEPTH)
    if not isinstance(found, Fields):
        raise BadCompose([Problem(Place(file), "", "holds no mapping: it is no compose file")])
    return found


class _Mark(Protocol):
    line: int
    column: int


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._values, self._characters = MAX_VALUES, MAX_CHARACTERS

    def at(self, mark: _Mark | None) -> Place:
        if mark is None:
            return Place(self._file)
        return Place(self._file, mark.line + 1, mark.column + 1)

    def translated(self, error: yaml.YAMLError) -> BadCompose:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = self.at(mark)
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        return BadCompose([Problem(place, "", f"is not YAML: {said}")])

    def expect_shallow(self, text: str) -> None:
        """Before the library goes down by itself, as deep as its own stack."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self._refused(self.at(event.start_mark), "is nested too deep")

    def node(self, node: yaml.Node, place: Place, left: int) -> Node:
        self._count(place, node, left)
        if node.tag not in _KNOWN_TAGS:
            raise self._refused(place, f"has the tag {node.tag}, which is not known here")
        if isinstance(node, yaml.ScalarNode):
            return Scalar(self._text(node, place), place, is_quoted=node.style is not None)
        if isinstance(node, yaml.SequenceNode):
            items = (self.node(item, self.at(item.start_mark), left - 1) for item in node.value)
            return Items(tuple(items), place)
        assert isinstance(node, yaml.MappingNode), "there is no other kind"
        return self._fields(node, place, left)

    def _text(self, node: yaml.ScalarNode, place: Place) -> str:
        if any("\ud800" <= char <= "\udfff" for char in node.value):
            raise self._refused(place, "has half a character")
        return str(node.value)

    def _fields(self, node: yaml.MappingNode, place: Place, left: int) -> Fields:
        own: dict[str, Node] = {}
        merged: list[Fields] = []
        for key, value in node.value:
            at = self.at(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise self._refused(at, "has a key that is no text")
            child = self.node(value, at, left - 1)
            if key.value == _MERGE and key.style is None:
                merged += self._merged(child)
            elif self._text(key, at) in own:
                raise self._refused(at, f"{key.value} stands twice")
            else:
                own[key.value] = child
        given = {name: each for fields in reversed(merged) for name, each in fields.entries.items()}
        return Fields({**given, **own}, place)

    def _merged(self, node: Node) -> Iterator[Fields]:
        for each in node.items if isinstance(node, Items) else (node,):
            if not isinstance(each, Fields):
                raise self._refused(each.place, f"{_MERGE} merges mappings only")
            yield each

    def _count(self, place: Place, node: yaml.Node, left: int) -> None:
        self._values -= 1
        self._characters -= len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if left == 0:
            raise self._refused(place, "is nested too deep, or is an alias of itself")
        if self._values < 0 or self._characters < 0:
            raise self._refused(place, "stands for too much: aliases of aliases")

    def _refused(self, place: Place, fact: str) -> BadCompose:
        return BadCompose([Problem(place, "", fact)])
