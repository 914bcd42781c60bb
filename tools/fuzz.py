"""Feed parsers with bytes that were bent until something breaks.

    python tools/fuzz.py TARGET FOLDER [options of libFuzzer]

TARGET is nar, narinfo, export, stream, payload_head, receive, several, python or moved.

Of memory `-rss_limit_mb` and `-malloc_limit_mb` take care.

What comes from outside is either taken exactly as it is or refused by an error of ours, and
whatever is refused leaves nothing under a final name. Each target checks that for one format;
coverage leads the way (atheris). FOLDER, best in memory, keeps what was interesting in ``corpus``.

It is no part of the tests: what it finds becomes one. See ``docs/fuzzing.md``.
"""

import contextlib
import importlib
import io
import lzma
import random
import struct
import sys
import zipfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.unit.transfer import made_btf, made_tries, python_system

atheris = importlib.import_module("atheris")
with atheris.instrument_imports(include=["reconix"]):
    from reconix.base.documents import print_json
    from reconix.base.errors import ReconixError
    from reconix.base.files import remove_tree
    from reconix.nix import export, narinfo
    from reconix.nix.chroot import ChrootStore
    from reconix.nix.database import PathInfo
    from reconix.nix.images import DeviceTrees, read_device_generation, system_images
    from reconix.nix.install import install
    from reconix.store import nar
    from reconix.store.closure import Closure
    from reconix.store.intact import check_image
    from reconix.store.links import LINKS
    from reconix.store.paths import StorePath
    from reconix.store.registry import Registry
    from reconix.store.tree import File, Node, Symlink, folder
    from reconix.transfer.codecs import btf, compiled, packs
    from reconix.transfer.codecs.references import Moved
    from reconix.transfer.format import plan
    from reconix.transfer.format.bases import View, parse_views
    from reconix.transfer.format.costs import WORK_PER_BYTE
    from reconix.transfer.format.packing import Channel, Unpacker, branches, filters
    from reconix.transfer.format.payload_head import parse_payload_head
    from reconix.transfer.format.plan import Which
    from reconix.transfer.format.stream import (
        AGENT,
        AGENT_FEATURES,
        BadStream,
        Header,
        StreamReader,
        print_features,
    )
    from reconix.transfer.receiving.receive import receive
    from reconix.transfer.sending import send
    from reconix.transfer.sending.writer import StreamWriter

HOST, ARCHITECTURE = "gateway", "amd64"
MIB = 1 << 20
CHANGED = bytes(range(256)) * 3


def packed(content: bytes, pack: packs.Pack = packs.Pack.XZ) -> File:
    """A file that is made by expanding the old one and packing the new one."""
    written = bytearray()
    packer = packs.packer(pack, written.extend)
    packer.feed(content)
    packer.finish()
    return File(bytes(written))


def program(inserted: int) -> File:
    """A linked program whose functions call each other; code is inserted in its middle."""
    begins = [60 * number + inserted * (number > 15) for number in range(40)]
    code = bytearray(random.Random(1).randbytes(begins[-1] + 60))
    for number, begin in enumerate(begins):
        code[begin : begin + 20] = random.Random(number).randbytes(20)
        for call in range(8):
            at = begin + 20 + 5 * call
            target = begins[(number * 7 + call * 3) % len(begins)]
            code[at : at + 5] = b"\xe8" + struct.pack("<i", target - at - 5)
    start = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQ", 2, 62, 1, 0, 0, 64)
    start += struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, 2, 0) + bytes(64)
    row = struct.pack("<IIQQQQIIQQ", 0, 1, 6, 0x400000, 192, len(code), 0, 0, 0, 0)
    return File(start + row + bytes(code))


