import contextlib
import errno
import io
import lzma
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.deep_trees import nested
from tests.trusting import trusting

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed, run
from reconix.base.progress import Silent, Stage
from reconix.nix.chroot import ChrootStore
from reconix.store.links import fill_pool, optimise
from reconix.store.manifest import Manifest
from reconix.store.nar import Link as NarLink
from reconix.store.nar import walk
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Folder, Node, Symlink, folder
from reconix.store.verify import ContentChanged, verify_object
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
from reconix.transfer.receiving.receive import (
    Commit,
    StorageFailed,
    WrongBase,
    WrongDevice,
    receive,
)
from reconix.transfer.receiving.room import DiskFull
from reconix.transfer.receiving.sources import DamagedBase
from reconix.transfer.receiving.staging import ContentMismatch
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
    assert manifest == workshop.store.manifest(pair.new)
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
            for item in reversed(workshop.store.manifest(generation).objects):
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


def test_files_of_the_base_are_linked_and_not_sent(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    old = device.path(workshop.path(pair.old, "root"))
    new = device.path(workshop.path(pair.new, "root"))
    assert (old / "usr/share/same/a").samefile(new / "usr/share/same/a")
    assert (old / "usr/lib/old-1.0/library").samefile(new / "usr/lib/new-1.1/library")
    page = device.path(workshop.path(pair.new, "page"))
    assert page.samefile(new / "usr/share/page")


def test_modes_and_times_are_those_of_a_store(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device()
    workshop.receive(workshop.stream(None, pair.new), device)
    root = device.path(workshop.path(pair.new, "root"))
    modes = {"": 0o555, "usr/bin/added": 0o555, "usr/share/page": 0o444, "usr/share": 0o555}
    for name, mode in modes.items():
        assert (root / name).stat().st_mode & 0o7777 == mode
        assert (root / name).stat().st_mtime == 1
    assert (root / "bin").lstat().st_mtime == 1


def test_repeating_a_finished_receive_writes_nothing(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    stream = workshop.stream(pair.old, pair.new)
    workshop.receive(stream, device)
    before = workshop.snapshot(device)
    assert workshop.receive(stream, device) == workshop.store.manifest(pair.new)
    assert workshop.snapshot(device) == before


def test_s3_an_altered_object_that_a_generation_uses_is_not_taken_away(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.old, pair.new)
    stream, page = workshop.stream(None, pair.new), workshop.path(pair.new, "page")
    device.path(page).unlink()
    device.path(page).write_bytes(b"altered")
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert str(page) in str(error) and "an installed generation uses it" in str(error)
    device.path(page).unlink()
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)


def test_an_object_that_is_there_is_not_made_again(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.new)
    device.remove(pair.new)
    before = workshop.snapshot(device)
    workshop.receive(workshop.stream(None, pair.new), device)
    after = workshop.snapshot(device)
    objects = [path for path in before if "/nix/store/" in path]
    assert {path: after[path] for path in objects} == {path: before[path] for path in objects}


@pytest.mark.parametrize("is_intact", [True, False])
def test_what_is_whole_in_staging_is_used_and_nothing_else(
    workshop: "Workshop", pair: "Pair", is_intact: bool
) -> None:
    device, root = workshop.device(), workshop.path(pair.new, "root")
    device.staging_dir.mkdir(parents=True)
    staged = device.staged(root)
    shutil.copytree(workshop.store.path(root), staged, symlinks=True)
    if not is_intact:
        flip(staged / "usr/share/page")
    with (staged / "usr/share/page").open("rb") as before:
        workshop.receive(workshop.stream(None, pair.new), device)
        after = (device.path(root) / "usr/share/page").stat()
        assert os.path.samestat(after, os.fstat(before.fileno())) is is_intact
    workshop.expect_complete(device, pair.new)


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


def test_a_receive_and_its_check_of_what_stays_go_on_to_their_totals(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    progress.listen(shown := Shown())
    workshop.receive(stream, device)
    assert sorted(shown.totals) == ["check what stays", "receive"]
    assert shown.done == shown.totals
    assert min(shown.done.values()) > 0


def test_what_is_read_of_an_object_that_is_there_counts_as_progress(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream = workshop.stream(None, pair.new)
    progress.listen(shown := Shown())
    workshop.receive(stream, workshop.device())
    made, device = shown.done["receive"], workshop.device(pair.new)
    device.remove(pair.new)
    workshop.receive(stream, device)
    assert shown.done["receive"] == made > 10_000


def test_a_received_file_that_changes_later_is_named(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    path = workshop.path(pair.new, "root")
    flip(device.path(path) / "usr/share/page")
    with pytest.raises(ContentChanged, match=r"changed: usr/share/page$"):
        verify_object(device.store_dir, workshop.store.info(path))


def test_a_damaged_object_that_nobody_uses_is_made_again(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.new)
    device.remove(pair.new)
    flip(device.path(workshop.path(pair.new, "root")) / "usr/share/page")
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)


def test_what_no_store_has_is_not_taken_for_an_object(workshop: "Workshop", pair: "Pair") -> None:
    device, page = workshop.device(pair.new), workshop.path(pair.new, "page")
    device.remove(pair.new)
    device.path(page).unlink()
    os.mkfifo(device.path(page))
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)


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
@given(objects, objects)
def test_any_generation_is_made_from_any_other(
    workshop: "Workshop", old: dict[str, Node], new: dict[str, Node]
) -> None:
    first, second = workshop.generation(**old), workshop.generation(**new)
    device = workshop.device(first)
    workshop.receive(workshop.stream(first, second), device)
    workshop.expect_complete(device, second)
    fresh = workshop.device(at=workshop.place / "fresh")
    workshop.receive(workshop.stream(None, second), fresh)
    workshop.expect_complete(fresh, second)


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


def test_s3_a_missing_object_of_the_base_is_named(workshop: "Workshop", pair: "Pair") -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    missing = workshop.path(pair.old, "root")
    shutil.rmtree(device.path(missing))
    error = expect_refused(workshop, stream, device, WrongBase)
    assert f"{missing} is missing" in str(error)


@pytest.mark.parametrize(
    "name", ["usr/bin/tool", "usr/share/same/b", "usr/lib/old-1.0/library", "usr/lib/old-1.0/data"]
)
def test_s3_a_damaged_file_of_the_base_is_named(
    workshop: "Workshop", pair: "Pair", name: str
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    root = device.path(workshop.path(pair.old, "root"))
    fill_pool(device.store_dir, [root], {})
    flip(root / name)
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert f"{root} is damaged: its content was altered in {name}" in str(error)


def test_s3_damage_that_the_target_does_not_need_does_not_matter(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    flip(device.path(workshop.path(pair.old, "root")) / "usr/lib/gone")
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)


def test_s3_a_damaged_object_that_stays_is_refused_before_the_first_write(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    flip(device.path(workshop.path(pair.old, "linux")) / "vmlinuz")
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert str(workshop.path(pair.old, "linux")) in str(error)
    assert "its content was altered" in str(error)
    assert not device.staging_dir.exists()


def test_s3_the_damaged_file_of_an_object_that_stays_is_named_if_links_tell(
    workshop: "Workshop", pair: "Pair"
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    linux = workshop.path(pair.old, "linux")
    optimise(device.store_dir, device.path(linux))
    flip(device.path(linux) / "vmlinuz")
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert f"{linux} is damaged: its content was altered in vmlinuz" in str(error)


def remove(path: Path) -> None:
    path.unlink()


def add_beside(path: Path) -> None:
    (path.parent / "aaa").write_bytes(b"")


def make_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def set_executable(path: Path) -> None:
    path.chmod(0o555)


@pytest.mark.parametrize("harm", [remove, add_beside, make_link, make_folder, set_executable])
@pytest.mark.parametrize("name", ["usr/share/same/b", "usr/lib/old-1.0/library"])
def test_s3_a_changed_folder_of_the_base_is_found_before_it_misleads(
    workshop: "Workshop", pair: "Pair", name: str, harm: Callable[[Path], None]
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)
    damaged = device.path(workshop.path(pair.old, "root")) / name
    harm(damaged)
    error = expect_refused(workshop, stream, device, DamagedBase)
    assert str(device.path(workshop.path(pair.old, "root"))) in str(error)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


# --- streams that somebody made to do harm: every digest is right, the content is not


class Forger:
    """Makes streams whose frames are right and whose plan is whatever a test says."""

    def __init__(self, workshop: "Workshop", pair: "Pair") -> None:
        self.device = workshop.device(pair.old)
        self.tools = NO_TOOLS
        self.old = workshop.store.manifest(pair.old)
        self.new = workshop.store.manifest(pair.new)
        self.position = [i.path.name for i in self.new.objects].index("root")
        root = [i.path.name for i in self.old.objects].index("root")
        self.root = Location(root)
        self.itself = Location(len(self.old.objects) + self.position)

    def need(self) -> Need:
        return Need(self.position, 10_000, 1 << 20, 50)

    def stream(
        self,
        events: list[Event],
        need: Need | None = None,
        manifest: Manifest | None = None,
        target: StorePath | None = None,
    ) -> bytes:
        """Send only the root, as these events; what else is new is not in it."""
        written = io.BytesIO()
        chosen = need or self.need()
        others = [
            Need(i, 0, 0, 0)
            for i, item in enumerate(self.new.objects)
            if item not in self.old.objects and i > chosen.index
        ]
        needs = [chosen, *others]
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
        printer = Printer(packer)
        for event in events:
            printer.feed(event)
        packer.finish()
        writer.finish()
        return written.getvalue()


@pytest.fixture
def forger(workshop: "Workshop", pair: "Pair") -> Forger:
    made = Forger(workshop, pair)
    # the new root must be first among what is sent, so that a test can send nothing else
    needed = [i for i, item in enumerate(made.new.objects) if item not in made.old.objects]
    made.position = needed[0]
    made.itself = Location(len(made.old.objects) + made.position)
    return made


def file(name: bytes | None, content: bytes) -> list[Event]:
    pieces: list[Event] = [Piece(content)] if content else []
    return [plan.File(name, len(content), False), *pieces]


def test_s7_an_object_that_comes_out_wrong_is_refused(workshop: "Workshop", forger: Forger) -> None:
    stream = forger.stream([New(None), *file(b"a", b"something else"), plan.End()])
    error = expect_refused(workshop, stream, forger.device, ContentMismatch)
    assert str(forger.new.objects[forger.position].path) in str(error)


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
    old = forger.device.path(forger.old.objects[forger.root.source].path) / "usr/share/same"
    check = plan.folder_check((name.encode(), b"-") for name in sorted(os.listdir(old)))  # noqa: PTH208
    like = Like(None, Location(forger.root.source, (b"usr", b"share", b"same")), check)
    stream = forger.stream(
        [like, *file(b"b", b""), Keep(1, plan.entry_check(b"a", b"-", 0) & 0xFFFF), plan.End()]
    )
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "b'a' comes after b'b'" in str(error)


@pytest.mark.parametrize("depth", [13, 300])
def test_w4_what_is_nested_too_deep_is_refused_and_leaves_nothing(
    workshop: "Workshop", forger: Forger, depth: int
) -> None:
    name = b"n" * 255 if depth < 100 else b"n"
    folders = [New(None), *(New(name) for _ in range(depth))]
    stream = forger.stream([*folders, *(plan.End() for _ in folders)])
    expect_refused(workshop, stream, forger.device, BadStream)


def test_what_an_agent_before_left_is_removed_however_long_its_path(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = workshop.device(pair.old)
    device.staging_dir.mkdir(parents=True)
    with nested(device.staging_dir / "left", depth=20, name="n" * 255):
        workshop.receive(workshop.stream(pair.old, pair.new), device)
        assert workshop.staged(device) == []


@pytest.mark.parametrize("step", [Keep(3, 0), plan.Drop(3), plan.Drop(1 << 62)])
def test_s6_more_entries_than_there_are_cannot_be_kept_or_dropped(
    workshop: "Workshop", forger: Forger, step: Event
) -> None:
    check = plan.folder_check([(b"a", b"-"), (b"b", b"-")])
    like = Like(None, Location(forger.root.source, (b"usr", b"share", b"same")), check)
    stream = forger.stream([like, step, plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "no more entries" in str(error)


def test_s5_no_link_is_followed_on_the_way_to_a_source(
    workshop: "Workshop", forger: Forger
) -> None:
    through = Take(None, Location(forger.root.source, (b"bin", b"tool")), 0)
    error = expect_refused(workshop, forger.stream([through]), forger.device, DamagedBase)
    assert "folder is missing" in str(error)


@pytest.mark.parametrize("source", [99, 1 << 62])
def test_a_source_that_does_not_exist_is_refused(
    workshop: "Workshop", forger: Forger, source: int
) -> None:
    stream = forger.stream([Take(None, Location(source), 0)])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "which is not available" in str(error)


def test_an_object_that_comes_later_is_no_source(workshop: "Workshop", forger: Forger) -> None:
    later = [i for i, item in enumerate(forger.new.objects) if item not in forger.old.objects][1]
    place = Location(len(forger.old.objects) + later)
    stream = forger.stream([Take(None, place, 0)])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "which is not available" in str(error)


def test_s6_a_folder_that_takes_itself_into_itself_ends(
    workshop: "Workshop", forger: Forger
) -> None:
    seen = plan.entry_check(b"a", b"d", plan.entry_check(b"", b"d", 0))
    check = plan.end_check(plan.end_check(seen)) & 0xFFFF
    events: list[Event] = [New(None), New(b"a"), Take(b"b", forger.itself, check)]
    stream = forger.stream([*events, plan.End(), plan.End()])
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "more than it declared" in str(error)


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
        many += [New(b"%03d" % index), plan.End()]
    for events in (much, [*many, plan.End()]):
        error = expect_refused(workshop, forger.stream(events), forger.device, BadStream)
        assert "more than it declared" in str(error)


def test_s6_an_object_that_is_there_takes_no_more_work_than_its_space_pays_for(
    workshop: "Workshop", pair: "Pair", forger: Forger
) -> None:
    device = workshop.device(pair.old, pair.new)
    device.remove(pair.new)
    stream = forger.stream(file(None, bytes(10)), Need(forger.position, 10, 0, 1))
    error = expect_refused(workshop, stream, device, BadStream)
    assert "more work than its declared space pays for" in str(error)


def test_s6_sizes_that_no_disk_has_are_refused_before_anything_is_written(
    workshop: "Workshop", forger: Forger
) -> None:
    huge = Need(forger.position, 1 << 50, 1 << 50, 5)
    error = expect_refused(workshop, forger.stream([], huge), forger.device, DiskFull)
    assert "bytes are needed" in str(error) and str(1 << 50)[:9] in str(error)
    many = Need(forger.position, 0, 0, 1 << 21)
    free = os.statvfs(forger.device.store_dir).f_favail
    if free < 1 << 21:
        expect_refused(workshop, forger.stream([], many), forger.device, DiskFull)


def test_a_header_that_does_not_agree_with_the_rest_is_refused(
    workshop: "Workshop", forger: Forger
) -> None:
    elsewhere = StorePath("0" * 32, "generation-gateway")
    stream = forger.stream([], target=elsewhere)
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "the manifest to" in str(error)


def test_an_object_that_comes_from_nowhere_is_refused(workshop: "Workshop", forger: Forger) -> None:
    last = len(forger.new.objects) - 1
    needed = [i for i, item in enumerate(forger.new.objects) if item not in forger.old.objects]
    stream = forger.stream([], Need(needed[-1], 0, 0, 0))
    assert needed[-1] <= last
    error = expect_refused(workshop, stream, forger.device, BadStream)
    assert "neither sent nor in the base" in str(error)


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
        assert written <= size_bytes
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
    assert {path.name for path in device.store_dir.iterdir()} <= {
        item.path.basename for item in workshop.store.manifest(pair.old).objects
    } | {".links"}


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
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
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
    assert list(device.store_dir.iterdir()) == []
    assert free_bytes(small_disk) >= before - (64 << 10)
    workshop.receive(stream.getvalue(), device)
    workshop.expect_complete(device, target)


def test_r1_too_few_inodes_are_refused_before_the_first_write(
    workshop: "Workshop", small_disk: Path
) -> None:
    many = folder({f"{n % 50}/{n}": File(b"") for n in range(7000)})
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
        patch.setattr("reconix.transfer.receiving.staging.sync_file_system", fail)
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

    def clear(registry: Registry, keep: Iterable[StorePath] | None = None) -> None:
        if keep is None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr("reconix.transfer.receiving.staging.sync_file_system", fail)
        patch.setattr(Registry, "clear_staging", clear)
        with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
            workshop.receive(stream, device)
        assert workshop.staged(device) != []
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)
    assert workshop.staged(device) == []


def test_s5_a_file_with_as_many_names_as_possible_is_copied(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(pair.old, pair.new), workshop.device(pair.old)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)
    workshop.receive(stream, device)
    workshop.expect_complete(device, pair.new)
    root = device.path(workshop.path(pair.new, "root"))
    assert (root / "usr/bin/tool").stat().st_mode & 0o777 == 0o555
    assert (root / "usr/share/same/a").stat().st_nlink == 1


def test_v1_what_the_disk_changed_after_it_was_written_is_found(
    workshop: "Workshop", pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, device = workshop.stream(None, pair.new), workshop.device()
    close = os.close
    harmed: list[str] = []

    def harm_and_close(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        close(descriptor)
        if name.endswith("usr/bin/added") and not harmed:
            harmed.append(name)
            flip(Path(name))

    monkeypatch.setattr(os, "close", harm_and_close)
    error = expect_refused(workshop, stream, device, ContentMismatch)
    assert "came out wrong" in str(error)


# --- sending


def test_only_a_generation_can_be_sent(workshop: "Workshop") -> None:
    path = workshop.store.add_files(folder({"a": File(b"a")}), "something")
    with pytest.raises(NotAGeneration, match=r"no generation\.json"):
        workshop.stream(None, path)


def test_a_damaged_build_store_sends_nothing(workshop: "Workshop", pair: "Pair") -> None:
    path = workshop.path(pair.new, "root")
    damaged = workshop.store.path(path) / "usr/bin/added"
    damaged.chmod(0o755)
    flip(damaged)
    with pytest.raises(StoreDamaged, match=str(path)):
        workshop.stream(pair.old, pair.new)


def test_links_are_links(workshop: "Workshop", pair: "Pair") -> None:
    device = workshop.device(pair.old)
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    events = list(walk(device.path(workshop.path(pair.new, "root"))))
    assert events.count(NarLink(b"usr/bin")) == 2


def test_folders_of_a_device_that_nobody_prepared_are_made(
    workshop: "Workshop", pair: "Pair"
) -> None:
    device = Registry(workshop.place / "bare")
    device.system_root.mkdir()
    workshop.receive(workshop.stream(None, pair.new), device)
    workshop.expect_complete(device, pair.new)
