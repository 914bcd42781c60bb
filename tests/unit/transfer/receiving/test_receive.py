import contextlib
import errno
import io
import lzma
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.deep_trees import nested
from tests.project_files import enough
from tests.trusting import trusting
from tests.unit.transfer.receiving import plain

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import sync_file, sync_file_system
from reconix.base.process import CommandFailed, run
from reconix.base.progress import Silent, Stage
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import LINK, ImageLink, Metadata, contents, find
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.sidecar import Entries
from reconix.store.tree import File, Folder, Node, Symlink, folder
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format import plan
from reconix.transfer.format.bases import View
from reconix.transfer.format.packing import Channel, filters
from reconix.transfer.format.payload_head import Need, PayloadHead, print_payload_head
from reconix.transfer.format.plan import (
    Event,
    Keep,
    Like,
    Location,
    New,
    Piece,
    Printer,
    Take,
)
from reconix.transfer.format.stream import (
    BadStream,
    Header,
    StreamReader,
    TruncatedStream,
    UnsupportedStream,
)
from reconix.transfer.receiving import images
from reconix.transfer.receiving.contents import WrittenDifferently
from reconix.transfer.receiving.images import ContentMismatch
from reconix.transfer.receiving.receive import (
    Commit,
    StorageFailed,
    WrongBase,
    WrongDevice,
    receive,
)
from reconix.transfer.receiving.room import DiskFull
from reconix.transfer.receiving.sources import DamagedBase
from reconix.transfer.sending import send
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.send import NotAGeneration, StoreDamaged
from reconix.transfer.sending.signing import Signer, generate
from reconix.transfer.sending.writer import StreamWriter
from reconix.transfer.trust.seal import Seal

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Pair, Workshop

# --- the way it should go


