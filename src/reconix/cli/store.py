"""Inspect the build store, verify it, and clean it up.

ls [PATH]          all objects, with the size of their archives; the files of one of them
info PATH…         what is registered about objects
closure PATH…      objects with all that they need
why PATH PATH      the chain by which one needs the other, and the files that hold it
size PATH…         bytes of its own, bytes shared with others, bytes that would be freed
diff PATH PATH     what is different between two closures or generations: objects, Debian packages
                   (up, down, added, removed), and which systems that touches
verify [PATH…]     read objects, by default all, and compare them with what is registered
repair [PATH…]     fetch what is damaged, and nothing else; needs --from
collect            remove what no root needs; --dry-run only lists it; --keep N drops all but the
                   newest N generations of each host before
optimise           make equal files one file

`repair --from URL` goes through the proxies that `http_proxy`, `https_proxy`, `all_proxy` and
`no_proxy` name. What arrives leaves room on the disk.

A PATH is a store path, its <hash>-<name>, or the beginning of that. Within a project it may be a
generation as well: 3, -1 (the one before the latest), latest, device (what runs there).

Exit status: 0 success, 20 something is not as registered, 25 something is not there,
26-29 what was fetched is wrong, cannot be had, or is too large.
"""

import argparse
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from reconix.base import progress
from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError, UsageError
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.build import measured
from reconix.build.pins import every_host, is_numbered
from reconix.cli import generations, parsers, places
from reconix.cli.answers import answer
from reconix.cli.closure_differences import difference_of
from reconix.cli.contents import files_of
from reconix.cli.words import counted
from reconix.nix import cache, queries
from reconix.nix.chroot import ChrootStore
from reconix.nix.collect import collect
from reconix.project.files import ProjectFiles
from reconix.store import nar
from reconix.store.paths import STORE_DIR, StorePath

ACTIONS = (
    *("ls", "info", "closure", "why", "size", "diff"),
    *("verify", "repair", "collect", "optimise"),
)
_TWO = ("why", "diff")
_SOME = ("info", "closure", "size")
_NONE = ("collect", "optimise")
_LONG = ("verify", "repair", "collect", "optimise")
_NOT_AS_REGISTERED = 20


class NoSuchObject(ReconixError):
    """No object, or more than one, begins like this."""

    exit_code = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="store paths")
    parser.add_argument("--host", metavar="HOST", help="of which host (default: the only one)")
    parser.add_argument("--dry-run", action="store_true", help="collect: only list")
    parser.add_argument(
        "--keep", type=int, metavar="N", help="collect: generations of each host that stay [all]"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="WHERE",
        help="repair: a binary cache (file:// or http://), or a folder that holds nix/store",
    )
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    _check_count(arguments.action, len(arguments.paths))
    with ChrootStore(places.store(arguments)) as store:
        paths = [_find(arguments, store, text) for text in arguments.paths]
        with _stage(arguments.action):
            if arguments.action == "verify":
                return _verify(arguments, store, paths)
            if arguments.action == "repair":
                return _repair(arguments, store, paths)
            text, document = _ask(arguments, store, paths)
    answer(arguments, text=text, document=document)
    return 0


def _stage(action: str) -> AbstractContextManager[object]:
    """What reads or removes a whole store lasts; the rest has answered at once."""
    return progress.stage(f"{action} the store") if action in _LONG else nullcontext()


def _check_count(action: str, count: int) -> None:
    if action in _TWO and count != 2:
        raise UsageError(f"reconix store {action}: expected two paths, found {count}")
    if action in _SOME and count == 0:
        raise UsageError(f"reconix store {action}: no object given", hint="see `reconix store ls`")
    if action == "ls" and count > 1:
        raise UsageError("reconix store ls: one object at a time")
    if action in _NONE and count:
        raise UsageError(f"reconix store {action}: takes no path")


def _find(arguments: argparse.Namespace, store: ChrootStore, text: str) -> StorePath:
    """The generation of this name, or the object that begins like this."""
    if _is_generation_here(arguments, text):
        files = ProjectFiles.read(places.project(arguments))
        return generations.finder(arguments, files, store, files.host(arguments.host))(text).path
    start = text.removeprefix(f"{store.store_dir}/").removeprefix(f"{STORE_DIR}/").rstrip("/")
    found = [path for path in store.database.valid_paths() if path.basename.startswith(start)]
    if len(found) != 1:
        many = f"{len(found)} objects begin" if found else "no object begins"
        raise NoSuchObject(f"{many} with {start!r}", hint="see `reconix store ls`")
    return found[0]


def _is_generation_here(arguments: argparse.Namespace, text: str) -> bool:
    """Whether a word names a generation; a number begins a hash as well, outside of a project."""
    if not text.isdecimal():
        return is_numbered(text)
    try:
        places.project(arguments)
    except UsageError:
        return False
    return is_numbered(text)


def _ask(
    arguments: argparse.Namespace, store: ChrootStore, paths: list[StorePath]
) -> tuple[str, JsonInput]:
    match arguments.action:
        case "ls" if paths:
            return files_of(store.path(paths[0]))
        case "ls":
            return _list(store, sorted(store.database.valid_paths(), key=lambda path: path.name))
        case "info":
            return _info(store, paths)
        case "closure":
            return _list(store, store.closure(*paths))
        case "why":
            return _why(store, *paths)
        case "size":
            return _size(store, paths)
        case "diff":
            return difference_of(store, *paths)
        case "collect":
            return _collect(arguments, store)
    saved = store.optimise()
    text = f"{saved.files} files became links, {human(saved.size_bytes)} saved"
    return text, {"files": saved.files, "size_bytes": saved.size_bytes}


