"""Archives: both ways without loss, in constant memory, and nothing bad gets through."""

import io
import os
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.base.files import COPY_BYTES
from reconix.store import nar, tree
from reconix.store.names import MAX_DEPTH
from reconix.store.nar import (
    BadArchive,
    BadTree,
    Content,
    Encoder,
    Entry,
    Event,
    FileBegin,
    FolderBegin,
    FolderEnd,
    Link,
    NarInfo,
)
from reconix.store.tree import File, Folder, Node, Symlink

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
LEAVES = st.builds(File, st.binary(max_size=300), st.booleans()) | st.builds(
    Symlink,
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def descriptors() -> list[str]:
    """What this process has open."""
    return entries(Path("/proc/self/fd"))


def _folder(entries: dict[str, Node]) -> Folder:
    return Folder(tuple(sorted(entries.items(), key=lambda item: item[0].encode())))


NODES: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(NAMES, inner, max_size=5).map(_folder),
    max_leaves=20,
)

SAMPLE = tree.folder(
    {
        "bin/run": File(b"#!/bin/sh\necho hello\n", executable=True),
        "etc/empty": File(b""),
        "etc/link": Symlink("../bin/run"),
        "etc/void": Folder(),
    }
)


def archive(node: Node) -> bytes:
    out = bytearray()
    tree.dump(node, out.extend)
    return bytes(out)