def agent() -> File:
    """Something that says, as an agent of today, what streams it takes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo(AGENT_FEATURES), print_features())
    return File(written.getvalue())


def database(more: int) -> File:
    """A database of hardware, whose nodes name places in it."""
    numbers = range(60 + more)
    records = {f"usb:v{n * 7919 % 65536:04X}*": {"MAKER": f"Pump {n * n}"} for n in numbers}
    return File(made_tries.made(records))


BASE = folder(
    {
        AGENT: agent(),
        "hwdb.bin": database(0),
        "a": File(b"a" * 5000),
        "changed": File(CHANGED),
        "changes.gz": packed(bytes(range(251)) * 7, packs.Pack.ZLIB),
        "module.xz": packed(bytes(range(251)) * 9),
        "program": program(0),
        "same/b": File(b"b" * 100),
        "same/c": Symlink("b"),
    }
)
TREE = folder(
    {
        AGENT: agent(),
        "hwdb.bin": database(3),
        "changed": File(b"new" + CHANGED[:300] + b"!" + CHANGED[301:]),
        "changes.gz": packed(b"more" + bytes(range(251)) * 7, packs.Pack.ZLIB),
        "bin/tool": File(b"#!/bin/sh\n", executable=True),
        "empty": File(b""),
        "long": File(b"0123456789" * 400),
        "link": Symlink("bin/tool"),
        "module.xz": packed(bytes(range(251)) * 4 + b"new" + bytes(range(251)) * 5),
        "program": program(23),
        "same/b": File(b"b" * 100),
        "same/c": Symlink("b"),
        "same/d": File(b"a" * 5000),
    }
)
OTHER = folder(
    {
        AGENT: agent(),
        "a": File(b"a" * 5000),
        "changed": File(CHANGED[::-1]),
        "module.xz": packed(bytes(range(251)) * 9 + b"other"),
        "program": program(5),
        "same/b": File(b"b" * 100),
        "same/more": File(b"c"),
    }
)
MODULE = b"def level(pump: int) -> str:\n    return f'the level of pump {pump}'\n" * 9
TYPES = struct.pack("<16q", *range(btf.TYPES, btf.TYPES + 64, 8), *range(8))
"""How numbers of types are corrected."""
TARGETS = (
    *("nar", "narinfo", "export", "stream", "payload_head"),
    *("receive", "several", "python", "moved", "types"),
)


class Fuzz:
    """The targets, and a place on the disk where they work.

    Args:
        place: an empty folder.
        several: whether the stream serves another base, too.
        python: whether the trees are of a system with Python, and a new module.
    """

    def __init__(self, place: Path, *, several: bool = False, python: bool = False) -> None:
        self.place = place
        with ChrootStore(place / "build") as store:
            old, new = _with_python() if python else (BASE, TREE)
            self.base = _generation(store, old)
            self.target = _generation(store, new)
            self.old = read_device_generation(store, self.base)
            self.new = read_device_generation(store, self.target)
            self.closure = store.closure_of(self.target)
            stream, exported = io.BytesIO(), io.BytesIO()
            bases = [self.base, _generation(store, OTHER)] if several else [self.base]
            send.create(store, bases, self.target, stream.write)
            order = [info.path for info in store.in_order([self.target])]
            export.export_stream(store, order, exported.write)
        self.sent, self.exported = stream.getvalue(), exported.getvalue()
        reader = StreamReader(io.BytesIO(self.sent).read)
        self.header: Header = reader.header
        self.channels = _channels(b"".join(iter(reader.some, b"")))
        payload = Unpacker(StreamReader(io.BytesIO(self.sent).read))
        head = parse_payload_head(payload, self._view(payload))
        self.space_bytes = sum(need.space_bytes for need in head.needs)
        self.operations = b"".join(_rest(payload))
        self.beginning = self.channels[Channel.PLAN].removesuffix(self.operations)
        self.device()

    def _view(self, payload: Unpacker) -> View:
        """What the stream sees of our base."""
        bases = self.header.bases
        if len(bases) == 1:
            return View.whole(self.old.manifest)
        return parse_views(payload, self.old.manifest, Which(bases.index(self.base), len(bases)))

    def nar(self, data: bytes) -> None:
        """An archive is restored to a tree whose archive it is, or refused."""
        source, into, again = io.BytesIO(data), self.place / "nar/tree", bytearray()
        into.parent.mkdir(exist_ok=True)
        try:
            nar.restore(source.read, into)
            nar.dump(into, again.extend)
            assert bytes(again) == data[: source.tell()], "accepted, but not canonical"
        except nar.BadArchive:
            pass
        assert not {each.name for each in into.parent.iterdir()} - {"tree"}, "written outside"
        remove_tree(into)

    def narinfo(self, data: bytes) -> None:
        """A description survives being printed, or is refused."""
        try:
            found = narinfo.parse_narinfo(data, source="fuzz")
        except narinfo.BadNarInfo:
            return
        again = narinfo.parse_narinfo(narinfo.print_narinfo(found), source="again")
        assert again == found, (found, again)

    def export(self, data: bytes) -> None:
        """What is imported verifies; what is refused left no name."""
        with ChrootStore(self.place / "import") as store:
            try:
                taken = export.import_stream(store, io.BytesIO(data).read)
            except ReconixError:
                taken = []
            valid = store.database.valid_paths()
            names = {each.name for each in store.store_dir.iterdir()} - {LINKS}
            assert set(taken) <= valid, "told, but not registered"
            assert names == {path.basename for path in valid}, names
            assert not store.verify(), "registered, but not intact"
        if valid:
            remove_tree(self.place / "import")

    def stream(self, data: bytes) -> None:
        """The payload of a stream comes in order or not at all."""
        try:
            reader = StreamReader(io.BytesIO(data).read)
            payload = Unpacker(reader)
            parse_payload_head(payload, View.whole(None))
            for _ in plan.parse(payload):
                pass
            payload.finish()
            reader.finish()
        except ReconixError:
            pass

    def payload_head(self, data: bytes) -> None:
        """What comes before the objects is understood or refused."""
        packed = lzma.compress(data, lzma.FORMAT_RAW, filters=_quick(Channel.PLAN))
        payload = Unpacker(_Plain(_packet(Channel.PLAN, packed)))
        try:
            found = parse_payload_head(payload, self._view(payload))
        except ReconixError:
            return
        assert len(found.needs) <= len(found.manifest.objects)

    def several(self, data: bytes) -> None:
        """As ``receive``; the stream serves another base, too."""
        self.receive(data)

    def python(self, data: bytes) -> None:
        """As ``receive``; the device compiles a module."""
        self.receive(data)

    def moved(self, data: bytes) -> None:
        """Content is read as it would be moved, by the library and by Python alike."""
        rising = array("q", sorted(set(_numbers(data[:64]))))
        corrections = list(zip(rising, _numbers(data[64:128]), strict=False))
        content, moves = data[128:], [(0, 64, len(data) // 2), (len(data) // 2, 0, 64)]
        found = _moved(content, moves, corrections)
        with mock.patch.object(compiled, "library", lambda: None):
            assert _moved(content, moves, corrections) == found, "the library differs"
        assert len(found) == len(content)

    types = moved  # from another begin

    def receive(self, data: bytes) -> None:
        """Operations behind a right beginning give the generation, or change nothing."""
        written = io.BytesIO()
        writer = StreamWriter(written.write, self.header)
        for channel, content in _bent(self.channels, self.beginning, data).items():
            packed = lzma.compress(content, lzma.FORMAT_RAW, filters=_quick(channel))
            writer.payload(_packet(channel, packed))
        writer.finish()
        registry = Registry(self.place / "device")
        before = _held(registry)
        read = io.BytesIO(written.getvalue()).read
        images = sum(entry.size_bytes for entry in self.new.manifest.images)
        try:
            with _at_most((2 + WORK_PER_BYTE) * self.space_bytes + images + MIB):
                manifest = receive(read, registry, host=HOST, architecture=ARCHITECTURE)
        except ReconixError:
            assert _held(registry) == before, "refused, but something has a name"
            assert _names(registry.staging_dir) == [], "refused, but staged"
            return
        assert manifest == self.new.manifest, "another generation than was promised"
        registry = Registry(self.place / "device")
        for entry in manifest.images:
            for digest, size_bytes in check_image(registry, entry).items():
                registry.pool.verify(digest, size_bytes)
        self.device()

    def device(self) -> None:
        """Make a device anew that has the base."""
        place = self.place / "device"
        remove_tree(place)
        install(self.old, Registry(place))

    def seeds(self) -> dict[str, bytes]:
        """Something right to begin with, for each target."""
        archive = bytearray()
        nar.dump(self.place / "build" / str(self.target)[1:], archive.extend)
        return {
            "nar": bytes(archive),
            "narinfo": _narinfo(self.closure),
            "export": self.exported,
            "stream": self.sent,
            "payload_head": self.beginning,
            "several": _records(self.channels, self.operations),
            "python": _records(self.channels, self.operations),
            "moved": bytes(128) + database(0).content,
            "types": TYPES + made_btf.kernel(made_btf.structures(60).printed()),
            "receive": _records(self.channels, self.operations),
        }


def _with_python() -> tuple[Node, Node]:
    """A system with the Python that runs this, and one with a module more."""
    python = python_system.python()
    new = python | python_system.packages({"level.py": MODULE})
    return python_system.system(python), python_system.system(new)


def _numbers(data: bytes) -> list[int]:
    return [number for (number,) in struct.iter_unpack("<q", data[: len(data) // 8 * 8])]


def _moved(
    content: bytes, moves: list[tuple[int, int, int]], corrections: list[tuple[int, int]]
) -> bytes:
    def read(offset: int, size_bytes: int) -> bytes:
        return content[offset : offset + size_bytes]

    types_at = btf.place(content)
    return Moved(read, len(content), moves, corrections, types_at=types_at).read(0, len(content))


def _generation(store: ChrootStore, tree: Node) -> StorePath:
    top, boot = store.add_files(tree, "system-part"), store.add_files(folder({}), "boot")
    images = [image.entry.sha256.hex() for image in system_images(DeviceTrees(store), top)]
    document = print_json(
        {
            "version": 2,
            "host": HOST,
            "architecture": ARCHITECTURE,
            "default": "part",
            "systems": {"part": {"toplevel": str(top), "images": images}},
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    files = folder({"generation.json": File(document)})
    return store.add_files(files, f"generation-{HOST}", [boot, top])


def _narinfo(closure: Closure) -> bytes:
    info = PathInfo(closure.objects[0], signatures=("key:c2lnbmF0dXJl",))
    return narinfo.print_narinfo(narinfo.NarInfoFile(info, "nar/a.nar.xz", "xz"))


def _rest(reader: Unpacker) -> Iterator[bytes]:
    """The payload up to its end, which a reader reports as an error."""
    try:
        while True:
            yield reader.take(1)
    except BadStream:
        pass


@contextlib.contextmanager
def _at_most(size_bytes: int) -> Iterator[None]:
    """Whoever receives writes no more than was declared, to the disk and in memory."""
    before = _written()
    yield
    assert _written() - before <= size_bytes, "more was written than declared"


def _written() -> int:
    """What this process has written so far, whereto ever."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar")))


