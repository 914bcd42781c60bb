"""Folders of a project: what of them becomes an object, and what nobody can have on a device."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.build.software.source import BadSource, Source, SourceChanged, read
from reconix.store import nar
from reconix.store.nar import Encoder, Event

Need = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "air"
    (made / "bin").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "bin/air").write_text("#!/bin/sh\n")
    (made / "bin/air").chmod(0o700)
    (made / "data").write_bytes(bytes(5_000_000))
    (made / "void").write_bytes(b"")
    (made / "bin/link").symlink_to("../data")
    return made


def archive(events: Iterator[Event]) -> bytes:
    written = bytearray()
    encoder = Encoder(written.extend)
    for event in events:
        encoder.feed(event)
    return bytes(written)


def names(source: Source) -> list[str]:
    return [os.fsdecode(node.path) for node in source.nodes]


def test_a_folder_becomes_what_a_nix_archive_of_it_is(folder: Path) -> None:
    expected = bytearray()
    nar.dump(folder, expected.extend)
    assert archive(read(folder).events()) == bytes(expected)


def test_owners_times_umask_and_order_do_not_count(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    before = os.umask(0o077)
    try:
        for name in ("void", "empty/", "data", "bin/"):
            if name.endswith("/"):
                (other / name).mkdir(parents=True)
            else:
                other.mkdir(exist_ok=True)
                shutil.copyfile(folder / name, other / name)
        (other / "bin/air").write_text("#!/bin/sh\n")
        (other / "bin/air").chmod(0o755)
        (other / "bin/link").symlink_to("../data")
    finally:
        os.umask(before)
    os.utime(other / "data", (1, 1))
    if os.geteuid() == 0:
        os.chown(other / "data", 1000, 1000)
    assert archive(read(other).events()) == archive(read(folder).events())


def test_a_link_to_the_folder_is_as_good_as_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("air")
    assert archive(read(tmp_path / "latest").events()) == archive(read(folder).events())


# -- exclude ---------------------------------------------------------------------------------------


def test_what_is_excluded_is_not_looked_at(folder: Path) -> None:
    os.mkfifo(folder / "bin/pipe")
    assert names(read(folder, ["bin/", "!bin/air", "/vo*"])) == ["data", "empty"]


def test_a_pattern_that_begins_with_an_exclamation_mark_takes_back(folder: Path) -> None:
    assert names(read(folder, ["*", "!data"])) == ["data"]


# -- what no device can have -----------------------------------------------------------------------


def told(folder: Path, *exclude: str) -> str:
    with pytest.raises(BadSource) as failure:
        read(folder, exclude)
    assert "exclude" in failure.value.hint
    return str(failure.value)


def test_everything_impossible_is_told_at_once_with_its_path(folder: Path) -> None:
    os.mkfifo(folder / "bin/pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "bin/socket"))
    said = told(folder)
    assert "\nbin/pipe is a named pipe" in said
    assert "\nbin/socket is a socket" in said


def test_a_device_file_is_refused(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes device files")
    os.mknod(folder / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    assert "\nnull is a device" in told(folder)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        (b"a\nb", "is not text of one line"),
        (b"a\x1b[2J", "is not text of one line"),
        (b"a\xff", "is not UTF-8"),
        ("a\u2028b".encode(), ""),
    ],
)
def test_a_name_is_text_of_one_line(folder: Path, name: bytes, fact: str) -> None:
    (folder / os.fsdecode(name)).touch()
    if fact:
        said = told(folder)
        assert fact in said
        assert name.decode(errors="replace") not in said
    else:
        assert names(read(folder))


@pytest.mark.parametrize(
    ("target", "fact"),
    [
        ("../../outside", "leads out of the tree: ../../outside"),
        ("..", ""),
        ("../..", "leads out of the tree"),
        ("link2", ""),
        ("../empty/../data", ""),
        ("up/../../../x", "leads out of the tree"),
        ("self", "leads in a circle"),
        ("/usr/lib", ""),
        ("out/x", ""),
        ("missing", ""),
    ],
)
def test_a_relative_link_stays_in_the_tree(folder: Path, target: str, fact: str) -> None:
    (folder / "bin/self").symlink_to(target)
    (folder / "bin/up").symlink_to("../empty")
    (folder / "bin/link2").symlink_to("link")
    (folder / "bin/out").symlink_to("/var/lib/air")
    if fact:
        assert f"\nbin/self is a link that {fact}" in told(folder)
    else:
        assert ("bin/self", target) in read(folder).links_out() or not target.startswith("/")


def test_a_link_through_a_link_may_climb_as_far_as_that_leads(folder: Path) -> None:
    (folder / "a/b/c").mkdir(parents=True)
    (folder / "deep").symlink_to("a/b/c")
    (folder / "fine").symlink_to("deep/../../../data")
    (folder / "wrong").symlink_to("deep/../../../../data")
    said = told(folder)
    assert "wrong" in said
    assert "fine" not in said


def test_what_cannot_be_read_is_told(folder: Path) -> None:
    if os.geteuid() != 0:
        (folder / "data").chmod(0)
        assert "\ndata cannot be read: Permission denied" in told(folder)
        return
    with tempfile.TemporaryDirectory() as above:  # others cannot enter the folders of pytest
        Path(above).chmod(0o755)
        place = shutil.copytree(folder, Path(above) / "folder", symlinks=True)
        place.chmod(0o755)
        (place / "data").chmod(0)
        (place / "empty").chmod(0)
        os.seteuid(65534)
        try:
            said = told(place)
        finally:
            os.seteuid(0)
    assert "\nempty cannot be read: Permission denied" in said


def test_a_folder_nested_too_deep_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "deep"
    for _ in range(300):
        place = place / "d"
    place.mkdir(parents=True)
    assert "is nested deeper than 256 folders" in told(tmp_path / "deep")


# -- what changes while it is read -----------------------------------------------------------------


def grow(path: Path) -> None:
    path.write_bytes(b"more than before")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


def same_size(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change", [grow, replace, same_size, Path.unlink, become_link, become_pipe]
)
def test_a_file_that_changes_while_the_folder_is_read_ends_the_build(
    folder: Path, change: Callable[[Path], object]
) -> None:
    seen = read(folder)
    change(folder / "bin/air")
    with pytest.raises(SourceChanged, match="air changed while it was read") as failure:
        archive(seen.events())
    assert "build again" in failure.value.hint


def test_a_file_that_is_not_there_any_more_at_its_end_ends_the_build(folder: Path) -> None:
    events = read(folder).events()
    for event in events:
        if isinstance(event, nar.Content) and len(event.data) > 1000:
            os.truncate(folder / "data", 1_000_000)
            break
    with pytest.raises(SourceChanged):
        list(events)


TREES = st.recursive(
    st.binary(max_size=40) | st.sampled_from(["link"]),
    lambda inner: st.dictionaries(st.sampled_from("abcdé-_. "), inner, max_size=3),
    max_leaves=12,
)


def make(tree: object, place: Path) -> None:
    if isinstance(tree, dict):
        place.mkdir(parents=True)
        for name, inner in tree.items():
            if name != ".":
                make(inner, place / name)
    elif isinstance(tree, bytes):
        place.write_bytes(tree)
        place.chmod(0o755 if len(tree) % 2 else 0o600)
    else:
        place.symlink_to(str(tree))


@settings(max_examples=50)
@given(TREES.filter(lambda tree: isinstance(tree, dict)))
def test_any_tree_is_read_as_the_store_reads_it(
    tmp_path_factory: pytest.TempPathFactory, tree: object
) -> None:
    place = tmp_path_factory.mktemp("trees") / "t"
    make(tree, place)
    expected = bytearray()
    nar.dump(place, expected.extend)
    assert archive(read(place).events()) == bytes(expected)
