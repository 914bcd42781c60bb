"""Deltas give the file again, as the device would make it."""

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import Need
from tests.unit.transfer.sending.scanned import scanned_file
from tests.unit.transfer.sending.test_targets import built

from reconix.base.process import run
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.packing import Channel
from reconix.transfer.format.plan import Copied, Event, File, Part, Patched, Piece
from reconix.transfer.format.stream import BadStream
from reconix.transfer.receiving.patching import Old, PartMaker, expanded
from reconix.transfer.sending import deltas
from reconix.transfer.sending.deltas import Delta, Job, delta
from reconix.transfer.sending.means import Means, Sparing

need = Need()
ALL = Means(Tool.GZIP | Tool.LZ4)
WITH_LIBRARY = replace(ALL, has_library=True)
FOR_CPU = replace(ALL, sparing=Sparing.CPU)


def wrong(message: str) -> BadStream:
    return BadStream(message, offset=0)


def made(job: Job, found: Delta, place: Path) -> bytes:
    """The file that the events of a delta make."""
    result, maker = bytearray(), None
    old, spent = Old(), list[int]()
    for event in deltas.content(None, job, found, None):
        match event:
            case Part():
                old = opened(job, event, place)
                maker = PartMaker(event, old, result.extend, wrong, spent.append)
            case Piece() | Copied() if maker is not None:
                maker.feed(event)
            case Piece(data):
                result += data
        if maker is not None and maker.complete:
            maker.finish()
            maker = None
            old.close()
    assert sum(spent) == found.moving_work, "a device pays something else than was declared"
    return bytes(result)


def opened(job: Job, part: Part, place: Path) -> Old:
    old = Old()
    for source in part.sources:
        assert job.old is not None
        (place / "old").write_bytes(job.old.read())
        descriptor = os.open(place / "old", os.O_RDONLY)
        if source.pack is Pack.NONE:
            old.append(descriptor, job.old.size_bytes)
        else:
            with (place / "scratch").open("w+b") as scratch:
                expanded(source, descriptor, scratch)
                old.append(os.dup(scratch.fileno()), source.size_bytes)
            os.close(descriptor)
    return old


def job(place: Path, new: bytes, old: bytes | None, means: Means = ALL) -> Job:
    return Job(
        scanned_file(new, fresh(place / "new")),
        None if old is None else scanned_file(old, fresh(place / "old")),
        means,
    )


def fresh(place: Path) -> Path:
    place.unlink(missing_ok=True)
    return place


def events(place: Path, work: Job) -> list[Event]:
    found = delta(work)
    assert made(work, found, place) == work.new.read()
    return list(deltas.content(None, work, found, None))


def sent(found: list[Event]) -> int:
    """How many bytes are new or differ."""
    return sum(
        len(event.data) if isinstance(event, Piece) else len(event.data) - event.data.count(0)
        for event in found
        if isinstance(event, Piece | Copied)
    )


NOISE = random.Random(5).randbytes(40_000)
LINES = b"".join(b"line %d of a text, %d\n" % (n, n * n) for n in range(2000))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from([NOISE[:700], NOISE[:3000], b"\0" * 90, LINES[:800]]), max_size=4),
    st.lists(st.binary(max_size=90) | st.sampled_from([NOISE[:2500], LINES[:800]]), max_size=4),
)
def test_any_file_comes_back_from_any_other(
    tmp_path: Path, old: list[bytes], new: list[bytes]
) -> None:
    events(tmp_path, job(tmp_path, b"".join(new), b"".join(old)))


def test_a_changed_file_costs_what_changed(tmp_path: Path) -> None:
    new = NOISE[:9000] + b"inserted" + NOISE[9000:20_000] + b"!" + NOISE[20_001:]
    assert sent(events(tmp_path, job(tmp_path, new, NOISE))) < 100


def test_what_resembles_nothing_is_sent_as_it_is(tmp_path: Path) -> None:
    strange = random.Random(6).randbytes(5000)
    found = events(tmp_path, job(tmp_path, strange, NOISE))
    assert found[0] == File(None, 5000, False, Channel.BINARY)


def pack(kind: Pack, plain: bytes) -> bytes:
    if kind is Pack.GZIP:
        return run("gzip", "-9n", stdin=plain)
    if kind is Pack.XZ:
        return run("xz", "-T2", "--check=crc32", "--lzma2=dict=1MiB", "-c", stdin=plain)
    need("lz4")
    kernel = bytearray(NOISE[:1000])
    kernel[0x202:0x206] = b"HdrS"
    return bytes(kernel) + run("lz4", "-l", "-9", "-c", stdin=plain) + b"\x07\0\0\0tail"


@pytest.mark.parametrize("kind", [Pack.GZIP, Pack.XZ, Pack.LZ4])
def test_packed_content_is_compared_expanded(tmp_path: Path, kind: Pack) -> None:
    new = pack(kind, LINES.replace(b"line 77 ", b"lime 77 "))
    found = events(tmp_path, job(tmp_path, new, pack(kind, LINES)))
    assert isinstance(found[0], Patched)
    assert kind in {event.pack for event in found if isinstance(event, Part)}
    assert sent(found) < 100