_Contents = dict[Channel, bytes]


def _channels(payload: bytes) -> _Contents:
    """The content of each channel of a small payload, in the order of their packets."""
    found = _Contents()
    while payload:
        size, channel = 4 + int.from_bytes(payload[1:3], "little"), Channel(payload[0])
        packed = payload[3:size]
        found[channel] = lzma.decompress(packed, lzma.FORMAT_RAW, filters=filters(channel))
        payload = payload[size:]
    return found


def _records(channels: _Contents, operations: bytes) -> bytes:
    """What to begin with: a byte for the channel, one for the size, content; and so on."""
    contents = {**channels, Channel.PLAN: operations}
    return b"".join(
        bytes([channel, len(content[at : at + 255])]) + content[at : at + 255]
        for channel, content in contents.items()
        for at in range(0, len(content), 255)
    )


def _bent(channels: _Contents, head: bytes, data: bytes) -> _Contents:
    """The channels that records make; the head is right, and so is the order."""
    bent = {channel: b"" for channel in [*channels, *Channel]} | {Channel.PLAN: head}
    while len(data) > 1:
        bent[Channel(data[0] % len(Channel))] += data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return {channel: content for channel, content in bent.items() if content}


def _packet(channel: Channel, packed: bytes) -> bytes:
    return bytes([channel]) + (len(packed) - 1).to_bytes(2, "little") + packed


class _Plain:
    """Packed bytes that nobody has to verify."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def some(self) -> bytes:
        content, self._content = self._content, b""
        return content

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=0)


def _quick(channel: Channel) -> list[dict[str, int]]:
    """A compressor for little content."""
    return [*branches(channel), {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 14}]


def _held(registry: Registry) -> list[str]:
    """All that has a final name on a device."""
    contents = [digest.hex() for digest in registry.pool.digests()]
    strangers = map(str, registry.pool.strangers())
    return [*_names(registry.images_dir), *contents, *strangers, *map(str, registry.roots())]


def _names(place: Path) -> list[str]:
    return sorted(each.name for each in place.iterdir()) if place.is_dir() else []


def main() -> None:
    """Fuzz one target until libFuzzer has enough, or fails."""
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        sys.exit(__doc__)
    name, place = sys.argv.pop(1), Path(sys.argv.pop(1))
    corpus = place / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    work = place / f"work-{name}"
    remove_tree(work)
    fuzz = Fuzz(work, several=name in ("payload_head", "several"), python=name == "python")
    (corpus / "right").write_bytes(fuzz.seeds()[name])
    atheris.Setup([*sys.argv, f"-artifact_prefix={place}/", str(corpus)], getattr(fuzz, name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
