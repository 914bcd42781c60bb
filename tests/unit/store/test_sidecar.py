"""Sidecars: one spelling for what a Nix tree cannot say, and everything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.store.images.nodes import MAX_ID, MAX_MTIME, Metadata
from reconix.store.paths import StorePath
from reconix.store.sidecar import (
    BadSidecar,
    Sidecar,
    parse_sidecar,
    print_sidecar,
)

ROOT = StorePath("a" * 32, "debian-root")
CAPABILITY = b"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
SIDECAR = Sidecar(
    ROOT,
    (
        (b".", Metadata(0o755)),
        (b"etc/shadow", Metadata(0o640, 0, 42)),
        (b"usr/bin/ping", Metadata(0o755, 0, 0, 7, ((b"security.capability", CAPABILITY),))),
        (b"usr/bin/su", Metadata(0o4755, 0, 0, 1_700_000_000)),
        ("var/lib/ö b\\\t\n".encode(), Metadata(0o1777, 1000, 1000)),
    ),
    (b"losses", b"metadata"),
)
TEXT = rb"""reconix sidecar 1
/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-debian-root
0755 0 0 1 .
0640 0 42 1 etc/shadow
0755 0 0 7 usr/bin/ping	security.capability=AQAAAgAgAAAAAAAAAAAAAAAAAAA=
4755 0 0 1700000000 usr/bin/su
1777 1000 1000 1 var/lib/\303\266\040b\134\011\012
omit losses
omit metadata
"""

names = st.binary(min_size=1, max_size=9).filter(
    lambda name: name not in (b".", b"..") and not set(name) & set(b"/\0")
)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
attribute_names = st.tuples(
    st.sampled_from([b"user.", b"security.", b"trusted."]),
    st.binary(min_size=1, max_size=9).filter(lambda rest: b"\0" not in rest),
).map(b"".join) | st.sampled_from([b"system.posix_acl_access", b"system.posix_acl_default"])
attributes = st.dictionaries(attribute_names, st.binary(max_size=40), max_size=3)
ids = st.integers(0, MAX_ID)
metadata = st.builds(
    Metadata,
    st.integers(0, 0o7777),
    ids,
    ids,
    st.integers(0, MAX_MTIME),
    attributes.map(lambda found: tuple(sorted(found.items()))),
)
sidecars = st.builds(
    Sidecar,
    st.just(ROOT),
    st.dictionaries(st.just(b".") | paths, metadata).map(
        lambda found: tuple(sorted(found.items()))
    ),
    st.sets(paths).map(lambda found: tuple(sorted(found))),
)


def test_the_spelling_is_fixed() -> None:
    assert print_sidecar(SIDECAR) == TEXT
    assert SIDECAR.name == "debian-root.sidecar"


@given(sidecars)
def test_a_sidecar_survives_printing(sidecar: Sidecar) -> None:
    printed = print_sidecar(sidecar)
    assert printed.isascii()
    assert parse_sidecar(printed, source="test") == sidecar


@given(st.binary() | st.binary().map(lambda rest: TEXT + rest))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        assert print_sidecar(parse_sidecar(content, source="test")) == content
    except BadSidecar as error:
        assert str(error).startswith("test: ")


@pytest.mark.parametrize(
    "line",
    [
        "755 0 0 1 x",
        "00755 0 0 1 x",
        "0888 0 0 1 x",
        "0755 00 0 1 x",
        "0755 4294967295 0 1 x",
        "0755 0 4294967295 1 x",
        "0755 0 0 -1 x",
        "0755 0 0 1099511627777 x",
        "0755 0 0 1 ",
        "0755 0 0 1 x y",
        "0755  0 0 1 x",
        "0755 0 0 1 /x",
        "0755 0 0 1 x/",
        "0755 0 0 1 x//y",
        "0755 0 0 1 x/../y",
        "0755 0 0 1 ./x",
        "0755 0 0 1 \\170",
        "0755 0 0 1 x\\400",
        "0755 0 0 1 x\\000",
        "0755 0 0 1 x\\",
        "0755 0 0 1 x\r",
        "0755 0 0 1 ö",
        "0755 0 0 1 " + "x" * 256,
        "0755 0 0 1 " + "x/" * 2048 + "x",
        "0755 0 0 1 x\tuser.a",
        "0755 0 0 1 x\tuser.=",
        "0755 0 0 1 x\tuser.a=QQ",
        "0755 0 0 1 x\tuser.a=QR==",
        "0755 0 0 1 x\tuser.a=Q=Q=",
        "0755 0 0 1 x\tuser.a\\000=",
        "0755 0 0 1 x\tuser.b=\tuser.a=",
        "0755 0 0 1 x\tuser.a=\tuser.a=",
        "0755 0 0 1 x\tsystem.nfs4_acl=",
        "0755 0 0 1 x\tsystem.posix_acl_accesses=",
        "0755 0 0 1 x\ttrusted.overlay.redirect=",
        "0755 0 0 1 x\tuser." + "a" * 251 + "=",
        "0755 0 0 1 x\tuser.a=" + "AAAA" * 11_000,
        "omit",
        "omit .",
        "omit ../x",
        "",
        "0755 0 0 1 y\n0755 0 0 1 x",
        "0755 0 0 1 x\n0755 0 0 1 x",
        "omit y\nomit x",
        "omit x\nomit x",
        "omit x\n0755 0 0 1 x",
    ],
)
def test_a_line_that_is_spelt_in_another_way_is_refused(line: str) -> None:
    content = f"reconix sidecar 1\n{ROOT}\n{line}\n".encode()
    with pytest.raises(BadSidecar, match=r"^test: ") as caught:
        parse_sidecar(content, source="test")
    assert caught.value.exit_code == 23


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"reconix sidecar 2\n" + TEXT.partition(b"\n")[2],
        b"reconix sidecar 1",
        b"reconix sidecar 1\n",
        b"reconix sidecar 1\n/nix/store/x\n",
        b"reconix sidecar 1\n/nix/store/\xff\n",
        TEXT.removesuffix(b"\n"),
        TEXT + b"\n",
        TEXT.replace(b"\n", b"\r\n"),
    ],
)
def test_what_is_no_sidecar_is_refused(content: bytes) -> None:
    with pytest.raises(BadSidecar, match=r"^test: "):
        parse_sidecar(content, source="test")


def test_a_sidecar_that_says_nothing_is_one() -> None:
    content = f"reconix sidecar 1\n{ROOT}\n".encode()
    assert parse_sidecar(content, source="test") == Sidecar(ROOT)


def test_a_mode_has_twelve_bits() -> None:
    with pytest.raises(BadSidecar, match="out of range"):
        Sidecar(ROOT, ((b"x", Metadata(0o100644)),))
