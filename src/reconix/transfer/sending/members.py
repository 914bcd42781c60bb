"""Finding what is compressed in a file, and whether it can be made again bit by bit.

Tested by ``tests/unit/transfer/sending/test_deltas.py``.
"""

import io
from dataclasses import dataclass, replace

from reconix.transfer.codecs import lz4, packs
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.plan import MAX_EXPANDED_BYTES
from reconix.transfer.sending.means import Means

_GZIP, _XZ = b"\x1f\x8b\x08", b"\xfd7zXZ\0"
_BOOT_SECTOR, _BOOT_SECTOR_AT = b"HdrS", 0x202  # Linux: The x86 boot protocol

_WAYS = {Pack.GZIP: (Pack.ZLIB, Pack.GZIP), Pack.XZ: (Pack.XZ,), Pack.LZ4: (Pack.LZ4,)}


@dataclass(frozen=True, slots=True)
class Member:
    """A stretch of a file and what it is when expanded."""

    pack: Pack
    begin: int
    end: int
    content: bytes


def find(content: bytes) -> Member | None:
    """The compressed member of a file; at most one is looked for."""
    if content.startswith(_GZIP):
        return _expanded(content, Pack.GZIP, 0, len(content))
    if content.startswith(_XZ):
        return _expanded(content, Pack.XZ, 0, len(content))
    if content[_BOOT_SECTOR_AT:].startswith(_BOOT_SECTOR):
        begin = content.find(lz4.MAGIC)
        return None if begin < 0 else _expanded(content, Pack.LZ4, begin, _lz4_end(content, begin))
    return None


def whole(content: bytes) -> Member:
    """A file as it is."""
    return Member(Pack.NONE, 0, len(content), content)


def cut(content: bytes, means: Means) -> list[Member]:
    """A file as a sequence of stretches, of which one may be expanded.

    Args:
        content: the file.
        means: what may be used to make it again.
    """
    member = _repeated(find(content), content, means)
    if member is None:
        return [whole(content)]
    before, after = content[: member.begin], content[member.end :]
    parts = [Member(Pack.NONE, 0, member.begin, before), member]
    parts.append(Member(Pack.NONE, member.end, len(content), after))
    return [each for each in parts if each.content or each.pack is not Pack.NONE]


def _expanded(content: bytes, pack: Pack, begin: int, end: int) -> Member | None:
    read = io.BytesIO(content[begin:end]).read
    try:
        expanded = b"".join(packs.expand(pack, read, end - begin, MAX_EXPANDED_BYTES))
    except (packs.BadPack, OSError):
        return None
    return Member(pack, begin, end, expanded) if expanded else None


def _lz4_end(content: bytes, begin: int) -> int:
    """Where the blocks end: the last is the first that is not full, and no size follows it."""
    at = begin + len(lz4.MAGIC)
    while at + 4 <= len(content):
        size = int.from_bytes(content[at : at + 4], "little")
        if not 0 < size <= len(content) - at - 4 or size > 2 * lz4.BLOCK_BYTES:
            break
        if not lz4.is_block(content[at + 4 : at + 4 + size]):
            break
        at += 4 + size
    return at


def _repeated(member: Member | None, content: bytes, means: Means) -> Member | None:
    """The member with the first of the ways to pack it that give the same bytes again."""
    if member is None:
        return None
    for pack in _WAYS[member.pack]:
        way = replace(member, pack=pack)
        if means.packs(pack) and _repeats(way, content):
            return way
    return None


def _repeats(member: Member, content: bytes) -> bool:
    """Whether the same bytes come out again."""
    made = bytearray()
    try:
        packer = packs.packer(member.pack, made.extend)
        packer.feed(member.content)
        packer.finish()
    except (packs.BadPack, OSError):
        return False
    return made == content[member.begin : member.end]
