"""A case: one crash state in a file, small enough to keep, complete enough to look at again.

    line 1   JSON: format, generation that the image is made from, what the verdict was, what
             follows
    rest     zlib: the contents of the blocks that differ from the image, one after the other

The image itself is not in it: the same generation and layout give the same image. The generations
come from the store.

Tested by ``tests/crash/test_prover.py``.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.files import read_bounded, write_durably
from reconix.prove.proved import Ran
from reconix.prove.prover import Case, Walk
from reconix.store.paths import StorePath

VERSION = 2
MAX_BYTES = 1 << 30
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Kept:
    """One crash state.

    Attributes:
        base: the generation of the image.
        target: the one that it was to be updated to.
        step: what was interrupted.
        problem: what was wrong.
        block_bytes: how large a block is.
        blocks: their contents, by number.
        next_boots: what the firmware may have been told to boot next.
        ran: what was known to run.
    """

    base: StorePath
    target: StorePath
    step: str
    problem: str
    block_bytes: int
    blocks: dict[int, bytes]
    next_boots: tuple[bytes | None, ...]
    ran: tuple[Ran, ...]


def keep(walk: Walk, case: Case, base: StorePath, target: StorePath) -> Kept:
    """Take a state out of the history in which it was found."""
    return Kept(
        base,
        target,
        case.step,
        case.problem,
        walk.disk.block_bytes,
        walk.contents(case.cut),
        walk.next_boots(case.cut),
        walk.ran(case.cut),
    )


def write_case(path: Path, kept: Kept) -> None:
    """Write a case to a file."""
    write_durably(path, print_case(kept))


def read_case(path: Path) -> Kept:
    """Read a case from a file.

    Raises:
        BadDocument, BadFile, OSError: it is not one.
    """
    return parse_case(read_bounded(path, MAX_BYTES), source=str(path))


def print_case(kept: Kept) -> bytes:
    """The bytes of a case; the opposite of ``parse_case``."""
    head = {
        "version": VERSION,
        "base": str(kept.base),
        "target": str(kept.target),
        "step": kept.step,
        "problem": kept.problem,
        "@@block_bytes": kept.block_bytes,
        "@@blocks": list(kept.blocks),
        "next_boots": [guid.hex() if guid else "" for guid in kept.next_boots],
        "ran": [_print_ran(each) for each in kept.ran],
    }
    line = b" ".join(print_json(head).split(b"\n")) + b"\n"
    return line + zlib.compress(b"".join(kept.blocks.values()), _LEVEL)


def parse_case(content: bytes, *, source: str) -> Kept:
    """Read a case.

    Raises:
        BadDocument: it is not one.
    """
    line, _, packed = content.partition(b"\n")
    fields = Fields.parse(line, source=source)
    fields.expect_version(VERSION)
    size = fields.number("@@block_bytes")
    numbers = [number for number in fields.items("@@blocks") if isinstance(number, int)]
    return Kept(
        StorePath.parse(fields.text("base")),
        StorePath.parse(fields.text("target")),
        fields.text("step"),
        fields.text("problem"),
        size,
        dict(zip(numbers, _unpack(packed, size, len(numbers), source), strict=True)),
        tuple(bytes.fromhex(text) or None for text in fields.texts("next_boots")),
        tuple(map(_parse_ran, fields.objects("ran"))),
    )


def _print_ran(ran: Ran) -> JsonInput:
    containers = str(ran.containers) if ran.containers else None
    return {"position": ran.position, "toplevel": str(ran.toplevel), "containers": containers}


def _parse_ran(fields: Fields) -> Ran:
    return Ran(
        fields.number("position"),
        StorePath.parse(fields.text("toplevel")),
        StorePath.parse(fields.text("containers")) if fields.has("containers") else None,
    )


def _unpack(packed: bytes, size: int, count: int, source: str) -> list[bytes]:
    try:
        content = zlib.decompressobj().decompress(packed, size * count + 1)
    except zlib.error as error:
        raise BadDocument(f"{source}: its blocks cannot be unpacked: {error}") from error
    if len(content) != size * count:
        raise BadDocument(f"{source}: it has not the blocks that it names")
    return [content[at : at + size] for at in range(0, len(content), size)]


def put_on(image: Path, kept: Kept) -> None:
    """Bring an image, made from the generation of a case, into its state."""
    with image.open("r+b") as file:
        for block, content in kept.blocks.items():
            file.seek(block * kept.block_bytes)
            file.write(content)