def test_what_zlib_packs_alike_needs_no_program(tmp_path: Path) -> None:
    new, old = (pack(Pack.GZIP, text) for text in (LINES.replace(b"line 77 ", b"lime "), LINES))
    work = job(tmp_path, new, old, Means(Tool.GZIP | Tool.ZLIB))
    found = delta(work)
    assert (found.tools, found.zlib_parts) == (Tool.ZLIB, 1)
    assert sent(events(tmp_path, work)) < 100


def test_what_zlib_packs_otherwise_is_left_to_the_program(tmp_path: Path) -> None:
    text = b"".join(b"%d,%d\n" % (n, n * n % 7) for n in range(60_000))
    new, old = (pack(Pack.GZIP, each) for each in (text.replace(b"\n77,", b"\n78,"), text))
    work = job(tmp_path, new, old, Means(Tool.GZIP | Tool.ZLIB))
    assert (delta(work).tools, delta(work).zlib_parts) == (Tool.GZIP, 0)
    assert sent(events(tmp_path, work)) < 1000


def test_content_that_is_packed_only_now_is_compared_too(tmp_path: Path) -> None:
    assert sent(events(tmp_path, job(tmp_path, pack(Pack.XZ, LINES), LINES))) == 0
    assert sent(events(tmp_path, job(tmp_path, LINES, pack(Pack.XZ, LINES)))) == 0


def test_what_cannot_be_packed_again_is_sent_packed(tmp_path: Path) -> None:
    fast = run("gzip", "-1n", stdin=LINES)
    found = events(tmp_path, job(tmp_path, fast, pack(Pack.GZIP, LINES)))
    assert isinstance(found[0], File) and sent(found) == found[0].size_bytes == len(fast)


@pytest.mark.parametrize("kind", [Pack.GZIP, Pack.LZ4])
def test_a_tool_that_the_device_lacks_is_not_used(tmp_path: Path, kind: Pack) -> None:
    new = pack(kind, LINES.replace(b"line 77 ", b"lime 77 "))
    work = job(tmp_path, new, pack(kind, LINES), Means())
    assert delta(work).tools == NO_TOOLS
    events(tmp_path, work)


def test_a_large_file_is_compared_in_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deltas, "_MAX_BYTES", 20_000)
    monkeypatch.setattr(deltas, "_WINDOW_BYTES", 8_000)
    monkeypatch.setattr(deltas, "_MARGIN_BYTES", 2_000)
    new = NOISE[:9000] + b"inserted" + NOISE[9000:]
    assert sent(events(tmp_path, job(tmp_path, new, NOISE))) < 100


def test_references_in_an_old_program_are_moved(tmp_path: Path) -> None:
    old, new = (built(tmp_path, inserted, "-shared", "-Bsymbolic") for inserted in (0, 21))
    work = job(tmp_path, new, old)
    assert delta(work).moved_parts == 1
    assert sent(events(tmp_path, work)) < 100
    assert delta(job(tmp_path, LINES[:-5], LINES)).moved_parts == 0


def test_references_in_a_packed_program_are_moved_too(tmp_path: Path) -> None:
    programs = (built(tmp_path, inserted, "-e", "f0") for inserted in (0, 21))
    old, new = (pack(Pack.XZ, program) for program in programs)
    assert sent(events(tmp_path, job(tmp_path, new, old))) < 100


def test_programs_have_a_channel_of_their_own(tmp_path: Path) -> None:
    kinds = {b"\2\0\x3e\0": Channel.CODE, b"\1\0\x3e\0": Channel.BINARY}
    for kind, channel in kinds.items():
        content = b"\x7fELF\2\1" + bytes(10) + kind + NOISE[:100]
        assert delta(job(tmp_path, content, None)).channel is channel


def test_more_is_moved_where_a_library_does_it(tmp_path: Path) -> None:
    old, new = (built(tmp_path, inserted) for inserted in (0, 21))
    by_python, by_library = job(tmp_path, new, old), job(tmp_path, new, old, WITH_LIBRARY)
    assert delta(by_python).moved_parts == 0
    assert delta(by_library).moved_parts == 1
    assert sent(events(tmp_path, by_library)) < sent(events(tmp_path, by_python))


def test_nothing_is_packed_again_where_the_processor_is_dear(tmp_path: Path) -> None:
    for kind in (Pack.GZIP, Pack.XZ):
        new, old = (pack(kind, text) for text in (LINES.replace(b"line 77 ", b"lime 77 "), LINES))
        spared = job(tmp_path, new, old, FOR_CPU)
        assert {part.pack for part in delta(spared).parts} <= {Pack.NONE}
        assert sent(events(tmp_path, job(tmp_path, new, old))) < sent(events(tmp_path, spared))


def test_references_are_looked_at_by_a_library_or_not_at_all_where_the_processor_is_dear(
    tmp_path: Path,
) -> None:
    old, new = (built(tmp_path, inserted, "-shared", "-Bsymbolic") for inserted in (0, 21))
    assert delta(job(tmp_path, new, old, FOR_CPU)).moved_parts == 0
    assert delta(job(tmp_path, new, old, replace(WITH_LIBRARY, sparing=Sparing.CPU))).moved_parts
