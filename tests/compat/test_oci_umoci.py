"""Layers laid over each other as umoci does it: nothing differs that anybody could see."""

import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.conftest import Need
from tests.image_trees import CAPABILITY
from tests.oci_images import (
    Entry,
    Fact,
    as_text,
    facts_of_ours,
    facts_on_disk,
    file,
    folder,
    hard_link,
    image,
    layer,
    link,
    opaque,
    unpacked,
    whiteout,
    write_layout,
)

from reconix.base.process import CommandFailed, run
from reconix.containers.descriptors import BadImage

Layers = Sequence[Sequence[Entry]]
Facts = dict[bytes, Fact]


@pytest.fixture(autouse=True)
def _as_root(need: Need) -> None:
    need("umoci")
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")


def of_umoci(place: Path, archives: Sequence[bytes]) -> Facts | None:
    """What umoci makes of layers; nothing if it refuses them."""
    write_layout(place / "layout", app=image(place / "layout", archives))
    try:
        run("umoci", "unpack", "--image", f"{place}/layout:app", place / "bundle")
    except CommandFailed:
        return None
    return facts_on_disk(place / "bundle" / "rootfs")


def of_ours(place: Path, archives: Sequence[bytes]) -> Facts | None:
    try:
        return facts_of_ours(place / "tree", unpacked(place, *archives))
    except BadImage:
        return None


def without_clock(facts: Facts, theirs: Facts, began: float) -> Facts:
    """Set aside when umoci made a folder that no layer names, or put such a one into another.

    Of the root itself it takes 1970 if no layer names it.
    """
    untold = {
        path
        for path, fact in theirs.items()
        if fact.kind == "folder" and (began - 5 <= fact.mtime <= time.time() or not path)
    }
    return {p: fact._replace(mtime=0) if p in untold else fact for p, fact in facts.items()}


def compare(archives: Sequence[bytes]) -> bool:
    """Unpack layers in both ways; whether that is possible."""
    place, began = Path(tempfile.mkdtemp(prefix="reconix-umoci-")), time.time()
    try:
        ours, theirs = of_ours(place, archives), of_umoci(place, archives)
        if ours is None or theirs is None:
            assert ours is theirs, "only one of the two has refused it"
            return False
        assert without_clock(ours, theirs, began) == without_clock(theirs, theirs, began)
        return True
    finally:
        shutil.rmtree(place)


def entries(*stack: Sequence[Entry], form: int = tarfile.PAX_FORMAT) -> list[bytes]:
    return [layer(*each, form=form) for each in stack]


LONG = "/".join(["a" * 100] * 5)
BASE = (folder("d", mode=0o700), file("d/x"), file("d/y"), folder("d/e"), file("d/e/z"))
UNUSUAL = "\udcff\n\x01 \\é"
ACL = bytes.fromhex(
    "0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000400ffffffff"
)
"""Of user 1000, too, as the kernel keeps it."""

