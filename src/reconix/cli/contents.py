"""The files of a store object, as text and as JSON.

Tested by ``tests/unit/cli/test_store.py``.
"""

import os
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.store.nar import Entry, Event, FileBegin, FolderBegin, FolderEnd, Link, walk


def files_of(tree: Path) -> tuple[str, JsonInput]:
    """Every file, folder and link of an object, in the order of its archive."""
    lines: list[str] = []
    documents: list[JsonInput] = []
    names: list[str] = []
    for event in walk(tree):
        match event:
            case Entry(name):
                names.append(os.fsdecode(name))
            case FolderEnd():
                del names[-1:]
            case FolderBegin() | FileBegin() | Link():
                path = "/".join(names) or "."
                lines.append(_line(path, event))
                documents.append({"path": path, **_document(event)})
                if not isinstance(event, FolderBegin):
                    del names[-1:]
    return "\n".join(map(one_line, lines)), documents


def _line(path: str, event: Event) -> str:
    match event:
        case FileBegin(size_bytes, executable):
            return f"{'x' if executable else '-'} {human(size_bytes):>10}  {path}"
        case Link(target):
            return f"l {'':>10}  {path} -> {os.fsdecode(target)}"
    return f"d {'':>10}  {path}"


def _document(event: Event) -> dict[str, JsonInput]:
    """In the words of ``nix nar ls --json``."""
    match event:
        case FileBegin(size_bytes, executable):
            return {"type": "regular", "size": size_bytes, "executable": executable}
        case Link(target):
            return {"type": "symlink", "target": os.fsdecode(target)}
    return {"type": "directory"}
