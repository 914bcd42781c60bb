"""Archives read strictly: what is damaged or can be read in two ways ends the reading."""

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.oci_images import Entry, file, folder, layer

from reconix.containers.layers.tar import BLOCK, MAX_EXTENSION_BYTES, BadTar, Kind, Member, Reader

END = bytes(2 * BLOCK)


def read(archive: bytes) -> list[tuple[Member, bytes]]:
    reader = Reader(io.BytesIO(archive).read)
    return [(member, b"".join(reader.content())) for member in reader]


def header(
    name: bytes = b"file",
    flag: bytes = b"0",
    *,
    size: bytes = b"00000000000\0",
    user: bytes = b"0000000\0",
    mtime: bytes = b"00000000000\0",
    rest: bytes = b"ustar\x0000",
) -> bytes:
    """A header with a right checksum."""
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116], block[116:124] = user, b"0000000\0"
    block[124:136], block[136:148] = size, mtime
    block[156:157] = flag
    block[257 : 257 + len(rest)] = rest
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size: int) -> bytes:
    return b"%011o\0" % size


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def extension(flag: bytes, content: bytes) -> bytes:
    return header(b"extension", flag, size=octal(len(content))) + padded(content)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    size = len(body) + 1
    while len(b"%d" % size) + len(body) != size:
        size += 1
    return b"%d" % size + body


def pax(**records: bytes) -> bytes:
    rows = (record(key.replace("__", ".").encode(), value) for key, value in records.items())
    return extension(b"x", b"".join(rows))


def test_an_archive_ends_with_zeros_or_with_the_file() -> None:
    for end in (END, bytes(BLOCK), b"", END + b"anything"):
        assert [member.name for member, _ in read(header() + end)] == [b"file"]
    assert read(b"") == []


