"""A disk moves through its states and back; answers are found again exactly."""

from reconix.prove.blocks import Disk, Memo, Patched, View, read
from reconix.prove.log import Entry, Flag
from reconix.prove.states import Piece

BLOCK, PLAIN = 1024, Flag(0)
IMAGE = b"".join(bytes([number]) * BLOCK for number in range(8))


def disk_and_piece(offset: int, data: bytes, flags: Flag = PLAIN) -> tuple[Disk, Piece]:
    disk = Disk(IMAGE, data, BLOCK)
    return disk, Piece(Entry(0, offset, len(data), flags, 0), 0, len(data))


def test_a_piece_is_put_and_taken_back() -> None:
    disk, piece = disk_and_piece(512, b"x" * 2048)
    before = disk.put(piece)
    assert read(disk, 0, 4096) == b"\0" * 512 + b"x" * 2048 + IMAGE[2560:4096]
    disk.restore(before)
    assert read(disk, 0, len(IMAGE)) == IMAGE
    assert not disk.written


def test_only_the_first_bytes_of_a_torn_piece_arrive() -> None:
    disk, piece = disk_and_piece(2048, b"x" * 1024)
    disk.put(piece, 100)
    assert read(disk, 2048, 1024) == b"x" * 100 + IMAGE[2148:3072]


def test_of_a_piece_that_is_torn_at_a_cell_nothing_more_arrives() -> None:
    disk, piece = disk_and_piece(2048, b"x" * 2048)
    disk.put(piece, 1024)
    assert read(disk, 2048, 2048) == b"x" * 1024 + IMAGE[3072:4096]
    assert list(map(len, map(disk.block, range(8)))) == [BLOCK] * 8


def test_what_is_discarded_reads_as_zeros() -> None:
    disk, piece = disk_and_piece(1024, b"x" * 1024, Flag.DISCARD)
    disk.put(piece)
    assert read(disk, 1024, 1024) == bytes(1024)


def test_patches_hide_what_is_below_them() -> None:
    disk = Disk(IMAGE, b"", BLOCK)
    patched = Patched(disk, {3: disk.keep(b"p" * BLOCK)})
    assert read(patched, 2 * BLOCK, 3 * BLOCK) == b"\2" * BLOCK + b"p" * BLOCK + b"\4" * BLOCK


def test_an_answer_is_asked_again_only_if_a_cell_differs_on_which_it_depends() -> None:
    disk, piece = disk_and_piece(2048, b"x" * 1024)
    asked: list[bytes] = []

    def answer(view: View) -> bytes:
        asked.append(read(view, 2048, 1))
        return asked[-1]

    memo: Memo[str, bytes] = Memo([1, 2])
    assert memo.get("q", disk, answer) == memo.get("q", disk, answer) == b"\2"
    before = disk.put(piece)
    assert memo.get("q", disk, answer) == b"x"
    disk.restore(before)
    disk.set(1, disk.keep(b"y" * BLOCK))  # was not looked at
    assert memo.get("q", disk, answer) == b"\2"
    assert asked == [b"\2", b"x"]


def test_the_fingerprint_is_of_the_watched_cells_and_comes_back_with_them() -> None:
    disk, piece = disk_and_piece(2048, b"x" * 1024)
    disk.watch([2])
    assert disk.fingerprint == 0
    before = disk.put(piece)
    with_piece = disk.fingerprint
    disk.set(1, disk.keep(b"y" * BLOCK))  # is not watched
    assert disk.fingerprint == with_piece != 0
    disk.restore(before)
    assert disk.fingerprint == 0
    disk.put(piece, 100)
    assert disk.fingerprint not in (0, with_piece)
    disk.put(piece)
    assert disk.fingerprint == with_piece


def test_equal_contents_of_two_cells_do_not_cancel_each_other() -> None:
    disk = Disk(IMAGE, b"", BLOCK)
    disk.watch([1, 2])
    for block in (1, 2):
        disk.set(block, disk.keep(b"y" * BLOCK))
    assert disk.fingerprint != 0
