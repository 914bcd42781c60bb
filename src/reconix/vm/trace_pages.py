"""The kernel's trace buffer, found in the memory of a guest.

The kernel writes what it traces into pages, and forgets it with the next start. Here the memory of
a guest that stands still is searched for those pages, so nothing in the guest has to read them: a
start that ends in a panic is seen like any other, up to its last moment. Pages are told from all
others by their form, which must fit to the last byte, and by an event of ours in them.

    page     time u64, length u64 of all entries, entries
    entry    u32: kind in the low 5 bits, above it the time since the entry before
             kind 1 to 28    4 * kind bytes: a record
             kind 0          u32: length, with these four bytes; a record
             kind 29         u32: length, with these four bytes, of nothing; without a time,
                             nothing follows
             kind 30, 31     u32: more of the time
    record   event u16, flags u16, process i32, address u64, then what the probe reads

    looked   path and task, device u32, inode u64
    linked   target and name

A text stands as u32: its length in the upper half, in the lower one where it is in the record.
The texts follow the numbers, so the first of them says by its place what kind of record it is in.

Source: Linux, kernel/trace/ring_buffer.c, *struct buffer_data_page*, include/linux/ring_buffer.h;
Documentation/trace/kprobetrace.rst; seen with 6.12.
Tested by ``tests/unit/vm/test_trace_pages.py``.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

PAGE = 4096
_PAGE_HEAD = Struct("<QQ")
_RECORD_HEAD = Struct("<HHiQ")
_LOOKED = Struct("<IIIQ")
_LINKED = Struct("<II")
_LONGEST = PAGE - _PAGE_HEAD.size
_LATEST = 1 << 56
"""No guest runs for two years; what is later is no time."""
_PADDING, _TIMES = 29, (30, 31)


class Root(NamedTuple):
    """What a process has as ``/``: a folder by its device and inode."""

    device: int
    inode: int


class Looked(NamedTuple):
    """A process looked for a path."""

    process: int
    task: str
    path: str
    root: Root


class Linked(NamedTuple):
    """A process made a symbolic link."""

    name: str
    target: str


Event = Looked | Linked


class _NoPageError(Exception):
    """The bytes are no page of a trace."""


class Taken(NamedTuple):
    """What was found.

    Attributes:
        events: in their order.
        pages: how many there are with an event of ours.
    """

    events: list[Event]
    pages: int


def take(file: Path) -> Taken:
    """Take all events out of the memory of a guest that stands still.

    The pages are wiped: what the next start of the guest does not overwrite would be found again.

    Args:
        file: its memory.
    """
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
        found = []
        for at in _candidates(memory):
            page = memory[at : at + PAGE]
            events = parse_page(page)
            if events:
                found.append((_PAGE_HEAD.unpack_from(page)[0], events))
                memory[at : at + PAGE] = bytes(PAGE)
    found.sort(key=lambda each: each[0])
    return Taken([event for _, events in found for event in events], len(found))


def _candidates(memory: mmap.mmap) -> Iterator[int]:
    """Where a page may be, by its head."""
    for at in range(0, len(memory), PAGE):
        time, length = _PAGE_HEAD.unpack_from(memory, at)
        if 0 < time < _LATEST and 0 < length <= _LONGEST and length % 4 == 0:
            yield at


def parse_page(page: bytes) -> list[Event]:
    """The events of ours in a page; nothing if it is none of a trace."""
    length = _PAGE_HEAD.unpack_from(page)[1]
    try:
        records = list(_records(page[_PAGE_HEAD.size :][:length]))
        return [event for record in records if (event := _event(record)) is not None]
    except _NoPageError:
        return []


def _records(entries: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(entries):
        kind, size = _entry(entries, at)
        if kind < _PADDING:
            yield entries[at + (4 if kind else 8) : at + size]
        at += size
    if at != len(entries):
        raise _NoPageError


def _entry(entries: bytes, at: int) -> tuple[int, int]:
    """Kind and size of an entry."""
    word = int.from_bytes(entries[at : at + 4], "little")
    kind, time = word & 31, word >> 5
    if 0 < kind < _PADDING:
        return kind, 4 + 4 * kind
    if kind in _TIMES:
        return kind, 8
    if kind == _PADDING and not time:
        return kind, len(entries) - at
    said = int.from_bytes(entries[at + 4 : at + 8], "little")
    if said < 4 or said % 4:
        raise _NoPageError
    return kind, 4 + said


def _event(record: bytes) -> Event | None:
    if len(record) < _RECORD_HEAD.size + 4:
        return None
    head = _RECORD_HEAD.size
    first = int.from_bytes(record[head : head + 2], "little")
    process = _RECORD_HEAD.unpack_from(record)[2]
    if first == head + _LOOKED.size and len(record) > first:
        path, task, device, inode = _LOOKED.unpack_from(record, head)
        return Looked(process, _text(record, task), _text(record, path), Root(device, inode))
    if first == head + _LINKED.size and len(record) > first:
        target, name = _LINKED.unpack_from(record, head)
        return Linked(_text(record, name), _text(record, target))
    return None


def _text(record: bytes, where: int) -> str:
    at, length = where & 0xFFFF, where >> 16
    return record[at : at + length].partition(b"\0")[0].decode(errors="replace")