def test_an_update_makes_the_target_from_the_base(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    manifest = workshop.receive(workshop.stream(pair.old, pair.new), device)
    assert manifest == workshop.manifest(pair.new)
    workshop.expect_complete(device, pair.new)
    workshop.expect_complete(device, pair.old)
    assert workshop.staged(device) == []


def test_a_stream_without_base_installs_on_an_empty_device(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device()
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)


def test_same_generations_give_the_same_bytes(workshop: "Workshop", pair: "Pair") -> None:
    stream = workshop.stream(pair.old, pair.new)
    with ChrootStore(workshop.place / "other") as store:
        for generation in (pair.new, pair.old):
            for item in reversed(workshop.store.closure_of(generation).objects):
                if not store.is_valid(item.path):
                    run_import(workshop.store, store, item.path)
        other = type(workshop)(store, workshop.place)
        assert other.stream(pair.old, pair.new) == stream


def run_import(old: ChrootStore, new: ChrootStore, path: StorePath) -> None:
    """Add an object and first what it refers to."""
    for reference in old.info(path).references:
        if reference != path and not new.is_valid(reference):
            run_import(old, new, reference)
    if not new.is_valid(path):
        assert new.add(old.path(path), path.name, old.info(path).references) == path


def test_contents_that_the_device_has_are_not_written_again(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.old)
    before = {digest: inode(device, digest) for digest in device.pool.digests()}
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    assert {digest: inode(device, digest) for digest in before} == before
    added = set(device.pool.digests()) - before.keys()
    assert added == contents_of(workshop, pair.new) - contents_of(workshop, pair.old)
    assert workshop.content(pair.new, "root", "usr", "lib", "changed") in added


def inode(device: Registry, digest: bytes) -> int:
    return device.pool.path(digest).stat().st_ino


def contents_of(workshop: "Workshop", generation: StorePath) -> set[bytes]:
    trees = workshop.on_device(generation).trees.values()
    return {digest for tree in trees for digest, _ in contents(tree)}


def test_trees_on_the_device_have_all_that_a_sidecar_says(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.old)
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    root = workshop.path(pair.new, "root")
    entry = workshop.manifest(pair.new).image_of(root)
    assert entry is not None
    found = device.tree_in(entry, root)
    assert found == workshop.on_device(pair.new).trees[root]
    sudo, same = find(found, b"usr", b"bin", b"sudo"), find(found, b"usr", b"share", b"same")
    assert sudo is not None and same is not None
    assert sudo.metadata == Metadata(0o755, 0, 27, 7, ((b"security.capability", b"\1\2"),))
    assert same.metadata == Metadata(0o750, 0, 5)
    assert find(found, b"sbin") == ImageLink(LINK, b"usr/bin")


def test_repeating_a_finished_receive_writes_nothing(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    stream = workshop.stream(pair.old, pair.new)
    workshop.receive(stream, device)
    before = workshop.snapshot(device)
    assert workshop.receive(stream, device) == workshop.manifest(pair.new)
    assert workshop.snapshot(device) == before


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def put_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def lead_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("harm", [remove, shorten, put_a_pipe, lead_elsewhere])
@pytest.mark.parametrize("is_installed", [True, False])
def test_w6_a_content_that_is_missing_or_no_content_comes_again(
    workshop: "Workshop", pair: "Pair", harm: Callable[[Path], None], is_installed: bool
) -> None:
    device = workshop.device(pair.new)
    if not is_installed:
        device.remove(pair.new)
    harm(device.pool.path(workshop.content(pair.new, "root", "usr", "bin", "added")))
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)


@pytest.mark.parametrize("harm", [remove, shorten, flip])
def test_w6_an_image_that_is_missing_or_altered_comes_again(
    workshop: "Workshop", pair: "Pair", harm: Callable[[Path], None]
) -> None:
    device, stream = workshop.device(pair.new), workshop.stream(None, pair.new)
    for entry in enough(workshop.manifest(pair.new).images, at_least=2, what="images"):
        harm(device.image_path(entry.sha256))
        workshop.receive(stream, device)
        workshop.expect_complete(device, pair.new)


def test_what_is_there_of_a_generation_is_not_made_again(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.new)
    device.remove(pair.new)
    before = workshop.snapshot(device)
    workshop.receive(workshop.stream(None, pair.new), device)
    after = workshop.snapshot(device)
    kept = [path for path in before if "/pool/" in path or "/images/" in path]
    assert {path: after[path] for path in enough(kept, at_least=12, what="files")} == {
        path: before[path] for path in kept
    }


class Shown(Silent):
    """Adds up how far each stage went."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.done: dict[str, int] = {}

    def begin(self, what: str, total: int | None) -> Stage:
        self._what, self.totals[what], self.done[what] = what, total, 0
        return self

    def advance(self, amount: int) -> None:
        self.done[self._what] += amount


def test_a_receive_goes_on_to_its_total(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    progress.listen(shown := Shown())
    workshop.receive(stream, device)
    assert sorted(shown.totals) == ["receive"]
    assert shown.done == shown.totals
    assert min(shown.done.values()) > 0


def test_contents_that_are_there_count_as_progress(workshop: "Workshop", pair: "Pair") -> None:
    stream = workshop.stream(None, pair.new)
    progress.listen(shown := Shown())
    device = workshop.device(pair.new)
    device.remove(pair.new)
    workshop.receive(stream, device)
    assert shown.done == shown.totals
    assert min(shown.done.values()) > 0


def test_n1_a_frame_that_came_altered_is_asked_for_again(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    link, asked = io.BytesIO(stream[:-1] + bytes([stream[-1] ^ 1])), list[int]()

    def again(begin: int, size_bytes: int) -> None:
        asked.append(begin)
        link.seek(0)
        link.write(stream)
        link.seek(begin)

    receive(link.read, device, host="gateway", architecture="amd64", again=again)
    workshop.expect_complete(device, pair.new)
    assert len(asked) == 1


def test_t3_a_verifier_sees_what_was_sealed_and_commits_before_it_is_registered(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    sent = StreamReader(io.BytesIO(stream).read)
    committed: list[Manifest | None] = []

    def verify(header: Header, seal: Seal, statement: bytes) -> Commit:
        assert (header, seal) == (sent.header, sent.read_head().seal)
        assert statement == sent.statement != b""
        return lambda: committed.append(device.get(pair.new))

    read = io.BytesIO(stream).read
    receive(read, device, host="gateway", architecture="amd64", verifier=verify)
    assert committed == [None]
    workshop.expect_complete(device, pair.new)


def test_a_change_of_one_line_among_11000_files_costs_no_list_of_them(workshop: "Workshop") -> None:
    many = {f"usr/{n % 110}/file-{n}": File(b"%d" % n) for n in range(11_000)}
    old = workshop.generation(root=folder(many))
    new = workshop.generation(root=folder({**many, "usr/3/file-3": File(b"changed")}))
    stream = workshop.stream(old, new)
    assert len(stream) < 1000
    device = workshop.device(old)
    workshop.receive(stream, device)
    workshop.expect_complete(device, new)


EXAMPLES = int(os.environ.get("RECONIX_EXAMPLES", "30"))
"""How many random cases; more of them in a long run."""

RECEIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.store.registry import Registry
from reconix.transfer.receiving.receive import receive
registry = Registry(Path(sys.argv[2]))
receive(sys.stdin.buffer.read, registry, host="gateway", architecture="amd64")
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_r3_memory_does_not_depend_on_the_size_of_a_file_and_the_library_is_enough(
    workshop: "Workshop",
) -> None:
    target = workshop.generation(root=folder({"big": File(bytes(100 << 20))}))
    device = workshop.device()
    source = str(Path(plan.__file__).parents[3])
    words = [sys.executable, "-I", "-S", "-c", RECEIVER, source, str(device.system_root)]
    peak_kib = int(run(*words, stdin=workshop.stream(None, target)))
    workshop.expect_complete(device, target)
    assert peak_kib < 64 << 10


names = st.sampled_from(["a", "b", "bin", "lib", "lib-1", "lib.so", "é", "Z"])
files = st.builds(
    File,
    st.sampled_from([b"", b"one", b"two", b"three" * 100]) | st.binary(max_size=40),
    st.booleans(),
)
links = st.builds(Symlink, st.sampled_from(["a", "../b", "/etc", "x" * 100]))
trees = st.recursive(
    files | links,
    lambda below: st.dictionaries(names, below, max_size=4).map(
        lambda entries: Folder(tuple(sorted(entries.items(), key=lambda e: e[0].encode())))
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["root", "etc", "app"]), trees, max_size=3)


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(objects, objects, st.data())
def test_any_generation_is_made_from_any_other(
    workshop: "Workshop", old: dict[str, Node], new: dict[str, Node], data: st.DataObject
) -> None:
    first = workshop.generation(described(data, old), **old)
    second = workshop.generation(described(data, new), **new)
    device = workshop.device(first)
    workshop.receive(workshop.stream(first, second), device)
    workshop.expect_complete(device, second)
    fresh = workshop.device(at=workshop.place / "fresh")
    workshop.receive(workshop.stream(None, second), fresh)
    workshop.expect_complete(fresh, second)


unusual = st.builds(
    Metadata,
    st.sampled_from([0o444, 0o555, 0o4755, 0o600]),
    st.sampled_from([0, 5, 65_534]),
    st.sampled_from([0, 6]),
    st.sampled_from([0, 1, 1_700_000_000]),
    st.sampled_from([(), ((b"security.capability", b"\0" * 20),)]),
)


def described(data: st.DataObject, made: dict[str, Node]) -> dict[str, Entries]:
    """A sidecar for each object, with some of what is in it."""
    found = {}
    for name, tree in made.items():
        chosen = data.draw(st.dictionaries(st.sampled_from(paths(tree)), unusual, max_size=4))
        found[name] = tuple(sorted(chosen.items()))
    return found


def paths(tree: Node, path: bytes = b"") -> list[bytes]:
    """All paths in a tree, as a sidecar spells them."""
    inside = tree.entries if isinstance(tree, Folder) else ()
    below = [paths(child, b"/".join([path, name.encode()]).lstrip(b"/")) for name, child in inside]
    return [path or b".", *(each for found in below for each in found)]


# --- streams that are wrong


def expect_refused(
    workshop: "Workshop", stream: bytes, device: Registry, *kinds: type[ReconixError]
) -> ReconixError:
    """The stream is refused and nothing has changed."""
    before = workshop.snapshot(device)
    with pytest.raises(kinds or ReconixError) as caught:
        workshop.receive(stream, device)
    after = workshop.snapshot(device)
    empty = {str(device.staging_dir), str(device.staging_dir.parent)}
    assert {p: f for p, f in after.items() if p not in empty} == {
        p: f for p, f in before.items() if p not in empty
    }
    assert workshop.staged(device) == []
    assert 50 <= caught.value.exit_code < 60
    return caught.value


def test_s1_truncated_at_any_byte_it_installs_nothing_and_names_the_byte(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    for size in range(len(stream)):
        error = expect_refused(workshop, stream[:size], device, TruncatedStream)
        assert f"at byte {size}:" in str(error)


def test_s2_with_a_flipped_bit_anywhere_it_installs_nothing(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    for index in range(len(stream)):
        changed = bytearray(stream)
        changed[index] ^= 1 << index % 8
        expect_refused(
            workshop, bytes(changed), device, BadStream, TruncatedStream, UnsupportedStream
        )


def test_trailing_bytes_are_refused(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    error = expect_refused(workshop, stream + b"\0", device, BadStream)
    assert "follow the last frame" in str(error)


def test_s8_a_stream_for_another_host_or_architecture_is_refused_first(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(None, pair.new), workshop.device()
    with pytest.raises(WrongDevice, match="host 'gateway'; this device is 'satellite'"):
        receive(io.BytesIO(stream[:600]).read, device, host="satellite", architecture="amd64")
    with pytest.raises(WrongDevice, match="architecture 'amd64'; this device is 'arm64'"):
        receive(io.BytesIO(stream[:600]).read, device, host="gateway", architecture="arm64")


def test_s3_a_base_that_is_not_installed_is_named(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device()
    error = expect_refused(workshop, stream, device, WrongBase)
    assert str(error).endswith(f"{pair.old}, which is not installed")
    assert isinstance(error, WrongBase) and error.base == pair.old


def test_s3_a_missing_content_of_the_base_is_named(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    gone = workshop.content(pair.old, "root", "usr", "lib", "gone")
    device.pool.path(gone).unlink()
    error = expect_refused(workshop, stream, device, WrongBase)
    assert f"the content {gone.hex()} is missing" in str(error)
    assert not device.staging_dir.exists()


def test_s3_a_missing_image_of_the_base_is_named(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    gone = workshop.manifest(pair.old).images[0].sha256
    device.image_path(gone).unlink()
    error = expect_refused(workshop, stream, device, WrongBase)
    assert f"the image {gone.hex()} is missing" in str(error)


def test_s3_an_altered_image_of_the_base_is_named_before_the_first_write(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    for entry in workshop.manifest(pair.old).images:
        kept = device.image_path(entry.sha256).read_bytes()
        flip(device.image_path(entry.sha256))
        error = expect_refused(workshop, stream, device, DamagedBase)
        assert f"{entry.sha256.hex()} was altered" in str(error)
        assert not device.staging_dir.exists()
        device.image_path(entry.sha256).write_bytes(kept)
    workshop.receive(stream, device)


def test_s3_a_damaged_file_from_which_another_is_made_is_named(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    flip(device.pool.path(workshop.content(pair.old, "root", "usr", "lib", "changed")))
    error = expect_refused(workshop, stream, device, DamagedBase)
    root = workshop.path(pair.old, "root")
    assert f"{root}/usr/lib/changed is damaged: its content was altered" in str(error)
    assert "reconix repair" in str(error.hint)


def test_s3_a_missing_content_that_comes_from_an_image_that_stays_is_found(
    workshop: "Workshop",
) -> None:
    large: dict[str, Node] = {f"{number}": File(b"") for number in range(600)}
    root = folder({**large, "lib": File(b"a library\n" * 99)})
    old = workshop.generation(root=root)
    new = workshop.generation(root=root, page=File(b"a library\n" * 99))
    stream, device = workshop.stream(old, new), workshop.device(old)
    gone = workshop.content(old, "root", "lib")
    device.pool.path(gone).unlink()
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert f"the content {gone.hex()} is missing" in str(error)


@pytest.mark.parametrize("name", ["gone", "old-1.0/library"])
def test_s3_contents_that_nothing_is_made_from_are_not_read(
    workshop: "Workshop", pair: "Pair", name: str
) -> None:
    """That they are intact is for whoever reads all of the pool (``store/intact.py``)."""
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    flip(device.pool.path(workshop.content(pair.old, "root", "usr", "lib", *name.split("/"))))
    assert workshop.receive(stream, device) == workshop.manifest(pair.new)


# --- streams that somebody made to do harm: every digest is right, the content is not


class Forger:
    """Makes streams whose frames are right and whose plan is whatever a test says."""

    def __init__(self, workshop: "Workshop", pair: "Pair") -> None:
        self.device = workshop.device(pair.old)
        self.tools = NO_TOOLS
        old, self._target = workshop.on_device(pair.old), workshop.on_device(pair.new)
        self.old, self.new = old.manifest, self._target.manifest
        self.sent = [
            number
            for number, path in enumerate(self.new.objects)
            if old.trees.get(path) != self._target.trees[path]
        ]
        self.position = self.sent[0]
        self.root = Location(self.old.objects.index(workshop.path(pair.old, "root")))
        self.itself = Location(len(self.old.objects) + self.position)

    def need(self) -> Need:
        return Need(self.position, 10_000, 1 << 20, 50)

    def stream(
        self,
        events: list[Event],
        need: Need | None = None,
        manifest: Manifest | None = None,
        target: StorePath | None = None,
        *,
        alone: bool = False,
    ) -> bytes:
        """Send the first object as these events, all others as they are, unless it is alone."""
        written = io.BytesIO()
        trees = [self._target.trees[self.new.objects[number]] for number in self.sent[1:]]
        others = list(map(plain.need, self.sent[1:], trees)) if not alone else []
        needs = [need or self.need(), *others]
        header = Header(
            "gateway",
            "amd64",
            (self.old.root,),
            target or self.new.root,
            len(needs),
            sum(n.content_bytes for n in needs),
            sum(n.space_bytes for n in needs),
            sum(n.inodes for n in needs),
        )
        writer = StreamWriter(written.write, header)
        packer = Packer(writer.payload)
        head = PayloadHead(manifest or self.new, tuple(needs), self.tools)
        packer.write(print_payload_head(head, View.whole(self.old)))
        described = [list(plain.events(tree, self._target.places)) for tree in trees]
        for each in [events, *([] if alone else described)]:
            printer = Printer(packer)
            for event in each:
                printer.feed(event)
        packer.finish()
        writer.finish()
        return written.getvalue()


@pytest.fixture
def forger(workshop: "Workshop", pair: "Pair") -> Forger:
    return Forger(workshop, pair)


def file(name: bytes | None, content: bytes) -> list[Event]:
    pieces: list[Event] = [Piece(content)] if content else []
    return [plan.File(name, len(content), False), *pieces]


def test_the_forger_makes_streams_that_are_right(workshop: "Workshop", forger: Forger) -> None:
    """Otherwise all the tests here would be refused for something else."""
    path = forger.new.objects[forger.position]
    tree = workshop.on_device(forger.new.root).trees[path]
    places = workshop.on_device(forger.new.root).places
    stream = forger.stream(list(plain.events(tree, places)), plain.need(forger.position, tree))
    workshop.receive(stream, forger.device)
    workshop.expect_complete(forger.device, forger.new.root)


def test_s7_an_image_that_comes_out_wrong_is_refused(workshop: "Workshop", forger: Forger) -> None:
    stream = forger.stream([New(None), *file(b"a", b"something else" * 9), plan.End()])
    error = expect_refused(workshop, stream, forger.device, ContentMismatch)
    entry = forger.new.image_of(forger.new.objects[forger.position])
    assert entry is not None and str(entry.objects[0]) in str(error)


def test_s7_metadata_count_as_much_as_content(workshop: "Workshop", forger: Forger) -> None:
    path = forger.new.objects[forger.position]
    generation = workshop.on_device(forger.new.root)
    tree = generation.trees[path]
    right = list(plain.events(tree, generation.places))
    wrong: list[Event] = [plan.Meta(Metadata(0o4755)), *right]
    stream = forger.stream(wrong, plain.need(forger.position, tree))
    expect_refused(workshop, stream, forger.device, ContentMismatch)


@pytest.mark.parametrize(
    "events",
    [
        [*file(b"b", b"1"), *file(b"a", b"2")],
        [*file(b"a", b"1"), *file(b"a", b"2")],
        [plan.Link(b"a", b"/"), New(b"a"), plan.End()],
        [plan.Link(b"a", b"/"), *file(b"a", b"2")],
    ],
    ids=["unsorted", "twice", "folder over link", "file over link"],
)
def test_s5_names_that_do_not_rise_are_refused(
    workshop: "Workshop", forger: Forger, events: list[Event]
) -> None:
    stream = forger.stream([New(None), *events, plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "comes after" in str(error)


def test_s5_names_among_kept_ones_must_rise_too(workshop: "Workshop", forger: Forger) -> None:
    like = Like(None, Location(forger.root.source, (b"usr", b"share", b"same")))
    stream = forger.stream([like, *file(b"b", b""), Keep(1), plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "b'a' comes after b'b'" in str(error)


@pytest.mark.parametrize("depth", [300, 255], ids=["new", "old in new"])
def test_w4_what_is_nested_too_deep_is_refused_and_leaves_nothing(
    workshop: "Workshop", forger: Forger, depth: int
) -> None:
    folders = [New(None), *(New(b"n") for _ in range(depth - 1))]
    old = Take(b"old", Location(forger.root.source))
    events: list[Event] = [*folders, old, *(plan.End() for _ in folders)]
    stream = forger.stream(events, manifest=roomy(forger.new))
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "nested deeper" in str(error)


def roomy(manifest: Manifest) -> Manifest:
    """The same with images in which very much could stand."""
    entries = (replace(entry, size_bytes=1 << 20) for entry in manifest.images)
    return Manifest(manifest.root, tuple(sorted(entries)))


def test_what_an_agent_before_left_is_removed_however_long_its_path(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.old)
    device.staging_dir.mkdir(parents=True)
    with nested(device.staging_dir / "left", depth=20, name="n" * 255):
        workshop.receive(workshop.stream(pair.old, pair.new), device)
        assert workshop.staged(device) == []


@pytest.mark.parametrize("step", [Keep(3), plan.Drop(3), plan.Drop(1 << 62)])
def test_s6_more_entries_than_there_are_cannot_be_kept_or_dropped(
    workshop: "Workshop", forger: Forger, step: Event
) -> None:
    like = Like(None, Location(forger.root.source, (b"usr", b"share", b"same")))
    stream = forger.stream([like, step, plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "no more entries" in str(error)


def test_s5_no_link_is_followed_on_the_way_to_a_source(
    workshop: "Workshop", forger: Forger
) -> None:
    through = Take(None, Location(forger.root.source, (b"bin", b"tool")))
    error = expect_refused(workshop, forger.stream([through]), forger.device, BadStream)
    assert "there is no" in str(error) and "bin/tool" in str(error)


@pytest.mark.parametrize("source", [99, 1 << 62])
def test_a_source_that_does_not_exist_is_refused(
    workshop: "Workshop", forger: Forger, source: int
) -> None:
    stream = forger.stream([Take(None, Location(source))])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "which is not available" in str(error)


def test_an_object_that_comes_later_is_no_source(workshop: "Workshop", forger: Forger) -> None:
    place = Location(len(forger.old.objects) + forger.sent[1])
    stream = forger.stream([Take(None, place)])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "which is not available" in str(error)


def test_s6_a_folder_that_takes_itself_into_itself_is_refused(
    workshop: "Workshop", forger: Forger
) -> None:
    events: list[Event] = [New(None), New(b"a"), Take(b"b", forger.itself)]
    stream = forger.stream([*events, plan.End(), plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "is not made yet" in str(error)


@pytest.mark.parametrize("inside", [(b"b",), (b"a", b"b")])
def test_what_is_made_of_an_object_can_be_taken_by_it(
    workshop: "Workshop", forger: Forger, inside: tuple[bytes, ...]
) -> None:
    """What is open is not complete, so it cannot."""
    made: list[Event] = [New(None), New(b"a"), New(b"b"), *file(b"c", b"d"), plan.End()]
    take = Take(b"z", Location(forger.itself.source, inside))
    stream = forger.stream([*made, plan.End(), take, plan.End()])
    refusal = BadStream if inside == (b"b",) else ContentMismatch
    expect_refused(workshop, stream, forger.device, refusal)


def test_s6_w5_folders_that_double_end(workshop: "Workshop", forger: Forger) -> None:
    events: list[Event] = [New(None), New(b"00"), *file(b"f", b"x"), plan.End()]
    for number in range(1, 40):
        last = Location(forger.itself.source, (b"%02d" % (number - 1),))
        events += [New(b"%02d" % number), Take(b"a", last), Take(b"b", last), plan.End()]
    error = expect_refused(workshop, forger.stream([*events, plan.End()]), forger.device, BadStream)
    assert "more than 100000 files, links and folders" in str(error)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (plan.Link(b"%05d", b"x"), "than the images hold"),
        (plan.Link(b"%05d", b"x" * 999), "of names"),
    ],
    ids=["nodes", "words"],
)
def test_r3_w5_no_more_is_made_in_memory_than_the_images_have_room_for(
    workshop: "Workshop", forger: Forger, one: plan.Link, words: str
) -> None:
    assert one.name is not None
    links: list[Event] = [plan.Link(one.name % number, one.target) for number in range(400)]
    error = expect_refused(
        workshop, forger.stream([New(None), *links, plan.End()]), forger.device, BadStream
    )
    assert words in str(error)


def test_only_a_file_or_link_is_the_same_with_other_metadata(
    workshop: "Workshop", forger: Forger
) -> None:
    like = Like(None, Location(forger.root.source, (b"usr",)))
    same: list[Event] = [like, plan.Meta(Metadata(0o700)), plan.Same(), plan.End()]
    error = expect_refused(workshop, forger.stream(same), forger.device, BadStream)
    assert "usr/bin is a folder" in str(error)


@pytest.mark.parametrize("name", [b"new", None])
def test_a_file_that_replaces_none_is_not_patched_from_it(
    workshop: "Workshop", forger: Forger, name: bytes | None
) -> None:
    part = plan.Part(Pack.NONE, 1, Channel.TEXT, (plan.Source(None),), plan.Copies.of([(0, 0, 1)]))
    events: list[Event] = [
        plan.Patched(name, 1, False, 1),
        part,
        plan.Copied([(0, 0, 1)], b"", b"\0"),
    ]
    if name is not None:
        events = [New(None), *events, plan.End()]
    error = expect_refused(workshop, forger.stream(events), forger.device, BadStream)
    assert "but replaces none" in str(error)


def test_a_stream_that_needs_a_tool_that_is_not_here_is_refused_before_the_first_write(
    workshop: "Workshop", forger: Forger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forger.tools = Tool.GZIP
    stream = forger.stream([])
    monkeypatch.setenv("PATH", str(tmp_path))
    error = expect_refused(workshop, stream, forger.device, UnsupportedStream)
    assert "needs gzip, which this device lacks" in str(error)


def test_s6_more_than_was_declared_is_refused(workshop: "Workshop", forger: Forger) -> None:
    much = [New(None), *file(b"a", bytes(6_000)), *file(b"b", bytes(6_000)), plan.End()]
    many: list[Event] = [New(None)]
    for index in range(60):
        many += file(b"%03d" % index, bytes(65))
    for events in (much, [*many, plan.End()]):
        error = expect_refused(workshop, forger.stream(events), forger.device, BadStream)
        assert "more than it declared" in str(error)


def test_an_image_that_is_larger_than_told_is_written_no_further(
    workshop: "Workshop", forger: Forger
) -> None:
    old = [Take(b"%04d" % n, Location(forger.root.source)) for n in range(200)]
    stream = forger.stream([New(None), *old, plan.End()])
    written: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "sync_file", lambda file: written.append(file.tell()))
        expect_refused(workshop, stream, forger.device, ContentMismatch)
    assert set(written) == {entry.size_bytes for entry in forger.new.images}


def test_s6_sizes_that_no_disk_has_are_refused_before_anything_is_written(
    workshop: "Workshop", forger: Forger
) -> None:
    huge = Need(forger.position, 1 << 50, 1 << 50, 5)
    error = expect_refused(workshop, forger.stream([], huge), forger.device, DiskFull)
    assert "bytes are needed" in str(error) and str(1 << 50)[:9] in str(error)


def test_a_header_that_does_not_agree_with_the_rest_is_refused(
    workshop: "Workshop", forger: Forger
) -> None:
    elsewhere = StorePath("0" * 32, "generation-gateway")
    stream = forger.stream([], target=elsewhere)
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "the manifest to" in str(error)


def test_an_object_that_comes_from_nowhere_is_refused(workshop: "Workshop", forger: Forger) -> None:
    stream = forger.stream([], Need(forger.sent[-1], 0, 0, 0), alone=True)
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "is new, and not sent" in str(error)


Packets = list[tuple[Channel, bytes]]


def unframed(stream: bytes) -> tuple[Header, Packets]:
    """The header of a stream and the content of its channels; each has one packet."""
    reader = StreamReader(io.BytesIO(stream).read)
    payload, packets = b"".join(iter(reader.some, b"")), Packets()
    while payload:
        size = 4 + int.from_bytes(payload[1:3], "little")
        channel = Channel(payload[0])
        content = lzma.decompress(payload[3:size], lzma.FORMAT_RAW, filters=filters(channel))
        packets.append((channel, content))
        payload = payload[size:]
    assert len({channel for channel, _ in packets}) == len(packets)
    return reader.header, packets


def framed(header: Header, packets: Packets) -> bytes:
    """A stream that is right in everything but perhaps the content of its channels."""
    written = io.BytesIO()
    writer = StreamWriter(written.write, header)
    for channel, content in packets:
        packed = lzma.compress(content, lzma.FORMAT_RAW, filters=filters(channel))
        writer.payload(bytes([channel]) + (len(packed) - 1).to_bytes(2, "little") + packed)
    writer.finish()
    return written.getvalue()


def bent(data: st.DataObject, packets: Packets) -> Packets:
    """One channel with other bytes somewhere, more of them or fewer."""
    chosen = data.draw(st.integers(0, len(packets) - 1))
    channel, content = packets[chosen]
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(begin + 8, len(content))))
    put = data.draw(st.binary(max_size=8) | st.just(content[max(0, begin - 9) : begin]))
    changed = (channel, content[:begin] + put + content[end:])
    return [*packets[:chosen], changed, *packets[chosen + 1 :]]


@contextlib.contextmanager
def writing_at_most(size_bytes: int) -> Iterator[None]:
    """Whoever makes objects writes no more than was declared."""
    write, written = os.write, 0

    def count(descriptor: int, content: bytes) -> int:
        nonlocal written
        written += len(content)
        assert written <= size_bytes + 4096  # small contents that are read in memory
        return write(descriptor, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", count)
        yield


@settings(
    max_examples=EXAMPLES * 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_s6_s7_a_changed_payload_gives_the_target_or_a_refusal_within_what_was_declared(
    workshop: "Workshop", pair: "Pair", data: st.DataObject
) -> None:
    header, packets = unframed(workshop.stream(pair.old, pair.new))
    changed = framed(header, bent(data, packets))
    device = workshop.device(pair.old)
    try:
        with writing_at_most(header.content_bytes):
            workshop.receive(changed, device)
    except ReconixError:
        device = workshop.device(pair.old)
        expect_refused(workshop, changed, device)
    else:
        workshop.expect_complete(device, pair.new)


@settings(
    max_examples=4 * EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_s2_t3_whatever_is_done_to_a_signed_stream_it_is_refused(
    workshop: "Workshop", pair: "Pair", data: st.DataObject
) -> None:
    """Bytes replaced, inserted, removed, repeated, taken from another signed stream."""
    key, written = generate("key"), io.BytesIO()
    send.create(workshop.store, [pair.old], pair.new, written.write, signer=Signer((key,)))
    right = written.getvalue()
    other = workshop.stream(None, pair.new)
    begin = data.draw(st.integers(0, len(right)))
    end = data.draw(st.integers(begin, min(begin + 200, len(right))))
    put = data.draw(
        st.binary(max_size=64) | st.just(right[begin:end] * 2) | st.just(other[begin:end])
    )
    changed = right[:begin] + put + right[end:]
    device = workshop.device(pair.old)
    if changed == right:
        return
    with pytest.raises(ReconixError) as caught:
        read = io.BytesIO(changed).read
        receive(read, device, host="gateway", architecture="amd64", verifier=trusting(key))
    assert 50 <= caught.value.exit_code < 60 or caught.value.exit_code in (80, 81)
    assert device.get(pair.new) is None and workshop.staged(device) == []
    assert set(device.pool.digests()) == contents_of(workshop, pair.old)
    assert len(list(device.images_dir.iterdir())) == len(workshop.manifest(pair.old).images)


# --- disks that are full or fail


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real ext4 file system of 24 MiB."""
    image, place = tmp_path / "disk", tmp_path / "disk-mounted"
    with image.open("wb") as opened:
        opened.truncate(24 << 20)
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    run("mkfs.ext4", "-q", "-m", "0", "-N", "1024", "-O", "^has_journal", image)
    try:
        run("mount", "-o", "loop", image, place)
    except CommandFailed as error:
        pytest.skip(f"no loop mounts here: {error}")
    yield place
    run("umount", place)


def free_bytes(place: Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def test_r1_a_disk_that_is_too_small_is_refused_before_the_first_write(
    workshop: "Workshop", small_disk: Path
) -> None:
    target = workshop.generation(root=folder({"big": File(bytes(25 << 20))}))
    device = workshop.device(at=small_disk / "system")
    expect_refused(workshop, workshop.stream(None, target), device, DiskFull)
    assert not device.staging_dir.exists()


def test_r1_a_disk_that_fills_meanwhile_is_given_back(
    workshop: "Workshop", small_disk: Path
) -> None:
    contents = {f"file-{n}": File(os.urandom(1 << 18)) for n in range(8)}
    target = workshop.generation(root=folder(contents))
    device = workshop.device(at=small_disk / "system")
    stream = io.BytesIO(workshop.stream(None, target))
    before = free_bytes(small_disk)

    def read(size: int) -> bytes:
        if stream.tell() > 1 << 20 and not (small_disk / "hog").exists():
            hog = small_disk / "hog"
            with hog.open("wb") as opened:
                os.posix_fallocate(opened.fileno(), 0, free_bytes(small_disk) - (1 << 16))
        return stream.read(size)

    with pytest.raises(DiskFull, match="filled up while objects were written"):
        receive(read, device, host="gateway", architecture="amd64")
    (small_disk / "hog").unlink()
    assert workshop.staged(device) == []
    assert list(device.pool.digests()) == []
    assert free_bytes(small_disk) >= before - (64 << 10)
    workshop.receive(stream.getvalue(), device)
    workshop.expect_complete(device, target)


def test_r1_too_few_inodes_are_refused_before_the_first_write(
    workshop: "Workshop", small_disk: Path
) -> None:
    many = folder({f"{n % 50}/{n}": File(b"%05d" % n * 20) for n in range(1500)})
    target = workshop.generation(root=many)
    device = workshop.device(at=small_disk / "system")
    error = expect_refused(workshop, workshop.stream(None, target), device, DiskFull)
    assert "inodes" in str(error)


def test_r2_a_disk_that_fails_is_reported(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("reconix.transfer.receiving.contents.sync_file_system", fail)
        error = expect_refused(workshop, stream, device, StorageFailed)
    assert os.strerror(errno.EIO) in str(error)
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)


def test_r2_the_first_failure_is_told_even_if_staging_cannot_be_cleared(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    cleared: list[None] = []

    def clear(registry: Registry) -> None:
        cleared.append(None)
        if len(cleared) > 1:  # the first time it is before the first write
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr("reconix.transfer.receiving.contents.sync_file_system", fail)
        patch.setattr(Registry, "clear_staging", clear)
        with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
            workshop.receive(stream, device)
        assert workshop.staged(device) != []
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)
    assert workshop.staged(device) == []


def test_v1_a_content_that_the_disk_changed_after_it_was_written_is_found(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(None, pair.new), workshop.device()
    harmed: list[Path] = []

    def sync_and_harm(descriptor: int) -> None:
        sync_file_system(descriptor)
        if not harmed:
            harmed.extend(sorted(device.staging_dir.iterdir())[:1])
            flip(harmed[0])

    with monkeypatch.context() as patch:
        patch.setattr("reconix.transfer.receiving.contents.sync_file_system", sync_and_harm)
        error = expect_refused(workshop, stream, device, WrittenDifferently)
    assert "other bytes than were written for the content" in str(error)
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)


def test_v1_an_image_that_the_disk_changed_after_it_was_written_is_found(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)

    def sync_and_harm(file: BinaryIO) -> None:
        sync_file(file)
        flip(Path(file.name))

    with monkeypatch.context() as patch:
        patch.setattr(images, "sync_file", sync_and_harm)
        error = expect_refused(workshop, stream, device, WrittenDifferently)
    assert "other bytes than were written for the image" in str(error)
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)


# --- sending


def test_only_a_generation_can_be_sent(workshop: "Workshop") -> None:
    path = workshop.store.add_files(folder({"a": File(b"a")}), "something")
    with pytest.raises(NotAGeneration, match=r"is no generation"):
        workshop.stream(None, path)


@pytest.mark.parametrize(("name", "file"), [("root", "usr/bin/added"), ("boot", "kernel")])
def test_a_damaged_build_store_sends_nothing(
    workshop: "Workshop", pair: "Pair", name: str, file: str
) -> None:
    path = workshop.path(pair.new, name)
    damaged = workshop.store.path(path) / file
    damaged.chmod(0o755)
    flip(damaged)
    with pytest.raises(StoreDamaged, match=str(path)):
        workshop.stream(None, pair.new)


def test_folders_of_a_device_that_nobody_prepared_are_made(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = Registry(workshop.place / "bare")
    device.system_root.mkdir()
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)
