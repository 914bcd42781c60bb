"""Pages of a trace are found in a memory, and nothing else is taken for one."""

import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from reconix.vm.trace_pages import PAGE, Event, Linked, Looked, Root, Taken, parse_page, take

ROOT = Root(26, 1)
FSTAB = Looked(1, "systemd", "/etc/fstab", ROOT)
SS = Looked(77, "sh", "/usr/bin/ss", ROOT)
LINK = Linked("system", "/nix/store/abc-system-web")
OTHER = struct.pack("<HHiQI", 315, 0, 1, 0, 9)
"""A record of another event."""
LONG = Looked(5, "python3", f"/{'x' * 200}", Root(40, 2))
REAL = Path(__file__).parents[2] / "data/vm/trace-page.bin"
"""Of Linux 6.12, while an initrd made the root of a system."""


def record(event: Event) -> bytes:
    """What the kernel writes for it."""
    if isinstance(event, Linked):
        return _with_texts("<II", 24, [event.target, event.name])
    return _with_texts("<IIIQ", 36, [event.path, event.task], *event.root, process=event.process)


def _with_texts(form: str, at: int, texts: list[str], *numbers: int, process: int = 1) -> bytes:
    places, content = [], b""
    for text in texts:
        raw = text.encode() + b"\0"
        places.append(len(raw) << 16 | at + len(content))
        content += raw
    head = struct.pack("<HHiQ", 1554, 0, process, 0xFFFFFFFF81234567)
    return head + struct.pack(form, *places, *numbers) + content


def entry(said: bytes, *, time: int = 100) -> bytes:
    """A record with what stands before it."""
    padded = said + bytes(-len(said) % 4)
    if len(padded) <= 112:
        return struct.pack("<I", time << 5 | len(padded) // 4) + padded
    return struct.pack("<II", time << 5, len(padded) + 4) + padded


def page(*entries: bytes, time: int = 1_000_000) -> bytes:
    content = b"".join(entries)
    return (struct.pack("<QQ", time, len(content)) + content).ljust(PAGE, b"\0")


def events(*found: Event) -> bytes:
    return page(*(entry(record(each)) for each in found))


def memory(file: Path, pages: Iterable[bytes]) -> Taken:
    file.write_bytes(b"".join(pages))
    return take(file)


@pytest.mark.parametrize("found", [[FSTAB], [SS, LINK, FSTAB], [LONG, SS]])
def test_events_are_read_in_order(found: list[Event]) -> None:
    assert parse_page(events(*found)) == found


def test_what_stands_between_events_is_passed_over() -> None:
    more_time = struct.pack("<II", 5 << 5 | 30, 1) + struct.pack("<II", 31, 1)
    nothing = struct.pack("<II", 1 << 5 | 29, 12) + bytes(8)
    rest = struct.pack("<I", 29) + bytes(40)
    said = page(more_time, entry(OTHER), nothing, entry(record(SS)), rest)
    assert parse_page(said) == [SS]


@pytest.mark.parametrize(
    "other",
    [
        bytes(PAGE),
        b"\x7fELF".ljust(PAGE, b"\1"),
        page(entry(OTHER)),
        page(entry(record(SS)), struct.pack("<I", 28)),
        page(entry(record(SS)), struct.pack("<II", 1 << 5, 3)),
        page(struct.pack("<I", 5) + bytes(20)),
    ],
)
def test_other_pages_have_no_event(other: bytes) -> None:
    assert parse_page(other) == []


def test_pages_are_found_anywhere_and_told_by_their_time(tmp_path: Path) -> None:
    later, sooner = page(entry(record(SS)), time=9), page(entry(record(FSTAB)), time=7)
    found = memory(tmp_path / "m", [bytes(PAGE), later, b"\xff" * PAGE, sooner])
    assert found == Taken([FSTAB, SS], 2)


def test_what_was_taken_is_not_found_again_and_all_else_stays(tmp_path: Path) -> None:
    other = b"\xff" * PAGE
    memory(tmp_path / "m", [other, events(SS), other])
    assert (tmp_path / "m").read_bytes() == other + bytes(PAGE) + other
    assert take(tmp_path / "m") == Taken([], 0)


def test_a_page_of_linux_is_read() -> None:
    found = parse_page(REAL.read_bytes())
    links = [each for each in found if isinstance(each, Linked)]
    assert len(found) == 66
    assert [each.name for each in links] == ["store", "bin", "sbin", "lib", "lib64", "system"]
    assert links[-1].target.endswith("-system-default")
    assert found[0] == Looked(251, "mount", "/mnt/system/pool", Root(2, 1))
