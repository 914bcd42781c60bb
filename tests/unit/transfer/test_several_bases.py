"""One stream for devices with different generations: each ends with the target, exactly."""

import io
import itertools
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.transfer.receiving.test_receive import (
    EXAMPLES,
    bent,
    expect_refused,
    flip,
    framed,
    objects,
    unframed,
    writing_at_most,
)

from reconix.base.errors import ReconixError
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs import packs
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.bases import View, print_views
from reconix.transfer.format.payload_head import Need, PayloadHead, print_payload_head
from reconix.transfer.format.plan import Alternatives, Location, Piece, Printed, Printer, Take
from reconix.transfer.format.plan import File as PlanFile
from reconix.transfer.format.stream import MAX_BASES, BadStream, Header
from reconix.transfer.receiving.receive import WrongBase
from reconix.transfer.receiving.sources import DamagedBase
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.send import TooManyBases
from reconix.transfer.sending.writer import StreamWriter

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop


def noise(seed: int, size: int = 6000) -> bytes:
    return random.Random(seed).randbytes(size)


def edited(content: bytes, *words: bytes) -> bytes:
    """Content that differs a little, in another place for each word."""
    for number, word in enumerate(words, 1):
        at = number * 997 % len(content)
        content = content[:at] + word + content[at:]
    return content


def packed(content: bytes) -> File:
    written = bytearray()
    packer = packs.packer(Pack.XZ, written.extend)
    packer.feed(content)
    packer.finish()
    return File(bytes(written))


def root(release: int) -> dict[str, Node]:
    """A root whose files change in all the ways in which releases differ from each other."""
    early, late = min(release, 2), max(release, 2)
    return {
        "bin": Symlink("usr/bin"),
        "usr/bin/same": File(noise(1), executable=True),
        "usr/bin/each": File(edited(noise(2), *[b"%d" % n for n in range(release)])),
        "usr/bin/since-two": File(edited(noise(3), b"%d" % early)),
        "usr/bin/until-two": File(edited(noise(4), b"%d" % late)),
        f"usr/lib/modules/{release}/kernel/net.ko": File(edited(noise(5), b"%d" % release)),
        f"usr/lib/modules/{release}/kernel/same.ko": File(noise(6)),
        f"usr/lib/modules/{release}/kernel/packed.ko.xz": packed(edited(noise(7), b"%d" % release)),
        f"usr/share/only/{release}": File(b"only in release %d\n" % release),
        "usr/share/doc/same": File(b"the same text\n" * 50),
        "usr/share/link": Symlink(f"only/{release}"),
    }


def metadata(release: int) -> dict[bytes, Metadata]:
    """Of a file, a link, a folder that all have, and of what differs, too."""
    paths = (b"bin", b"usr/bin/same", b"usr/bin/each", b"usr/share/doc", b"usr/share/doc/same")
    each = dict.fromkeys(paths, Metadata(0o755, 0, release, 1_700_000_000 + release))
    return each | {b"usr/bin/since-two": Metadata(0o4755)}


def generation(workshop: "Workshop", release: int) -> StorePath:
    linux = folder({"vmlinuz": File(noise(8))})
    files = {"issue": b"release %d\n" % release, "hosts": b"127.0.0.1\n" * 20}
    files["only"] = b"only here: %d\n" % release * 9
    etc = folder({name: File(content) for name, content in files.items()})
    told = {"root": tuple(sorted(metadata(release).items()))}
    return workshop.generation(told, root=folder(root(release)), linux=linux, etc=etc)


@pytest.fixture
def releases(workshop: "Workshop") -> list[StorePath]:
    """Five of them; the last is the target."""
    return [generation(workshop, number) for number in range(1, 6)]


