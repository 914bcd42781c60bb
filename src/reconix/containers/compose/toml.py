"""What came of it, as TOML.

Tested by ``tests/unit/containers/compose/test_translate.py``: it is read again, and `reconix fmt`
leaves it as it is.
"""

import json
import re
from collections.abc import Iterator, Mapping

from reconix.config.toml.formatter import WIDTH, format_toml
from reconix.config.toml.reader import Raw, RawList, RawTable

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def print_tables(tables: Mapping[tuple[str, ...], RawTable]) -> str:
    """Tables with their headers, in our format."""
    blocks = ["\n".join(_table(name, table)) + "\n" for name, table in tables.items()]
    return format_toml("\n".join(blocks))


def _table(name: tuple[str, ...], table: RawTable) -> Iterator[str]:
    yield f"[{'.'.join(map(_key, name))}]"
    for key, value in table.entries.items():
        yield from _lines(_key(key), value)


def _lines(key: str, value: Raw) -> Iterator[str]:
    """A table that does not fit on a line has a line for each entry."""
    line = f"{key} = {_value(value)}"
    if isinstance(value, RawTable) and len(line) > WIDTH:
        for name, each in value.entries.items():
            yield from _lines(f"{key}.{_key(name)}", each)
    else:
        yield line


def _value(value: Raw) -> str:
    if isinstance(value, RawTable):
        text = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.entries.items())
        return f"{{ {text} }}"
    if isinstance(value, RawList):
        return f"[{', '.join(map(_value, value.items))}]"
    return _scalar(value.value)


def _scalar(value: object) -> str:
    """Texts as JSON has them, which TOML takes, but for a character that only TOML refuses."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _scalar(name)