def word(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content + bytes(-len(content) % 8)


def words(*contents: bytes) -> bytes:
    return b"".join(word(content) for content in contents)


def refuse(content: bytes, tmp_path: Path, match: str) -> None:
    """The archive is refused, whoever reads it, and nothing is made outside the target."""
    with pytest.raises(BadArchive, match=match):
        for _ in nar.parse(io.BytesIO(content).read):
            pass
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(BadArchive, match=match):
        nar.restore(io.BytesIO(content).read, inside / "t")
    assert entries(tmp_path) == ["inside"]
    assert set(entries(inside)) <= {"t"}


@given(NODES)
def test_parsing_gives_back_the_events(node: Node) -> None:
    parsed = list(nar.parse(io.BytesIO(archive(node)).read))
    assert parsed == list(tree.events(node))


@given(NODES)
def test_reading_byte_by_byte_makes_no_difference(node: Node) -> None:
    stream = io.BytesIO(archive(node))
    assert list(nar.parse(lambda _: stream.read(1))) == list(tree.events(node))


def test_of_a_link_that_gives_half_of_what_is_asked_nothing_behind_is_read() -> None:
    stream = io.BytesIO(archive(SAMPLE) + b"next")
    parsed = list(nar.parse(lambda size: stream.read((size + 1) // 2)))
    assert parsed == list(tree.events(SAMPLE))
    assert stream.read() == b"next"


def test_a_restored_tree_has_the_same_archive(tmp_path: Path) -> None:
    nar.restore(io.BytesIO(archive(SAMPLE)).read, tmp_path / "t")
    out = bytearray()
    nar.dump(tmp_path / "t", out.extend)
    assert bytes(out) == archive(SAMPLE)


def test_walking_and_dumping_agree(tmp_path: Path) -> None:
    tree.write(SAMPLE, tmp_path / "t")
    out = bytearray()
    encoder = Encoder(out.extend)
    for event in nar.walk(tmp_path / "t"):
        encoder.feed(event)
    assert bytes(out) == archive(SAMPLE)
    assert encoder.complete
    assert encoder.size_bytes == len(out)


def test_the_digest_is_that_of_the_archive(tmp_path: Path) -> None:
    tree.write(SAMPLE, tmp_path / "t")
    expected = archive(SAMPLE)
    assert nar.digest(tmp_path / "t") == NarInfo(Digest.of(expected), len(expected))


@pytest.mark.parametrize("root", [File(b"x" * 9), Symlink("x")], ids=["file", "link"])
def test_a_root_need_not_be_a_folder(root: Node, tmp_path: Path) -> None:
    tree.write(root, tmp_path / "t")
    expected = archive(root)
    assert list(nar.walk(tmp_path / "t")) == list(tree.events(root))
    assert nar.digest(tmp_path / "t") == NarInfo(Digest.of(expected), len(expected))


def test_a_digest_is_the_same_with_a_check_in_between(tmp_path: Path) -> None:
    tree.write(SAMPLE, tmp_path / "t")
    asked: list[None] = []
    assert nar.digest(tmp_path / "t", lambda: asked.append(None)) == nar.digest(tmp_path / "t")
    assert asked


def test_a_check_can_make_an_end_of_hashing(tmp_path: Path) -> None:
    def stop() -> None:
        raise InterruptedError

    tree.write(SAMPLE, tmp_path / "t")
    with pytest.raises(InterruptedError):
        nar.digest(tmp_path / "t", stop)


LARGE = tree.folder(
    {
        **{f"some/{number:03}": File(bytes([number]) * 60_001) for number in range(30)},
        "whole": File(b"1234567" * 500_000),
    }
)


def test_large_files_and_many_of_them_have_the_size_and_digest_of_their_archive(
    tmp_path: Path,
) -> None:
    tree.write(LARGE, tmp_path / "t")
    expected = archive(LARGE)
    assert nar.digest(tmp_path / "t") == NarInfo(Digest.of(expected), len(expected))
    out = bytearray()
    encoder = Encoder(out.extend)
    for event in nar.walk(tmp_path / "t"):
        encoder.feed(event)
    assert out == expected
    assert encoder.size_bytes == len(expected)


def test_however_many_files_there_are_little_of_them_is_held(tmp_path: Path) -> None:
    tree.write(LARGE, tmp_path / "t")
    sizes: list[int] = []
    nar.dump(tmp_path / "t" / "some", lambda data: sizes.append(len(data)))
    assert sum(sizes) > 30 * 60_000
    assert max(sizes) < 400_000


def test_a_restored_tree_has_the_modes_and_times_of_a_store(tmp_path: Path) -> None:
    nar.restore(io.BytesIO(archive(SAMPLE)).read, tmp_path / "t")
    modes = {}
    for path in [tmp_path / "t", *sorted((tmp_path / "t").rglob("*"))]:
        status = path.lstat()
        assert status.st_mtime == 1, path
        if not path.is_symlink():
            modes[str(path.relative_to(tmp_path))] = status.st_mode & 0o7777
    assert modes == {
        "t": 0o555,
        "t/bin": 0o555,
        "t/bin/run": 0o555,
        "t/etc": 0o555,
        "t/etc/empty": 0o444,
        "t/etc/void": 0o555,
    }


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    name = b"\xff\xfe"
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / os.fsdecode(name)).symlink_to(os.fsdecode(b"\x80"))
    assert list(nar.walk(tmp_path / "t")) == [
        FolderBegin(),
        Entry(name),
        Link(b"\x80"),
        FolderEnd(),
    ]


def test_listing_tells_paths_and_kinds() -> None:
    listed = list(nar.listing(io.BytesIO(archive(SAMPLE)).read))
    assert [(item.path, item.kind) for item in listed] == [
        (b"", FolderBegin()),
        (b"bin", FolderBegin()),
        (b"bin/run", FileBegin(21, executable=True)),
        (b"etc", FolderBegin()),
        (b"etc/empty", FileBegin(0, executable=False)),
        (b"etc/link", Link(b"../bin/run")),
        (b"etc/void", FolderBegin()),
    ]


def test_listing_knows_the_folder_again_when_one_below_it_has_ended() -> None:
    deep = tree.folder(
        {"a/b/c/d": File(b"x"), "a/b/e": File(b"y"), "a/f": Folder(), "g": File(b"")}
    )
    paths = [item.path for item in nar.listing(io.BytesIO(archive(deep)).read)]
    assert paths == [b"", b"a", b"a/b", b"a/b/c", b"a/b/c/d", b"a/b/e", b"a/f", b"g"]


def test_nobody_else_enters_a_folder_before_it_is_complete(tmp_path: Path) -> None:
    restorer = nar.Restorer(tmp_path / "t")
    restorer.feed(FolderBegin())
    assert (tmp_path / "t").stat().st_mode & 0o7777 == 0o700
    restorer.close()


@pytest.mark.parametrize("root", [SAMPLE, File(b"x"), Symlink("x")], ids=["folder", "file", "link"])
def test_restoring_leaves_the_descriptors_of_the_process_as_they_were(
    root: Node, tmp_path: Path
) -> None:
    before = descriptors()
    nar.restore(io.BytesIO(archive(root)).read, tmp_path / "t")
    assert descriptors() == before
    with pytest.raises(BadArchive):
        nar.restore(io.BytesIO(archive(root)[:-20]).read, tmp_path / "part")
    assert descriptors() == before


def test_a_restorer_that_failed_in_a_file_can_be_closed_twice(tmp_path: Path) -> None:
    before = descriptors()
    restorer = nar.Restorer(tmp_path / "t")
    for event in (FolderBegin(), Entry(b"a"), FileBegin(2, executable=False), Content(b"x")):
        restorer.feed(event)
    restorer.close()
    restorer.close()
    assert descriptors() == before


def test_nothing_behind_the_archive_is_read() -> None:
    stream = io.BytesIO(archive(SAMPLE) + b"next")
    list(nar.parse(stream.read))
    assert stream.read() == b"next"


def test_trailing_bytes_are_refused_where_none_may_be() -> None:
    stream = io.BytesIO(archive(SAMPLE) + b"\0")
    list(nar.parse(stream.read))
    with pytest.raises(BadArchive, match="follow its end"):
        nar.expect_end(stream.read)


def test_whether_something_follows_is_known_after_one_byte() -> None:
    stream = io.BytesIO(b"next")
    with pytest.raises(BadArchive, match="follow its end"):
        nar.expect_end(stream.read)
    assert stream.tell() == 1
    nar.expect_end(io.BytesIO().read)


def test_memory_does_not_depend_on_the_size_of_a_file(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(256 << 20)
    tracemalloc.start()
    try:
        nar.digest(big)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 << 20


# What a tree must not hold


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for root in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(BadTree, match="pipe is neither file, folder nor symbolic link"):
            nar.digest(root)
        with pytest.raises(BadTree, match="pipe is neither file, folder nor symbolic link"):
            list(nar.walk(root))


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(BadTree, match="neither file"):
            nar.digest(tmp_path)


def test_a_tree_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * MAX_DEPTH)
    deep.mkdir(parents=True)
    with pytest.raises(BadTree, match="nested deeper than 256"):
        nar.digest(tmp_path)
    with pytest.raises(BadTree, match="nested deeper than 256"):
        list(nar.walk(tmp_path))
    assert nar.digest(tmp_path / "d").size_bytes > 0


def test_a_tree_in_which_nothing_could_be_named_is_refused(tmp_path: Path) -> None:
    last = tmp_path.joinpath(*["d" * 255] * 12)
    last.mkdir(parents=True)
    assert nar.digest(tmp_path).size_bytes > 0
    (last / "d").mkdir()
    with pytest.raises(BadTree, match="longer than 3072 bytes"):
        nar.digest(tmp_path)
    with pytest.raises(BadTree, match="longer than 3072 bytes"):
        list(nar.walk(tmp_path))


def test_a_folder_whose_path_is_as_long_as_allowed_is_accepted(tmp_path: Path) -> None:
    names = ["d" * 235] * 12 + ["e" * 240]
    assert len("/".join(names)) == nar.MAX_FOLDER_BYTES
    for name in (tmp_path / "t").joinpath(*names[:6]), (tmp_path / "t").joinpath(*names):
        name.mkdir(parents=True)
    assert nar.digest(tmp_path / "t").size_bytes > nar.MAX_FOLDER_BYTES
    assert sum(isinstance(event, FolderBegin) for event in nar.walk(tmp_path / "t")) == 14


def test_what_cannot_be_stored_is_named_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    os.mkfifo(tmp_path / "inside" / "pipe")
    for give in (nar.digest, lambda root: list(nar.walk(root))):
        with pytest.raises(BadTree, match=f"{tmp_path}/inside/pipe is neither"):
            give(tmp_path)


# What changes while it is read


@pytest.mark.parametrize("inside", [False, True], ids=["root", "inside"])
def test_a_file_that_becomes_shorter_while_it_is_read_is_refused(
    inside: bool, tmp_path: Path
) -> None:
    file = tmp_path / "t" / "file" if inside else tmp_path / "t"
    file.parent.mkdir(exist_ok=True)
    for give in (nar.dump, _walk_and_tell):
        file.write_bytes(bytes(COPY_BYTES + 1))
        with pytest.raises(BadTree, match=f"{tmp_path}/t.* while it was read"):
            give(tmp_path / "t", lambda _: os.truncate(file, 1))


def _walk_and_tell(root: Path, write: nar.Write) -> None:
    for event in nar.walk(root):
        if isinstance(event, Content):
            write(event.data)


@pytest.mark.parametrize("node", [File(b"x"), tree.folder({"x": File(b"x")})], ids=type)
@pytest.mark.parametrize("give", [nar.dump, _walk_and_tell])
def test_what_becomes_a_link_while_it_is_read_is_not_followed(
    node: Node, give: Callable[[Path, nar.Write], None], tmp_path: Path
) -> None:
    root, outside = tmp_path / "t", tmp_path / "outside"
    tree.write(tree.folder({"begin": File(bytes(1 << 16)), "then": node}), root)
    tree.write(node, outside)

    def swap(_: bytes) -> None:
        if not (root / "then").is_symlink():
            (root / "then").rename(tmp_path / "away")
            (root / "then").symlink_to(outside)

    with pytest.raises(OSError, match="then"):
        give(root, swap)


# What an archive must not say: docs/spec and issue 3, *Bad input*

FILE = words(b"(", b"type", b"regular", b"contents", b"x", b")")
MAGIC = words(b"nix-archive-1")
FOLDER = words(b"(", b"type", b"directory")
CLOSE = words(b")")


def entry(name: bytes, node: bytes = FILE) -> bytes:
    return words(b"entry", b"(", b"name", name, b"node") + node + CLOSE


def test_an_archive_truncated_anywhere_is_refused() -> None:
    whole = archive(SAMPLE)
    for size in range(len(whole)):
        with pytest.raises(BadArchive):
            list(nar.parse(io.BytesIO(whole[:size]).read))


def test_a_truncated_archive_names_the_place() -> None:
    whole = archive(SAMPLE)
    with pytest.raises(BadArchive, match=f"truncated, at byte {len(whole) - 1}"):
        list(nar.parse(io.BytesIO(whole[:-1]).read))


def test_wrong_magic_is_refused(tmp_path: Path) -> None:
    refuse(words(b"nix-archive-2") + FILE, tmp_path, "nix-archive-1")


def test_wrong_padding_is_refused(tmp_path: Path) -> None:
    refuse(
        MAGIC + FILE.replace(b"x\0\0\0", b"x\0\1\0"),
        tmp_path,
        "padding that is not zero",
    )


def test_unsorted_names_are_refused(tmp_path: Path) -> None:
    refuse(
        MAGIC + FOLDER + entry(b"b") + entry(b"a") + CLOSE,
        tmp_path,
        "b'a' stands after b'b'",
    )


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    refuse(
        MAGIC + FOLDER + entry(b"a") + entry(b"a") + CLOSE,
        tmp_path,
        "b'a' stands after b'a'",
    )


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b", b"../x"])
def test_a_name_that_leads_elsewhere_is_refused(name: bytes, tmp_path: Path) -> None:
    refuse(MAGIC + FOLDER + entry(name) + CLOSE, tmp_path, "is no name for a file")


def test_a_name_over_255_bytes_is_refused(tmp_path: Path) -> None:
    refuse(
        MAGIC + FOLDER + entry(b"n" * 256) + CLOSE,
        tmp_path,
        "256 bytes where 255 are allowed",
    )


def test_a_name_of_255_bytes_is_accepted(tmp_path: Path) -> None:
    content = MAGIC + FOLDER + entry(b"n" * 255) + CLOSE
    nar.restore(io.BytesIO(content).read, tmp_path / "t")
    assert entries(tmp_path / "t") == ["n" * 255]


def test_an_archive_in_which_nothing_could_be_named_is_refused(tmp_path: Path) -> None:
    deep = (FOLDER + words(b"entry", b"(", b"name", b"d" * 255, b"node")) * 13
    refuse(MAGIC + deep + FOLDER, tmp_path, "longer than 3072 bytes")


def test_an_archive_may_have_a_folder_whose_path_is_as_long_as_allowed(tmp_path: Path) -> None:
    names = [b"d" * 235] * 12 + [b"e" * 240]
    node: Node = Folder()
    for name in reversed(names):
        node = Folder(((name.decode(), node),))
    assert list(nar.parse(io.BytesIO(archive(node)).read)) == list(tree.events(node))
    longer = [*names[:-1], b"e" * 241]
    opened = b"".join(FOLDER + words(b"entry", b"(", b"name", name, b"node") for name in longer)
    refuse(MAGIC + opened + FOLDER, tmp_path, "longer than 3072 bytes")


def test_nesting_10000_deep_is_refused(tmp_path: Path) -> None:
    deep = FILE
    for _ in range(10_000):
        deep = FOLDER + words(b"entry", b"(", b"name", b"d", b"node") + deep
        if len(deep) > 1 << 20:
            break  # the parser must have stopped long before
    refuse(MAGIC + deep, tmp_path, "nested deeper than 256")


def test_a_size_beyond_the_data_is_refused(tmp_path: Path) -> None:
    big = words(b"(", b"type", b"regular", b"contents") + (1 << 40).to_bytes(8, "little") + b"x" * 8
    refuse(MAGIC + big, tmp_path, "truncated")


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1])
def test_a_size_beyond_2_63_is_refused(size: int, tmp_path: Path) -> None:
    big = words(b"(", b"type", b"regular", b"contents") + size.to_bytes(8, "little") + b"x" * 8
    refuse(MAGIC + big, tmp_path, f"a file of {size} bytes")


def test_a_word_beyond_2_63_is_refused(tmp_path: Path) -> None:
    refuse(MAGIC + b"\xff" * 8, tmp_path, "where 16 are allowed")


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = words(b"(", b"type", b"symlink", b"target", os.fsencode(outside), b")")
    below = FOLDER + entry(b"x") + CLOSE
    content = MAGIC + FOLDER + entry(b"a", link) + entry(b"a", below) + CLOSE
    with pytest.raises(BadArchive, match="b'a' stands after b'a'"):
        nar.restore(io.BytesIO(content).read, tmp_path / "t")
    assert entries(outside) == []


def test_the_disk_refuses_a_second_node_even_if_the_parser_did_not(
    tmp_path: Path,
) -> None:
    restorer = nar.Restorer(tmp_path / "t")
    for event in (FolderBegin(), Entry(b"a"), Link(b"/tmp"), Entry(b"a")):
        restorer.feed(event)
    with pytest.raises(FileExistsError):
        restorer.feed(FolderBegin())
    with pytest.raises(FileExistsError):
        restorer.feed(FileBegin(0, executable=False))
    restorer.close()


def test_a_target_of_4095_bytes_is_accepted() -> None:
    longest = [Link(b"t" * 4095)]
    content = MAGIC + words(b"(", b"type", b"symlink", b"target", longest[0].target, b")")
    assert list(nar.parse(io.BytesIO(content).read)) == longest


@pytest.mark.parametrize("target", [b"", b"a\0b"])
def test_an_impossible_target_is_refused(target: bytes, tmp_path: Path) -> None:
    link = words(b"(", b"type", b"symlink", b"target", target, b")")
    refuse(MAGIC + link, tmp_path, "is no target")


def test_a_target_over_4095_bytes_is_refused(tmp_path: Path) -> None:
    link = words(b"(", b"type", b"symlink", b"target", b"t" * 4096, b")")
    refuse(MAGIC + link, tmp_path, "4096 bytes where 4095 are allowed")


def test_an_unknown_kind_of_node_is_refused(tmp_path: Path) -> None:
    refuse(
        MAGIC + words(b"(", b"type", b"device", b")"),
        tmp_path,
        "b'device' is no kind of node",
    )


@given(st.data())
def test_an_altered_archive_is_refused_or_another_tree(data: st.DataObject) -> None:
    whole = bytearray(archive(SAMPLE))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        events = list(nar.parse(io.BytesIO(whole).read))
    except BadArchive:
        return
    out = bytearray()
    encoder = Encoder(out.extend)
    for event in events:
        encoder.feed(event)
    assert out == whole


@given(st.binary(max_size=400))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(BadArchive):
        list(nar.parse(io.BytesIO(content).read))
    with pytest.raises(BadArchive):
        list(nar.parse(io.BytesIO(MAGIC + content).read))


# What an encoder does not let pass

BAD_ORDERS: list[list[Event]] = [
    [FolderEnd()],
    [Entry(b"a")],
    [Content(b"x")],
    [FolderBegin(), FolderBegin()],
    [FolderBegin(), FileBegin(0, executable=False)],
    [FolderBegin(), Entry(b"a"), FolderEnd()],
    [FolderBegin(), Entry(b"a"), Entry(b"b")],
    [FolderBegin(), Entry(b"b"), Link(b"x"), Entry(b"a")],
    [FolderBegin(), Entry(b"a"), Link(b"x"), Entry(b"a")],
    [FolderBegin(), Entry(b".."), Link(b"x")],
    [FileBegin(1, executable=False), Content(b"xx")],
    [FileBegin(2, executable=False), Content(b"x"), FolderEnd()],
    [Link(b"x"), Link(b"y")],
    [FolderBegin(), FolderEnd(), FolderBegin()],
]


@pytest.mark.parametrize("events", BAD_ORDERS, ids=str)
def test_an_impossible_order_of_nodes_is_refused(events: list[Event]) -> None:
    encoder = Encoder(lambda _: None)
    with pytest.raises(BadArchive):
        for event in events:
            encoder.feed(event)


def _nested(depth: int) -> Iterator[Event]:
    for _ in range(depth):
        yield FolderBegin()
        yield Entry(b"d")


def test_an_encoder_does_not_nest_deeper_than_a_parser() -> None:
    encoder = Encoder(lambda _: None)
    with pytest.raises(BadArchive, match="nested deeper"):
        for event in _nested(MAX_DEPTH + 1):
            encoder.feed(event)