def test_a_device_with_either_base_ends_with_the_target(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, three, *_, target = releases
    stream = workshop.stream(one, target, two, three)
    for base in (one, two, three):
        device = workshop.device(base)
        assert workshop.receive(stream, device) == workshop.manifest(target)
        workshop.expect_complete(device, target)
        workshop.expect_complete(device, base)
        assert workshop.staged(device) == []


def test_s6_a_variant_for_another_base_takes_no_more_work_than_the_space_pays_for(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, *_, target = releases
    other: list[Printed] = [PlanFile(None, 10, False), Piece(bytes(10))]
    events = [Alternatives(None, (0, 1)), *other, Take(None, Location(0))]
    stream = forged(workshop, (one, two), target, events)
    error = expect_refused(workshop, stream, workshop.device(two), BadStream)
    assert "more work than its declared space pays for" in str(error)


def forged(
    workshop: "Workshop", bases: tuple[StorePath, ...], target: StorePath, events: list[Printed]
) -> bytes:
    """A stream that sees nothing of its bases, and has only these events and no space for them."""
    new = workshop.manifest(target)
    needs = tuple(Need(index, 0, 0, 0) for index in range(len(new.objects)))
    header = Header("gateway", "amd64", bases, target, len(needs), 0, 0, 0)
    written = io.BytesIO()
    writer = StreamWriter(written.write, header)
    packer = Packer(writer.payload)
    nothing = View((), 0)
    packer.write(print_views([nothing] * len(bases), [*map(workshop.manifest, bases)]))
    packer.write(print_payload_head(PayloadHead(new, needs), nothing))
    printer = Printer(packer)
    for event in events:
        printer.feed(event)
    packer.finish()
    writer.finish()
    return written.getvalue()


def test_s3_a_device_with_another_generation_is_refused_before_the_first_write(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, three, four, target = releases
    device = workshop.device(four)
    error = expect_refused(workshop, workshop.stream(one, target, two), device, WrongBase)
    assert str(error).endswith("which is not installed, nor is its other base")
    error = expect_refused(workshop, workshop.stream(one, target, two, three), device, WrongBase)
    assert str(error).endswith("which is not installed, nor are its 2 other bases")
    assert workshop.staged(device) == []


def test_the_order_of_the_bases_does_not_matter(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, three, _, target = releases
    streams = {
        workshop.stream(order[0], target, *order[1:])
        for order in itertools.permutations([one, two, three, one])
    }
    assert len(streams) == 1


def test_it_is_smaller_than_the_streams_of_the_bases_together(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, _, _, four, target = releases
    single = [len(workshop.stream(base, target)) for base in (one, four)]
    together = len(workshop.stream(one, target, four))
    assert max(single) < together < sum(single)
    assert together < len(workshop.stream(None, target)) / 2


def test_what_each_base_has_in_its_own_way_is_not_sent_again(workshop: "Workshop") -> None:
    one, two, target = (
        workshop.generation(root=folder({f"{name}/big": File(noise(1, 200_000))}))
        for name in ("one", "two", "three")
    )
    stream = workshop.stream(one, target, two)
    assert len(stream) < 4000
    device = workshop.device(two)
    workshop.receive(stream, device)
    workshop.expect_complete(device, target)
    old = workshop.content(two, "root", "two", "big")
    assert old == workshop.content(target, "root", "three", "big")


@settings(
    max_examples=EXAMPLES * 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_s6_s7_a_changed_payload_gives_the_target_or_a_refusal_within_what_was_declared(
    workshop: "Workshop", releases: list[StorePath], data: st.DataObject
) -> None:
    one, two, *_, target = releases
    base = data.draw(st.sampled_from([one, two]))
    header, packets = unframed(workshop.stream(one, target, two))
    changed = framed(header, bent(data, packets))
    device = workshop.device(base)
    try:
        with writing_at_most(header.content_bytes):
            workshop.receive(changed, device)
    except ReconixError:
        device = workshop.device(base)
        expect_refused(workshop, changed, device)
    else:
        workshop.expect_complete(device, target)


def test_s3_damage_that_another_base_would_not_have_is_found(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, *_, target = releases
    stream = workshop.stream(one, target, two)
    device = workshop.device(two)
    flip(device.pool.path(workshop.content(two, "root", "usr", "bin", "each")))
    expect_refused(workshop, stream, device, DamagedBase)


def test_of_two_bases_that_are_installed_the_whole_one_is_taken(
    workshop: "Workshop", releases: list[StorePath]
) -> None:
    one, two, *_, target = releases
    stream = workshop.stream(one, target, two)
    for broken in (one, two):
        device = workshop.device(one, two)
        device.pool.path(workshop.content(broken, "etc", "only")).unlink()
        workshop.receive(stream, device)
        workshop.expect_complete(device, target)


def test_no_stream_serves_more_bases_than_its_header_holds(workshop: "Workshop") -> None:
    bases = [generation(workshop, number) for number in range(MAX_BASES + 2)]
    with pytest.raises(TooManyBases):
        workshop.stream(bases[0], bases[-1], *bases[1:-1])
    stream = workshop.stream(bases[0], bases[-1], *bases[1:-2])
    for base in (bases[0], bases[7]):
        device = workshop.device(base)
        workshop.receive(stream, device)
        workshop.expect_complete(device, bases[-1])


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(objects, objects, objects)
def test_any_generation_is_made_from_any_two_others(
    workshop: "Workshop", one: dict[str, Node], two: dict[str, Node], new: dict[str, Node]
) -> None:
    bases = [workshop.generation(**each) for each in (one, two)]
    target = workshop.generation(**new)
    stream = workshop.stream(bases[0], target, bases[1])
    for base in bases:
        device = workshop.device(base, at=workshop.place / "several")
        workshop.receive(stream, device)
        workshop.expect_complete(device, target)
