import contextlib
import io
import lzma
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need

from reconix.base.process import run
from reconix.transfer.codecs import packs
from reconix.transfer.codecs.packs import BadPack, Pack
from reconix.transfer.codecs.tools import NO_TOOLS, Tool, missing

need = Need()
WORDS = [random.Random(1).randbytes(9) for _ in range(300)]


def content(size: int) -> bytes:
    """Bytes that compress about as well as a program."""
    return b"".join(random.Random(size).choices(WORDS, k=size // 9 + 1))[:size]


def packed(pack: Pack, *parts: bytes) -> bytes:
    made = bytearray()
    packer = packs.packer(pack, made.extend)
    for part in parts:
        packer.feed(part)
    packer.finish()
    return bytes(made)


def expanded(pack: Pack, member: bytes, limit: int = 64 << 20) -> bytes:
    read = io.BytesIO(member).read
    return b"".join(packs.expand(pack, read, len(member), limit))


def by_gzip(plain: bytes) -> bytes:
    return run("gzip", "-9n", stdin=plain)


def by_xz(plain: bytes) -> bytes:
    return run("xz", "--threads=2", "--check=crc32", "--lzma2=dict=1MiB", "-c", stdin=plain)


def by_lz4(plain: bytes) -> bytes:
    return run("lz4", "-l", "-9", "-c", stdin=plain)


@pytest.mark.parametrize("size", [1, 2, 100, 5000, 70_001, (3 << 20) + 5, (8 << 20) + 77])
@pytest.mark.parametrize(
    ("pack", "program"),
    [(Pack.GZIP, by_gzip), (Pack.XZ, by_xz), (Pack.LZ4, by_lz4), (Pack.ZLIB, by_gzip)],
)
def test_packed_content_equals_that_of_the_program(
    pack: Pack, program: Callable[[bytes], bytes], size: int
) -> None:
    need({Pack.GZIP: "gzip", Pack.XZ: "xz", Pack.LZ4: "lz4", Pack.ZLIB: "gzip"}[pack])
    if pack is Pack.GZIP and size > packs.MAX_GZIP_BYTES:
        return
    plain = content(size)
    theirs = program(plain)
    assert packed(pack, plain[: size // 3], plain[size // 3 :]) == theirs
    assert expanded(pack, theirs) == plain


@given(st.sampled_from(Pack), st.binary(min_size=1, max_size=300), st.data())
def test_s7_a_damaged_member_is_expanded_or_refused(
    pack: Pack, plain: bytes, data: st.DataObject
) -> None:
    member = bytearray(packed(pack, plain))
    member[data.draw(st.integers(0, len(member) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(BadPack):
        expanded(pack, bytes(member), 9000)


@pytest.mark.parametrize("pack", Pack)
def test_s6_a_member_that_expands_to_more_than_declared_is_refused(pack: Pack) -> None:
    with pytest.raises(BadPack, match="more than was declared"):
        expanded(pack, packed(pack, bytes(1 << 20)), 1000)


def test_a_block_that_is_shorter_than_it_says_is_refused_and_not_read_beyond_its_end() -> None:
    """The library would expand what lies behind it in memory, or end the process."""
    member = packed(Pack.LZ4, content(300_000))
    for end in (*range(9), len(member) // 2, len(member) - 1):
        read = io.BytesIO(member[:end]).read
        with pytest.raises(BadPack, match=r"ends after|no LZ4"):
            list(packs.expand(Pack.LZ4, read, len(member), 64 << 20))


def test_a_member_that_takes_more_memory_than_a_device_gives_is_refused() -> None:
    large = {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20}
    member = lzma.compress(b"content", lzma.FORMAT_XZ, filters=[large])
    with pytest.raises(BadPack, match=r"[Mm]emory"):
        expanded(Pack.XZ, member)
    assert expanded(Pack.XZ, lzma.compress(b"content", preset=6)) == b"content"


@pytest.mark.parametrize("pack", [Pack.GZIP, Pack.XZ, Pack.LZ4])
def test_what_follows_a_member_is_not_taken_into_memory(pack: Pack) -> None:
    member = packed(pack, content(5000)) + bytes(4 << 20)
    tracemalloc.start()
    with pytest.raises(BadPack):
        expanded(pack, member)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(member) + (1 << 20)


def test_s6_gzip_is_not_given_more_than_it_may_hold() -> None:
    packer = packs.packer(Pack.GZIP, lambda _: None)
    with pytest.raises(BadPack, match="for gzip"):
        for _ in range(9):
            packer.feed(bytes(1 << 20))


def test_a_tool_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(NO_TOOLS) == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing(Tool.GZIP) == ["gzip"]
    assert missing(Tool.ZLIB) == []


def test_a_zlib_that_packs_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """As one that its maker has made faster."""

        def __getattr__(self, name: str) -> object:
            return getattr(zlib, name)

        def compressobj(self, level: int, method: int, bits: int, memory: int) -> object:
            return zlib.compressobj(level - 1, method, bits, memory)

    monkeypatch.setattr(packs, "zlib", Other())
    assert missing(Tool.ZLIB) == ["a zlib that packs as that of zlib.net"]


def test_what_zlib_gives_does_not_depend_on_how_much_comes_at_once() -> None:
    plain = content(300_000)
    pieces = [plain[at : at + 777] for at in range(0, len(plain), 777)]
    assert packed(Pack.ZLIB, *pieces) == packed(Pack.ZLIB, plain)