STACKS = {
    "a folder over a folder": entries(BASE, [folder("d", mode=0o1777, user=5, mtime=9)]),
    "a file over a folder": entries(BASE, [file("d")]),
    "a folder over a file": entries([file("d")], BASE),
    "a folder over a link": entries([folder("t"), file("t/q"), link("d", "t")], BASE),
    "a link over a folder": entries(BASE, [link("d", "elsewhere")]),
    "a file over a link": entries([file("t"), link("d", "t")], [file("d", b"new")]),
    "below a link": entries([*BASE, link("l", "d")], [file("l/new"), file("l/e/new")]),
    "below an absolute link": entries([*BASE, link("l", "/d/e")], [file("l/new")]),
    "below an absolute link in a folder": entries([*BASE, link("d/l", "/d/e")], [file("d/l/n")]),
    "below a link that leads out": entries([link("l", "../../../d")], [file("l/new")]),
    "below a link to the root": entries([link("l", "/")], [file("l/new")]),
    "below links to links": entries([*BASE, link("l", "m"), link("m", "d/e")], [file("l/n")]),
    "below a link and back": entries([*BASE, link("d/l", "../d/../d/e")], [file("d/l/n")]),
    "below a link that leads nowhere": entries([link("l", "no/where")], [file("l/new")]),
    "a link to itself above": entries([link("l", "l")], [file("l/new")]),
    "links in a circle above": entries([link("l", "m/x"), link("m", "l/y")], [file("l/new")]),
    "missing parents": entries([file("p/q/r/s")]),
    "missing parents in a folder with a group": entries([folder("p", mode=0o2755, group=7)])
    + entries([file("p/q/r")]),
    "a parent that comes later": entries([file("p/q"), folder("p", mode=0o711, user=3)]),
    "a file above": entries([file("d")], [file("d/x")]),
    "a hard link": entries([*BASE, hard_link("h", "d/x")]),
    "a hard link to a lower layer": entries(BASE, [hard_link("h", "d/e/z")]),
    "a hard link over a folder": entries(BASE, [hard_link("d/e", "d/x")]),
    "a hard link to what is replaced": entries(BASE, [hard_link("h", "d/x"), file("d/x", b"2")]),
    "a hard link that is replaced": entries([*BASE, hard_link("h", "d/x")], [file("h", b"2")]),
    "a hard link to a link": entries([link("l", "d"), hard_link("h", "l")]),
    "a hard link below a link": entries([*BASE, link("l", "d")], [hard_link("l/h", "l/x")]),
    "a hard link of its own mode": entries(
        [*BASE, replace(hard_link("h", "d/x"), mode=0o777, user=9, mtime=7)]
    ),
    "a hard link to nothing": entries([hard_link("h", "nothing")]),
    "a hard link to a folder": entries(BASE, [hard_link("h", "d")]),
    "a hard link to itself": entries(BASE, [hard_link("d/x", "d/x")]),
    "a hard link to what it replaces": entries(BASE, [hard_link("d", "d/x")]),
    "a whiteout": entries(BASE, [whiteout("d/x"), whiteout("d/e")]),
    "a whiteout before its file": entries(BASE, [whiteout("d/x"), file("d/x", b"2")]),
    "a whiteout behind its file": entries(BASE, [file("d/x", b"2"), whiteout("d/x")]),
    "a whiteout above a file": entries(BASE, [whiteout("d"), file("d/new")]),
    "a whiteout behind a file below": entries(BASE, [file("d/e/new"), whiteout("d")]),
    "a whiteout of nothing": entries(BASE, [whiteout("d/none"), whiteout("none/x")]),
    "a whiteout below a link": entries([*BASE, link("l", "d")], [whiteout("l/x")]),
    "a whiteout of a link": entries([*BASE, link("l", "d")], [whiteout("l")]),
    "a whiteout that is a folder": entries(BASE, [folder("d/.wh.x")]),
    "a whiteout in the lowest layer": entries([whiteout("a"), file("b")]),
    "what comes back": entries(BASE, [whiteout("d")], [file("d", b"2")], [whiteout("d")], BASE),
    "an opaque folder": entries(BASE, [opaque("d"), file("d/new")]),
    "an opaque folder at the end": entries(BASE, [folder("d"), file("d/e/new"), opaque("d")]),
    "an opaque folder behind a folder": entries(BASE, [folder("d/e", mode=0o711), opaque("d")]),
    "an opaque folder between": entries(BASE, [file("d/n"), opaque("d"), file("d/o")]),
    "an opaque folder that is not there": entries(BASE, [opaque("none")]),
    "an opaque root": entries(BASE, [file("new"), opaque("")]),
    "an opaque folder below a link": entries([*BASE, link("l", "d")], [opaque("l")]),
    "large numbers": entries([file("n", user=4_294_967_294, group=4_000_000_000)]),
    "all bits": entries([file("m", mode=0o7777), folder("n", mode=0o7000), file("o", mode=0)]),
    "times": entries(
        [file("h", mtime=1.999), file("z", mtime=0), link("l", "x", mtime=7), file("f", mtime=2e9)]
    ),
    "owners of links": entries([link("l", "x", user=7, group=8)]),
    "attributes": entries(
        [
            file(
                "c", attributes={"security.capability": CAPABILITY.decode(errors="surrogateescape")}
            ),
            file("u", attributes={"user.a": "\udcff\0\n=", "user.b": "x" * 2000}),
            folder("d", attributes={"user.d": "1"}),
            file("e", attributes={"user.nothing": ""}),
        ]
    ),
    "attributes that go": entries([file("a", attributes={"user.x": "1"})], [file("a")]),
    "attributes of a folder that go": entries([folder("a", attributes={"user.x": "1"})])
    + entries([folder("a", attributes={"user.y": "2"})]),
    "an access list": entries(
        [file("a", mode=0o664, attributes={"system.posix_acl_access": as_text(ACL)})]
    ),
    "names that are no text": entries([folder(UNUSUAL), file(f"{UNUSUAL}/{UNUSUAL}")]),
    "long names": entries([file(LONG), link("l", LONG), hard_link("h", LONG)]),
    "long names of GNU": entries([file(LONG), link("l", LONG)], form=tarfile.GNU_FORMAT),
    "a long name of 1988": entries([file("p" * 150 + "/x")], form=tarfile.USTAR_FORMAT),
    "the longest name": entries([file("n" * 255)]),
    "names with too much": entries([folder("./d/"), file(".//d//./x"), folder("./")]),
    "the root": entries([folder("./", mode=0o1700, user=6, mtime=4)]),
    "a root that is a link": entries([link("./", "x")]),
    "an old folder": entries([replace(file("d/", b""), kind=tarfile.AREGTYPE)]),
    "a contiguous file": entries([replace(file("d"), kind=tarfile.CONTTYPE)]),
    "nothing": entries([]),
    "the same twice": entries([file("a", b"1"), file("a", b"2"), folder("a"), file("a/b")]),
    "an unknown kind": entries([replace(file("a", b""), kind=b"Z")]),
}
REFUSED = {
    "a link to itself above",
    "links in a circle above",
    "a file above",
    "a hard link to nothing",
    "a hard link to a folder",
    "a hard link to itself",
    "a hard link to what it replaces",
    "a root that is a link",
    "an unknown kind",
    "a contiguous file",
}