DAMAGED: dict[str, tuple[bytes, str]] = {
    "a header that is cut": (header()[:500], "ends in the middle"),
    "content that is cut": (header(size=octal(700)) + bytes(600), "ends in the middle"),
    "padding that is cut": (header(size=octal(3)) + b"abc", "ends in the middle"),
    "a wrong checksum": (b"x" + header()[1:] + END, "checksum"),
    "a wrong checksum later": (header() + b"x" + header()[1:] + END, "checksum"),
    "a block of zeros between": (header() + bytes(BLOCK) + header() + END, "goes on behind"),
    "an extension at the end": (pax(path=b"x") + END, "ends behind the extension"),
    "an endless name": (
        header(flag=b"L", size=octal(MAX_EXTENSION_BYTES + 1)),
        "an extension of 1048577 bytes",
    ),
    "two long names": (
        extension(b"L", b"x" * (MAX_EXTENSION_BYTES // 2)) * 3 + header(),
        "an extension of 524288 bytes",
    ),
    "names without end": (extension(b"L", b"x") * 9 + header(), "too many extensions"),
    "comments without end": (extension(b"g", b"") * 9 + header(), "too many extensions"),
    "an endless record": (header(flag=b"x", size=octal(1 << 32)), "an extension of"),
    "a size that is none": (header(size=b"0000000000z\0") + END, "no number"),
    "a size below nothing": (header(size=b"\xff" * 12) + END, "a member of -1 bytes"),
    "a record that is too long": (extension(b"x", b"99 path=x\n") + header(), "not the length"),
    "a record that is too short": (extension(b"x", b"5 path=x\n") + header(), "not the length"),
    "a record without a value": (extension(b"x", b"7 path\n") + header(), "no key"),
    "a record with a zero": (pax(path=b"a\0b") + header() + END, "with a zero byte"),
    "a record for all": (extension(b"g", record(b"path", b"x")) + header() + END, "for all"),
    "a size in a record that is none": (pax(size=b"-5") + header() + END, "no number of a record"),
    "a time that is none": (pax(mtime=b"now") + header() + END, "is no time"),
    "a device of GNU": (header(flag=b"M") + END, "of a kind b'M'"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_or_means_two_things_is_refused(name: str) -> None:
    archive, why = DAMAGED[name]
    with pytest.raises(BadTar, match=why):
        read(archive)


def sparse(*spans: tuple[int, int], size: int, stored: int, more: bytes = b"") -> bytes:
    """A sparse file of GNU's first format."""
    block = bytearray(header(flag=b"S", size=octal(stored), rest=b"ustar  \0"))
    for number, span in enumerate(spans):
        block[386 + 24 * number : 410 + 24 * number] = b"".join(map(octal, span))
    block[483:495] = octal(size)
    block[482] = 1 if more else 0
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + more + padded(b"x" * stored) + END


def of_pax(stored: int, **records: bytes) -> bytes:
    """A sparse file of the later formats."""
    said = {f"GNU__sparse__{key}": value for key, value in records.items()}
    return pax(**said) + header(size=octal(stored)) + padded(b"x" * stored) + END


LIES: dict[str, bytes] = {
    "parts that overlap": sparse((0, 10), (5, 10), size=100, stored=20),
    "parts that go back": sparse((50, 10), (5, 10), size=100, stored=20),
    "a part behind the end": sparse((95, 10), size=100, stored=10),
    "more than is stored": sparse((0, 50), size=100, stored=10),
    "less than is stored": sparse((0, 5), size=100, stored=10),
    "a map that does not end": sparse((0, 1), size=1, stored=1, more=bytes(504) + b"\1" + bytes(7)),
    "a half pair": of_pax(5, size=b"10", numblocks=b"1", map=b"0"),
    "a wrong number": of_pax(5, size=b"10", numblocks=b"2", map=b"0,5"),
    "an unknown format": of_pax(5, major=b"2", minor=b"0", realsize=b"9", name=b"x"),
    "a map without a number": of_pax(512, major=b"1", minor=b"0", realsize=b"9"),
    "a map of more than there is": pax(
        GNU__sparse__major=b"1", GNU__sparse__minor=b"0", GNU__sparse__realsize=b"9"
    )
    + header(size=octal(512))
    + padded(b"99999\n1\n")
    + END,
}


@pytest.mark.parametrize("name", LIES)
def test_a_sparse_file_that_lies_is_refused(name: str) -> None:
    with pytest.raises(BadTar):
        read(LIES[name])


def test_a_sparse_file_has_zeros_where_nothing_is_stored() -> None:
    (member, content), *_ = read(sparse((10, 5), (20, 5), size=30, stored=10))
    assert (member.size_bytes, content) == (
        30,
        bytes(10) + b"xxxxx" + bytes(5) + b"xxxxx" + bytes(5),
    )


def test_a_large_hole_takes_no_memory() -> None:
    reader = Reader(io.BytesIO(sparse((0, 0), size=1 << 32, stored=0)).read)
    next(iter(reader))
    pieces = reader.content()
    assert len(next(pieces)) == 1 << 20


def test_records_replace_what_the_header_says() -> None:
    said = pax(path=b"new", uid=b"70000", gid=b"4294967294", mtime=b"12.9", size=b"3")
    (member, content), *_ = read(said + header(size=octal(0)) + padded(b"abc") + END)
    assert (member.name, member.user, member.group, member.mtime) == (b"new", 70000, 2**32 - 2, 12)
    assert content == b"abc"


def test_a_long_name_counts_more_than_a_record() -> None:
    said = extension(b"L", b"long\0") + pax(path=b"record")
    assert read(said + header() + END)[0][0].name == b"long"


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"5", 5), (b"5.999", 5), (b"-5", -5), (b"-5.5", -6), (b"-5.0", -5)]
)
def test_times_are_rounded_down(text: bytes, seconds: int) -> None:
    assert read(pax(mtime=text) + header() + END)[0][0].mtime == seconds


def test_binary_numbers_are_read() -> None:
    user, mtime = b"\x80" + (4_000_000_000).to_bytes(7, "big"), b"\xff" * 11 + b"\xfe"
    member, _ = read(header(user=user, mtime=mtime) + END)[0]
    assert (member.user, member.mtime) == (4_000_000_000, -2)


def test_a_comment_for_all_members_is_passed_over() -> None:
    """Git writes one."""
    comment = extension(b"g", record(b"comment", b"1234"))
    assert len(read(comment + header() + END)) == 1
    assert read(comment + END) == []


@pytest.mark.parametrize(("name", "kind"), [(b"d/", Kind.FOLDER), (b"d", Kind.FILE)])
def test_a_folder_of_1979_ends_with_a_slash(name: bytes, kind: Kind) -> None:
    assert read(header(name, b"\0", rest=b"") + END)[0][0].kind is kind


def test_the_content_of_a_link_is_what_follows_it() -> None:
    """As Go reads it: a hard link has a size, but no content."""
    found = read(header(b"l", b"1", size=octal(512)) + header(b"next") + END)
    assert [member.name for member, _ in found] == [b"l", b"next"]


NAMES = some.text(some.characters(exclude_characters="/\0", exclude_categories=()), min_size=1)


@given(
    some.lists(
        some.one_of(
            some.builds(
                lambda name, content, user: file(f"d/{name}", content, user=user),
                NAMES.filter(lambda name: len(name.encode(errors="surrogatepass")) < 150),
                some.binary(max_size=1500),
                some.integers(0, 2**32 - 1),
            ),
            some.just(folder("d")),
        ),
        max_size=5,
    ),
    some.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_what_python_writes_is_read(entries: list[Entry], form: int) -> None:
    try:
        archive = layer(*entries, form=form)
    except UnicodeEncodeError:  # a half of a pair, which is no name
        return
    expected = [
        (entry.name.encode(errors="surrogateescape"), entry.content, entry.user)
        for entry in entries
    ]
    found = [(m.name.removesuffix(b"/"), content, m.user) for m, content in read(archive)]
    assert found == expected


@given(some.binary(max_size=3000), some.integers(0, 2999))
def test_random_damage_ends_the_reading_or_is_read(noise: bytes, at: int) -> None:
    good = layer(file("a", b"x" * 700), folder("b"), file("c" * 120, b"y", user=2**31))
    archive = good[:at] + noise + good[at + len(noise) :]
    with contextlib.suppress(BadTar):
        read(archive)
