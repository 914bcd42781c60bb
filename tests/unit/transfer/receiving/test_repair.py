"""What is damaged comes again under its name, and nothing else changes."""

import io
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
from tests.unit.transfer.conftest import ARCHITECTURE, HOST, Pair, Workshop
from tests.verity_kernel import Kernel

from reconix.base.errors import ReconixError
from reconix.store.images import verity
from reconix.store.registry import Registry
from reconix.store.scrub import BEGIN, Damage, read_on, still_damaged
from reconix.transfer.format.repairs import CHANNEL, Brought, Repairs
from reconix.transfer.format.stream import BadStream, Header, TruncatedStream, UnsupportedStream
from reconix.transfer.receiving.images import ContentMismatch
from reconix.transfer.receiving.receive import WrongBase, WrongDevice
from reconix.transfer.receiving.repair import NotNeeded, Repaired, repair
from reconix.transfer.receiving.room import DiskFull
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.repair import NothingFound, RepairSent, create_repair
from reconix.transfer.sending.writer import StreamWriter
from reconix.transfer.trust.seal import Seal

LIBRARY = bytes(range(256)) * 40


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def put_a_folder(path: Path) -> None:
    path.unlink()
    (path / "in it").mkdir(parents=True)


def lead_elsewhere(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


HARMS = pytest.mark.parametrize("harm", [remove, shorten, flip, put_a_folder, lead_elsewhere])


def trust(header: Header, seal: Seal, statement: bytes) -> None:
    """Everybody is trusted."""


def damages(registry: Registry) -> tuple[Damage, ...]:
    """What a whole pass finds."""
    fresh = Registry(registry.system_root)
    return still_damaged(fresh, read_on(fresh, BEGIN).wrong.values())


def repaired(stream: bytes, registry: Registry) -> Repaired:
    read = io.BytesIO(stream).read
    fresh = Registry(registry.system_root)
    return repair(read, fresh, host=HOST, architecture=ARCHITECTURE, verifier=trust)


def made(workshop: Workshop, pair: Pair, wanted: Collection[bytes]) -> bytes:
    """The stream that brings these."""
    written = io.BytesIO()
    sent = send(workshop, pair, wanted, written)
    assert sent.size_bytes == len(written.getvalue())
    return written.getvalue()


def send(workshop: Workshop, pair: Pair, wanted: Collection[bytes], to: io.BytesIO) -> RepairSent:
    both = {pair.old: 1, pair.new: 2}
    return create_repair(workshop.store, both, pair.new, wanted, to.write)


def wrote(
    pair: Pair, repairs: Repairs, pieces: Sequence[bytes], *, host: str = HOST, arch: str = "amd64"
) -> bytes:
    """A stream of which somebody else says what it brings."""
    return spelled_out(pair, repairs, repairs.print(), pieces, host=host, arch=arch)


def spelled_out(
    pair: Pair,
    repairs: Repairs,
    spelled: bytes,
    pieces: Sequence[bytes],
    *,
    host: str = HOST,
    arch: str = "amd64",
) -> bytes:
    """Likewise, where header and payload need not agree."""
    header = repairs.header(pair.new, host=host, architecture=arch, sequence=1)
    written = io.BytesIO()
    writer = StreamWriter(written.write, header)
    packer = Packer(writer.payload)
    packer.write(spelled)
    for piece in pieces:
        packer.write(piece, CHANNEL)
    packer.finish()
    writer.finish()
    return written.getvalue()


@HARMS
def test_w6_a_damaged_content_is_repaired(
    workshop: Workshop, pair: Pair, harm: Callable[[Path], None]
) -> None:
    device = workshop.device(pair.old, pair.new)
    harm(device.pool.path(verity.digest(LIBRARY)))
    (wrong,) = damages(device)
    stream = made(workshop, pair, [wrong.digest])
    assert repaired(stream, device) == Repaired((wrong.digest,), 0)
    assert damages(device) == ()
    for generation in (pair.old, pair.new):
        workshop.expect_complete(device, generation)
    assert workshop.staged(device) == []


@HARMS
def test_w6_damaged_images_are_repaired_and_contents_that_they_name(
    workshop: Workshop, pair: Pair, harm: Callable[[Path], None]
) -> None:
    device = workshop.device(pair.new)
    content = verity.digest(LIBRARY)
    images = [entry.sha256 for entry in workshop.manifest(pair.new).images]
    for sha256 in images:
        harm(device.image_path(sha256))
    harm(device.pool.path(content))
    wanted = sorted([content, *(sha256.value for sha256 in images)])
    assert repaired(made(workshop, pair, wanted), device) == Repaired(tuple(wanted), 0)
    workshop.expect_complete(device, pair.new)


def test_what_is_repaired_is_compared_by_the_kernel_before_it_has_its_name(
    workshop: Workshop, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = workshop.device(pair.new)
    image = device.image_path(workshop.manifest(pair.new).images[0].sha256)
    content = device.pool.path(verity.digest(LIBRARY))
    for path in (image, content):
        flip(path)
    wanted = [verity.digest(LIBRARY), bytes.fromhex(image.name)]
    stream = made(workshop, pair, wanted)
    kernel = Kernel()
    monkeypatch.setattr("fcntl.ioctl", kernel.ioctl)
    assert len(repaired(stream, device).written) == 2
    assert {path.stat().st_ino for path in (image, content)} == kernel.protected
    assert all(place.startswith(str(device.staging_dir)) for place in kernel.asked_for)


def test_a_repair_that_is_repeated_writes_nothing(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.new)
    wanted = [verity.digest(LIBRARY), workshop.manifest(pair.new).images[0].sha256.value]
    stream = made(workshop, pair, wanted)
    before = workshop.snapshot(device)
    assert repaired(stream, device) == Repaired((), 2)
    assert workshop.snapshot(device) == before


def test_only_what_is_damaged_is_written(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.new)
    content = device.pool.path(verity.digest(LIBRARY))
    image = workshop.manifest(pair.new).images[0].sha256
    stream = made(workshop, pair, [verity.digest(LIBRARY), image.value])
    flip(content)
    before = workshop.snapshot(device)
    assert repaired(stream, device) == Repaired((verity.digest(LIBRARY),), 1)
    after = workshop.snapshot(device)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {str(content), str(device.staging_dir)}


def test_the_same_wishes_give_the_same_bytes(workshop: Workshop, pair: Pair) -> None:
    wanted = [image.sha256.value for image in workshop.manifest(pair.new).images]
    assert made(workshop, pair, wanted) == made(workshop, pair, wanted[::-1] * 2)


def test_what_no_generation_has_is_not_sent_and_told(workshop: Workshop, pair: Pair) -> None:
    sent = send(workshop, pair, [b"\0" * 32, verity.digest(LIBRARY)], io.BytesIO())
    assert (sent.missing, sent.header.repaired) == ((b"\0" * 32,), 1)
    with pytest.raises(NothingFound):
        made(workshop, pair, [b"\0" * 32])


def refused(stream: bytes, device: Registry, why: type[Exception], what: str = ".") -> None:
    """It is refused before anything is written."""
    before = Workshop.snapshot(device)
    with pytest.raises(why, match=what):
        repaired(stream, device)
    assert Workshop.snapshot(device) == before


def test_what_no_installed_image_names_is_refused(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.new)
    page = b"a page that nobody has " * 9
    strange = Repairs((), (Brought(verity.digest(page), len(page)),))
    refused(wrote(pair, strange, [page]), device, NotNeeded, verity.digest(page).hex())
    strange = Repairs((Brought(b"\1" * 32, 4096),))
    refused(wrote(pair, strange, [bytes(4096)]), device, NotNeeded)


def test_a_repair_is_for_what_is_installed_on_a_device_of_its_kind(
    workshop: Workshop, pair: Pair
) -> None:
    library = Repairs((), (Brought(verity.digest(LIBRARY), len(LIBRARY)),))
    refused(wrote(pair, library, [LIBRARY]), workshop.device(pair.old), WrongBase)
    device = workshop.device(pair.new)
    for host, arch in (("another", ARCHITECTURE), (HOST, "arm64")):
        refused(wrote(pair, library, [LIBRARY], host=host, arch=arch), device, WrongDevice)


def test_an_update_is_no_repair_and_a_repair_no_update(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.old)
    refused(workshop.stream(pair.old, pair.new), device, UnsupportedStream, "brings a generation")
    stream = made(workshop, pair, [verity.digest(LIBRARY)])
    with pytest.raises(UnsupportedStream, match="repairs what is installed"):
        workshop.receive(stream, device)


def test_s7_other_bytes_than_promised_do_not_get_the_name(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.new)
    flip(device.pool.path(verity.digest(LIBRARY)))
    known = damages(device)
    library = Repairs((), (Brought(verity.digest(LIBRARY), len(LIBRARY)),))
    with pytest.raises(BadStream, match="other bytes for the content"):
        repaired(wrote(pair, library, [LIBRARY[::-1]]), device)
    assert damages(device) == known and workshop.staged(device) == []
    entry = workshop.manifest(pair.new).images[0]
    flip(device.image_path(entry.sha256))
    image = Repairs((Brought(entry.sha256.value, entry.size_bytes),))
    with pytest.raises(ContentMismatch):
        repaired(wrote(pair, image, [bytes(entry.size_bytes)]), device)
    assert len(damages(device)) == 2 and workshop.staged(device) == []


def test_s1_what_was_repaired_before_a_stream_ended_stays(workshop: Workshop, pair: Pair) -> None:
    device = workshop.device(pair.new)
    entry = workshop.manifest(pair.new).images[0]
    stream = made(workshop, pair, [entry.sha256.value, verity.digest(LIBRARY)])
    for size in range(0, len(stream), max(1, len(stream) // 40)):
        flip(device.image_path(entry.sha256))
        with pytest.raises(TruncatedStream):
            repaired(stream[:size], device)
        assert workshop.staged(device) == []
        assert repaired(stream, device).intact == 1
        workshop.expect_complete(device, pair.new)


def test_r1_a_repair_for_which_there_is_no_room_writes_nothing(
    workshop: Workshop, pair: Pair
) -> None:
    device = workshop.device(pair.new)
    entry = workshop.manifest(pair.new).images[0]
    remove(device.image_path(entry.sha256))
    digests = [entry.sha256.value]
    stream = made(workshop, pair, digests)
    assert len(stream) < 1 << 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconix.transfer.receiving.room.MARGIN_BYTES", 1 << 60)
        refused(stream, device, DiskFull)
    assert repaired(stream, device).written == tuple(digests)


def test_w5_a_repair_that_is_signed_and_wrong_harms_nothing(workshop: Workshop, pair: Pair) -> None:
    """Each byte of what says what comes is changed."""
    device = workshop.device(pair.new)
    entry = workshop.manifest(pair.new).images[0]
    repairs = Repairs(
        (Brought(entry.sha256.value, entry.size_bytes),),
        (Brought(verity.digest(LIBRARY), len(LIBRARY)),),
    )
    image, spelled = device.image_path(entry.sha256).read_bytes(), repairs.print()
    before, refusals = workshop.snapshot(device), 0
    for at in range(len(spelled)):
        changed = bytearray(spelled)
        changed[at] ^= 1 << at % 8
        stream = spelled_out(pair, repairs, bytes(changed), [image, LIBRARY])
        try:
            repaired(stream, device)
        except ReconixError as error:
            assert error.exit_code in (50, 54)
            refusals += 1
        if device.staging_dir.is_dir():
            device.staging_dir.rmdir()  # it is empty
        assert workshop.snapshot(device) == before
    assert refusals == len(spelled)
