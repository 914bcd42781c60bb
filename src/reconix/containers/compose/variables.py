"""Variables of compose files: ``${NAME:-default}``, and the files that set them.

Their values come from ``.env`` beside the file, which people keep there for this, and from nowhere
else: what a command makes of a file does not depend on the environment of whoever runs it.

    $NAME ${NAME}        its value
    ${NAME:-TEXT}        or a text, if it has none or an empty one; ``-``: if it has none
    ${NAME:+TEXT}        a text, if it has one that is not empty; ``+``: if it has one
    ${NAME:?TEXT}        its value, or a complaint
    $$                   a dollar

Source: Compose Specification, *Interpolation*; for the files, docker compose, *Environment
variables: .env file syntax*.
Tested by ``tests/unit/containers/compose/test_variables.py``.
"""

import re
from collections.abc import Mapping

_MAX_CHARACTERS = 64 << 10
_MAX_DEPTH = 8
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DOLLAR = re.compile(rf"\$(?:(\$)|({_NAME})|(\{{))")
_BRACED = re.compile(rf"({_NAME})(?:(:?[-+?]).*)?", re.DOTALL)
_LINE = re.compile(rf"\s*(?:export\s+)?({_NAME})\s*(?:=\s*(.*))?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class NoValue(ValueError):
    """A text cannot be given: a variable of it has no value, or is misspelt."""


def put_values(text: str, values: Mapping[str, str]) -> str:
    """A text with the values of its variables.

    Raises:
        NoValue: one has none, or is misspelt.
    """
    return _put(text, values, _MAX_DEPTH)


def _put(text: str, values: Mapping[str, str], left: int) -> str:
    if left == 0:
        raise NoValue("variables are nested too deep")
    made, position, length = [], 0, 0
    while found := _DOLLAR.search(text, position):
        end = found.end() if not found[3] else _closing(text, found.end())
        made += [text[position : found.start()], _value(found, text, end, values, left)]
        position = end + bool(found[3])
        length += len(made[-1])
        if length > _MAX_CHARACTERS:
            raise NoValue("variables make it too long")
    return "".join([*made, text[position:]])


def _value(found: re.Match[str], text: str, end: int, values: Mapping[str, str], left: int) -> str:
    if found[1]:
        return "$"
    if found[2]:
        return _known(found[2], values)
    return _braced(text[found.end() : end], values, left)


def _closing(text: str, begin: int) -> int:
    """Where the brace is that closes the one before ``begin``."""
    depth = 1
    for position in range(begin, len(text)):
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise NoValue("a brace is not closed; a dollar itself is written $$")


def _braced(text: str, values: Mapping[str, str], left: int) -> str:
    found = _BRACED.fullmatch(text)
    if found is None:
        raise NoValue(f"${{{text[:40]}}} is no variable; a dollar itself is written $$")
    name, operator = found[1], found[2] or ""
    rest = text[len(name) + len(operator) :]
    value = values.get(name)
    is_there = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return _put(rest, values, left - 1) if is_there else ""
    if operator.endswith("-") and not is_there:
        return _put(rest, values, left - 1)
    if operator.endswith("?") and not is_there:
        raise NoValue(f"variable {name} has no value: {rest[:200]}")
    return _known(name, values)


def _known(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise NoValue(f"variable {name} has no value")
    return values[name]


def parse_variables(text: str) -> dict[str, str | None]:
    """Read a file of variables, a line for each; ``None``: one that a line names without a value.

    What is between single quotes is taken as it is; elsewhere variables of lines before count. A
    line that is none of this is left out.
    """
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            given = {name: value for name, value in found.items() if value is not None}
            found[match[1]] = None if match[2] is None else _written(match[2].strip(), given)
    return found


def _written(text: str, given: Mapping[str, str]) -> str:
    if single := _SINGLE.fullmatch(text):
        return single[1]
    if double := _DOUBLE.fullmatch(text):
        text = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), double[1])
    else:
        text = re.sub(r"(^|\s)#.*", "", text).rstrip()
    try:
        return put_values(text, given)
    except NoValue:
        return text