@pytest.mark.parametrize("name", STACKS)
def test_o1_an_odd_stack_of_layers_is_as_umoci_unpacks_it(name: str) -> None:
    assert compare(STACKS[name]) is (name not in REFUSED)


def test_what_follows_the_end_of_an_archive_is_hashed_by_both() -> None:
    assert compare([layer(file("a")) + b"behind the end" * 1000])


def test_o1_a_layer_that_is_cut_is_refused_by_both() -> None:
    assert not compare([layer(file("a", b"x" * 2000))[:1100]])


PATHS = some.lists(some.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
TARGETS = some.sampled_from(
    ["a", "b/c", "../a", "../../b", "/a", "/b/c", "/", ".", "..", "nowhere/x", "c/../b", "/../c"]
)
TIMES = [0, 1, 1_600_000_000, 1_700_000_000.5, 5_000_000_000]
ATTRIBUTES = [dict[str, str](), {"user.x": "y"}, {"user.z": "\udcff=\n"}]
ENTRIES = some.one_of(
    some.builds(
        file,
        PATHS,
        some.binary(max_size=3),
        mode=some.sampled_from([0o644, 0o755, 0o4755, 0o600]),
        user=some.sampled_from([0, 1000, 4_000_000_000]),
        mtime=some.sampled_from(TIMES),
        attributes=some.sampled_from(ATTRIBUTES),
    ),
    some.builds(
        folder,
        PATHS,
        mode=some.sampled_from([0o755, 0o1777, 0o2750]),
        group=some.sampled_from([0, 5, 70_000]),
        mtime=some.sampled_from(TIMES),
        attributes=some.sampled_from(ATTRIBUTES),
    ),
    some.builds(link, PATHS, TARGETS),
    some.builds(hard_link, PATHS, PATHS),
    some.builds(whiteout, PATHS),
    some.builds(opaque, some.one_of(PATHS, some.just(""))),
)


@settings(max_examples=120)
@given(some.lists(some.lists(ENTRIES, min_size=1, max_size=7), min_size=1, max_size=4))
def test_o1_any_stack_of_layers_is_as_umoci_unpacks_it(stack: Layers) -> None:
    compare([layer(*each) for each in stack])


PACKAGES = ("base-files", "libc6", "passwd", "mount", "mosquitto", "python3-minimal", "redis-tools")


@pytest.mark.archive
def test_packages_of_debian_as_layers_are_as_umoci_unpacks_them(tmp_path: Path) -> None:
    """Archives that dpkg has written: with set-id bits, links, folders that all of them have."""
    tmp_path.chmod(0o755)
    run("apt-get", "download", *PACKAGES, folder=tmp_path)
    debs = sorted(tmp_path.glob("*.deb"))
    assert len(debs) == len(PACKAGES)
    assert compare([run("dpkg-deb", "--fsys-tarfile", deb, limit_bytes=1 << 28) for deb in debs])