def _list(store: ChrootStore, paths: Iterable[StorePath]) -> tuple[str, JsonInput]:
    items = [store.info(path) for path in paths]
    lines = [f"{human(item.nar_size_bytes):>10}  {item.path}" for item in items]
    total = sum(item.nar_size_bytes for item in items)
    lines.append(f"{human(total):>10}  {counted(len(items), 'object')}")
    document: JsonInput = [
        {"path": str(item.path), "nar_size_bytes": item.nar_size_bytes} for item in items
    ]
    return "\n".join(map(one_line, lines)), document


def _info(store: ChrootStore, paths: Iterable[StorePath]) -> tuple[str, JsonInput]:
    lines: list[str] = []
    documents: list[JsonInput] = []
    for info in map(store.path_info, paths):
        item = info.object
        lines += [
            str(item.path),
            f"  archive     {item.nar}, {human(item.nar_size_bytes)}",
            f"  named by    {info.content_address or 'how it was built'}",
            *(f"  signed      {signature}" for signature in info.signatures),
            *(f"  refers to   {path}" for path in item.references),
        ]
        documents.append(
            {
                "path": str(item.path),
                "nar_sha256": item.nar.hex(),
                "nar_size_bytes": item.nar_size_bytes,
                "references": [str(path) for path in item.references],
                "content_address": info.content_address,
                "signatures": list(info.signatures),
            }
        )
    return "\n".join(map(one_line, lines)), documents


def _why(store: ChrootStore, one: StorePath, other: StorePath) -> tuple[str, JsonInput]:
    steps = queries.why(store, one, other)
    lines = []
    for depth, step in enumerate(steps):
        held = f"  in {', '.join(step.files)}" if step.files else ""
        lines.append(f"{'  ' * depth}{step.path}{held}")
    document: JsonInput = [{"path": str(one.path), "files": list(one.files)} for one in steps]
    return "\n".join(map(one_line, lines)), document


def _size(store: ChrootStore, paths: Iterable[StorePath]) -> tuple[str, JsonInput]:
    found = queries.sizes(store, paths)
    lines = [f"{'own':>10} {'shared':>10} {'freed':>10}"]
    lines += [
        f"{human(one.own_bytes):>10} {human(one.shared_bytes):>10} "
        f"{human(one.freed_bytes):>10}  {one.path}"
        for one in found
    ]
    document: JsonInput = [
        {
            "path": str(one.path),
            "own_bytes": one.own_bytes,
            "shared_bytes": one.shared_bytes,
            "freed_bytes": one.freed_bytes,
        }
        for one in found
    ]
    return "\n".join(map(one_line, lines)), document


def _collect(arguments: argparse.Namespace, store: ChrootStore) -> tuple[str, JsonInput]:
    lines = [] if arguments.keep is None else _drop(arguments, store)
    found = collect(store, dry=arguments.dry_run)
    lines += [str(path) for path in found.paths]
    verb = "would be removed" if arguments.dry_run else f"removed, {human(found.size_bytes)} freed"
    left = counted(len(found.leftovers), "leftover")
    lines.append(f"{counted(len(found.paths), 'object')} and {left} {verb}")
    document: JsonInput = {
        "paths": [str(path) for path in found.paths],
        "leftovers": list(found.leftovers),
        "freed_bytes": found.size_bytes,
    }
    return "\n".join(map(one_line, lines)), document


def _drop(arguments: argparse.Namespace, store: ChrootStore) -> list[str]:
    """Let go of old generations, and say which."""
    if arguments.dry_run:
        raise UsageError("collect: --keep and --dry-run cannot be combined", hint="leave out one")
    return [
        f"generation {pin.number} of {host} dropped"
        for host, pins in every_host(store.root).items()
        for pin in pins.drop(arguments.keep)
    ]


def _verify(arguments: argparse.Namespace, store: ChrootStore, paths: list[StorePath]) -> int:
    wrong = store.verify(paths or None)
    text = "\n".join(str(error) for error in wrong) or "everything is as registered"
    answer(arguments, text=text, document={"wrong": [str(error.path) for error in wrong]})
    return _NOT_AS_REGISTERED if wrong else 0


def _repair(arguments: argparse.Namespace, store: ChrootStore, paths: list[StorePath]) -> int:
    if arguments.source is None:
        raise UsageError("repair: no source given", hint="name a cache or a store: --from WHERE")
    wrong = [error.path for error in store.verify(paths or None)]
    if wrong:
        measured.forget(store)
    if "://" in arguments.source:
        place = cache.open_cache(arguments.source, places.route())
        for path in wrong:
            store.replace(path, cache.events(place, path))
    else:
        with ChrootStore(Path(arguments.source)) as other:
            for path in wrong:
                other.info(path)
                store.replace(path, nar.walk(other.path(path)))
    lines = [*(f"repaired {path}" for path in wrong), f"{counted(len(wrong), 'object')} repaired"]
    text = "\n".join(lines)
    answer(arguments, text=text, document={"repaired": [str(path) for path in wrong]})
    return 0
