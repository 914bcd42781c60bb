"""Several trees as one: what an environment has of each of its wheels.

Equal files of one name are one, for packages that share a name space have such files: an empty
``__init__.py``. What the configuration excludes is left out, and with a module what it was
compiled to.

Tested by ``tests/unit/build/software/python/test_united.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.config.patterns import Patterns
from reconix.store import nar
from reconix.store.nar import Entry, Event, FolderBegin, FolderEnd

_COMPILED = "__pycache__"


class SameFile(ReconixError):
    """Two wheels bring a file of one name with different contents."""

    exit_code = 65

    def __init__(self, path: str, one: str, other: str) -> None:
        super().__init__(
            f"{one} and {other} both bring {one_line(path)}, and they differ",
            hint="name it in exclude if it is not needed, or use another version of one of them",
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A tree, and whose it is."""

    tree: Path
    whose: str
    """For messages."""
    is_wheel: bool = True
    """Whether something of it can be excluded."""


def united(parts: list[Part], excluded: Patterns, under: str = "") -> Iterator[Event]:
    """The folders of several trees as one, as events of an archive.

    Args:
        parts: folders.
        excluded: what is left out of those of wheels.
        under: where they are in the whole, with a slash, for all but the whole.

    Raises:
        SameFile: two have different nodes of one name that are not both folders.
    """
    names = sorted({entry.name.encode() for part in parts for entry in part.tree.iterdir()})
    yield FolderBegin()
    for name in names:
        path = f"{under}{name.decode()}"
        nodes = (Part(part.tree / name.decode(), part.whose, part.is_wheel) for part in parts)
        found = [node for node in nodes if _counts(node, path, excluded)]
        if not found:
            continue
        yield Entry(name)
        if all(_is_folder(node) for node in found):
            yield from united(found, excluded, f"{path}/")
        else:
            yield from nar.walk(_only(path, found))
    yield FolderEnd()


def _counts(node: Part, path: str, excluded: Patterns) -> bool:
    if not (node.tree.is_symlink() or node.tree.exists()):
        return False
    if not node.is_wheel:
        return True
    source = _source(path)
    is_excluded = excluded.match(path, is_folder=_is_folder(node))
    return not is_excluded and not (source and excluded.match(source))


def _source(path: str) -> str:
    """The module that a compiled file is of; nothing for any other file."""
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    return f"{above}/{name.partition('.')[0]}.py" if last == _COMPILED else ""


def _is_folder(node: Part) -> bool:
    return node.tree.is_dir() and not node.tree.is_symlink()


def _only(path: str, found: list[Part]) -> Path:
    """One of several nodes that are equal."""
    first, *others = found
    for other in others:
        if _is_folder(other) or _is_folder(first) or not _are_equal(other.tree, first.tree):
            raise SameFile(_source(path) or path, first.whose, other.whose)
    return first.tree


def _are_equal(one: Path, other: Path) -> bool:
    return nar.digest(one) == nar.digest(other)
