"""Several trees as one: what an environment has of each of its wheels.

Tested by ``tests/unit/build/software/python/test_environment.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.store import nar
from reconix.store.nar import Entry, Event, FolderBegin, FolderEnd


class SameFile(ReconixError):
    """Two wheels bring a file of one name with different contents."""

    exit_code = 65


def merged(trees: Mapping[Path, str]) -> Iterator[Event]:
    """The folders of several trees as one, as events of an archive.

    Args:
        trees: folders, with the name of what each is from.

    Raises:
        SameFile: two have different nodes of one name that are not both folders.
    """
    names = sorted({name.name.encode() for tree in trees for name in tree.iterdir()})
    yield FolderBegin()
    for name in names:
        nodes = {tree / name.decode(): whose for tree, whose in trees.items()}
        found = {node: whose for node, whose in nodes.items() if node.is_symlink() or node.exists()}
        yield Entry(name)
        if all(node.is_dir() and not node.is_symlink() for node in found):
            yield from merged(found)
        else:
            yield from nar.walk(_only(found))
    yield FolderEnd()


def _only(found: Mapping[Path, str]) -> Path:
    """One of several nodes that are equal.

    Packages that share a name space have such files: an empty ``__init__.py``.
    """
    (first, whose), *others = found.items()
    for node, other in others:
        if node.is_dir() or first.is_dir() or nar.digest(node) != nar.digest(first):
            raise SameFile(
                f"{whose} and {other} both bring {first.name} in {first.parent.name}, and they "
                "differ",
                hint="remove one of the two, or put them into two environments",
            )
    return first
