"""Which files a project is written in: those that are always there, and what they import.

Read without checking them, so that a configuration with errors can be formatted, too.

Tested by ``tests/unit/cli/test_fmt.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from reconix.config.file_kinds import PROJECT_FILE
from reconix.config.toml.reader import (
    LITERATE,
    PLAIN,
    InvalidToml,
    Raw,
    RawList,
    RawScalar,
    RawTable,
    read_toml,
)

_PLACES = ("hosts/*/machine", "hosts/*/systems/*")


def sources(folder: Path) -> tuple[Path, ...]:
    """All files of the project in a folder, sorted; literate ones are among them."""
    endings = (PLAIN, LITERATE)
    found = [path for place in _PLACES for end in endings for path in folder.glob(place + end)]
    waiting, seen = [folder / PROJECT_FILE, *found], set[Path]()
    while waiting:
        file = waiting.pop()
        if file not in seen and file.is_file():
            seen.add(file)
            waiting += _imported(file)
    return tuple(sorted(seen))


def _imported(file: Path) -> Iterator[Path]:
    try:
        imports = read_toml(file).entries.get("imports")
    except InvalidToml:
        return  # reported when it is formatted
    for item in _items(imports):
        if isinstance(item, RawScalar) and isinstance(item.value, str):
            yield Path(os.path.normpath(file.parent / item.value))


def _items(value: Raw | None) -> Iterator[Raw]:
    """What a list has, in whichever of its spellings: ``[…]`` or ``{ force = […] }``."""
    if isinstance(value, RawList):
        yield from value.items
    elif isinstance(value, RawTable):
        for each in value.entries.values():
            yield from _items(each)
