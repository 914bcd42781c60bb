"""W5: a stream that is signed and wrong costs a device bounded time, memory, room and scratch."""

import contextlib
import gzip
import io
import os
import random
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.trusting import trusting
from tests.unit.transfer import made_btf
from tests.unit.transfer.conftest import Pair
from tests.unit.transfer.made_programs import program
from tests.unit.transfer.made_tries import made
from tests.unit.transfer.receiving.mutation import Mutation, Taken

from reconix.base.errors import ReconixError
from reconix.nix.signatures import SecretKey
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import Entries
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs import compiled, packs
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.costs import WORK_PER_BYTE
from reconix.transfer.format.plan import Part
from reconix.transfer.format.stream import AGENT, AGENT_FEATURES, print_features
from reconix.transfer.receiving.receive import receive

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop

MUTANTS = int(os.environ.get("RECONIX_EXAMPLES", "30")) * 4
MIB = 1 << 20
MEMORY_BYTES = 64 * MIB
KEY = SecretKey(
    "key",
    bytes(range(32))
    + bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"),
)


def packed(pack: Pack, content: bytes) -> bytes:
    made = bytearray()
    packer = packs.packer(pack, made.extend)
    packer.feed(content)
    packer.finish()
    return bytes(made)


def kernel(content: bytes) -> File:
    """As Linux packs itself: a boot sector, LZ4, the expanded size."""
    start = bytes(0x202) + b"HdrS" + bytes(100)
    return File(start + packed(Pack.LZ4, content) + len(content).to_bytes(4, "little"))


def agent() -> File:
    """What tells that all features are known."""
    application = io.BytesIO()
    with zipfile.ZipFile(application, "w") as archive:
        archive.writestr(AGENT_FEATURES, print_features())
    return File(application.getvalue())


def trie(count: int) -> File:
    """A database of hardware."""
    return File(made({f"usb:v{n * 7919:06X}*": {"ID_VENDOR": f"{n * n}"} for n in range(count)}))


def types(step: int) -> File:
    """A program that says of types."""
    return File(made_btf.kernel(made_btf.structures(900, step=step).printed()))


@pytest.fixture
def rich(workshop: "Workshop") -> Pair:
    """Two generations between which every kind of step and part is of use."""
    noise = random.Random(5)
    text = b"".join(b"line %d\n" % number for number in range(3000))
    old: dict[str, Node] = {
        "bin/gzip": File(b"", executable=True),
        f"etc/{AGENT}": agent(),
        "hwdb.bin": trie(400),
        "lib/liblz4.so.1": File(b""),
        f"lib/{compiled.file_name('x86_64')}": File(b""),
        "vmlinux": types(0),
        "packed.gz": File(gzip.compress(text, 9, mtime=0)),
        "packed.xz": File(packed(Pack.XZ, text)),
        "kernel": kernel(text + noise.randbytes(3000)),
        "program": File(program(2)),
        "changed": File(noise.randbytes(5000)),
        "same/a": File(b"a" * 100),
        "same/link": Symlink("a"),
        "gone/b": File(b"b"),
    }
    more = text.replace(b"line 77\n", b"another line\n")
    calls = program(2)
    new: dict[str, Node] = {
        **old,
        "packed.gz": File(gzip.compress(more, 9, mtime=0)),
        "packed.xz": File(packed(Pack.XZ, more)),
        "hwdb.bin": trie(404),
        "vmlinux": types(25),
        "kernel": kernel(more + noise.randbytes(3000)),
        "program": File(calls[:9000] + b"\x90" * 20 + calls[9000:-20]),
        "fresh/c": File(b"c" * 5000),
        "long": Symlink("l" * 99),
        "same/d": File(b"d", executable=True),
    }
    del new["gone/b"]
    kept = File(b"kept")
    early: Entries = ((b"changed", Metadata(0o4755)), (b"same", Metadata(0o750, 0, 5)))
    late: Entries = ((b"same", Metadata(0o750, 7, 5)), (b"same/a", Metadata(0o600, 7)))
    return Pair(
        workshop.generation({"root": early}, root=folder(old), kept=kept),
        workshop.generation({"root": late}, root=folder(new), kept=kept, page=File(b"page" * 99)),
    )


def written_bytes() -> int:
    """What this process has written so far, whereto ever."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar")))


def memory_bytes(what: str) -> int:
    """``VmRSS``: what this process has now; ``VmHWM``: the most that it had."""
    found = re.search(rf"^{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


@contextlib.contextmanager
def bounded(space_bytes: int, images_bytes: int) -> Iterator[None]:
    """What is done takes little time and memory, and writes no more than its space pays for.

    Source: proc_pid_clear_refs(5), value 5: the most that it had is forgotten.
    """
    Path("/proc/self/clear_refs").write_text("5")
    started, before, had_bytes = time.process_time(), written_bytes(), memory_bytes("VmRSS")
    try:
        yield
    finally:
        assert time.process_time() - started < 10
        assert memory_bytes("VmHWM") - had_bytes < MEMORY_BYTES
        most = (2 + WORK_PER_BYTE) * space_bytes + images_bytes + MIB
        assert written_bytes() - before < most


def everything_below(place: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in place.rglob("*")}


def test_w5_a_stream_that_is_signed_and_wrong_is_refused_within_bounds(
    workshop: "Workshop", rich: Pair
) -> None:
    base, target = (workshop.manifest(each) for each in (rich.old, rich.new))
    images_bytes = sum(entry.size_bytes for entry in target.images)
    right = Taken.apart(workshop.stream(rich.old, rich.new), base)
    device, outside = workshop.device(rich.old), workshop.place / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"of somebody else")
    pristine, untouched = workshop.snapshot(device), everything_below(outside)
    refused = 0
    for number in range(MUTANTS):
        mutant = Mutation(number).of(right)
        stream = mutant.together(base, KEY)
        space = sum(need.space_bytes for need in mutant.head.needs)
        try:
            with bounded(space, images_bytes):
                receive(
                    io.BytesIO(stream).read,
                    device,
                    host="gateway",
                    architecture="amd64",
                    verifier=trusting(KEY),
                )
        except ReconixError:
            refused += 1
            assert workshop.staged(device) == [], number
            assert device.get(rich.new) is None
        else:
            assert device.get(rich.new) == target
            workshop.expect_complete(device, rich.new)
            device = workshop.device(rich.old)
            pristine = workshop.snapshot(device)
    assert refused > MUTANTS // 2
    assert everything_below(outside) == untouched
    kept = {path: facts for path, facts in workshop.snapshot(device).items() if path in pristine}
    assert {path: f for path, f in kept.items() if Path(path).is_file()} == {
        path: f for path, f in pristine.items() if Path(path).is_file()
    }


def test_a_stream_that_was_taken_apart_is_put_together_as_it_was(
    workshop: "Workshop", rich: Pair
) -> None:
    """Otherwise the test above would try nothing."""
    base = workshop.manifest(rich.old)
    stream = workshop.stream(rich.old, rich.new)
    right = Taken.apart(stream, base)
    again = Taken.apart(right.together(base, KEY), base)
    assert again == right
    kinds = {type(event).__name__ for events in right.objects for event in events}
    assert kinds >= {"Here", "Keep", "Drop", "File", "Patched", "Part", "Copied", "Link", "New"}
    assert kinds >= {"Meta", "Same"}
    parts = [event for events in right.objects for event in events if isinstance(event, Part)]
    assert {part.types_at is not None for part in parts} == {True, False}
