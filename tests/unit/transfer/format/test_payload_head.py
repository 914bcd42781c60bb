import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.conftest import Verified

from reconix.base.digests import Digest
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.paths import StorePath, base32_encode
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.codecs.tools import Tool
from reconix.transfer.format.bases import View
from reconix.transfer.format.manifest_difference import MAX_OBJECTS, MAX_REFERENCES, pairs
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.payload_head import (
    Need,
    PayloadHead,
    parse_payload_head,
    print_payload_head,
)
from reconix.transfer.format.stream import BadStream, varint
from reconix.transfer.sending.packer import Packer


def packed(content: bytes) -> Unpacker:
    written = bytearray()
    packer = Packer(written.extend)
    packer.write(content)
    packer.finish()
    return Unpacker(Verified(bytes(written)))


def manifest(names: Sequence[str], size: int = 3) -> Manifest:
    """A generation that refers to objects of these names."""
    below = [StorePath(f"{name * 32}", "part") for name in names]
    root = StorePath("0" * 32, "generation-gateway")
    items = [StoreObject(path, Digest.of(str(path).encode()), size) for path in below]
    items.append(StoreObject(root, Digest.of(b"root"), 5, tuple(sorted([*below, root]))))
    return Manifest(root, tuple(sorted(items)))


names = st.lists(st.sampled_from("123456789abcdfgh"), unique=True)


@given(names, names, st.sampled_from([3, 4]), st.sampled_from([Tool(0), Tool.GZIP | Tool.LZ4]))
def test_any_manifest_comes_back_with_any_base(
    old: list[str], new: list[str], size: int, tools: Tool
) -> None:
    head = PayloadHead(manifest(new, size), (Need(0, 5, 4096, 1),), tools)
    for base in (None, manifest(old)):
        view = View.whole(base)
        parsed = parse_payload_head(packed(print_payload_head(head, view)), view)
        assert replace(parsed, renames=NO_RENAMES) == head
        assert parsed.renames == Renames.of(
            (before.path, after.path)
            for after, before in pairs(view.staying, head.manifest.objects).items()
        )


def test_a_change_of_one_object_costs_little() -> None:
    many = "123456789abcdfghijklmnpqrsvwxyz"
    base, target = manifest(many), manifest(many[:-1] + "0"[:0])
    assert len(print_payload_head(PayloadHead(target, ()), View.whole(base))) < 200
    assert len(print_payload_head(PayloadHead(target, ()), View.whole(None))) > 1500


@pytest.mark.parametrize(
    "needs",
    [
        [Need(1, 0, 0, 0)],
        [Need(0, 0, 0, 0), Need(1, 0, 0, 0)],
        [Need(0, 0, 0, (1 << 21) + 1)],
    ],
    ids=repr,
)
def test_needs_that_cannot_be_are_refused(needs: list[Need]) -> None:
    content = print_payload_head(PayloadHead(manifest([]), tuple(needs)), View.whole(None))
    with pytest.raises(BadStream):
        parse_payload_head(packed(content), View.whole(None))


ONE_NEW = b"\1\0\0\1" + bytes(20) + bytes(32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (varint(MAX_OBJECTS + 1), "steps in the manifest"),
        (b"\1\3", "that stay"),
        (b"\1\0\3", "that leave"),
        (b"\1\0\0" + varint(MAX_OBJECTS + 1), "objects in the manifest"),
        (ONE_NEW + b"\0\x80\x02", "a name"),
        (ONE_NEW + b"\0\4n/me", "store path"),
        (ONE_NEW + b"\3", "beyond the base"),
        (ONE_NEW + b"\1\x0d", "no size"),
        (ONE_NEW + b"\0\4name\0\0", "stands for none"),
        (ONE_NEW + b"\0\4name\0" + varint(MAX_REFERENCES + 2), "references"),
        (b"\0\0", "beyond the 0 objects"),
        (b"\1\2\0\0\5", "beyond the 2 objects"),
        (b"\1\2\0\0\1", "nothing refers"),
        (b"\1\2\0\0\0\0\x08", "tools"),
    ],
)
def test_s6_a_head_that_cannot_be_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        parse_payload_head(packed(content + bytes(40)), View.whole(manifest(["1"])))


def closure(seed: int, count: int) -> Manifest:
    """A closure in which each object has a new hash for each seed, and refers to the one below."""
    chance = random.Random(seed)
    paths = [
        StorePath(base32_encode(chance.randbytes(20)), f"package-{number}")
        for number in range(count)
    ]
    items = [
        StoreObject(path, Digest(chance.randbytes(32)), 1000 + number, tuple(sorted({path, below})))
        for number, (path, below) in enumerate(itertools.pairwise(paths))
    ]
    items.append(StoreObject(paths[-1], Digest(chance.randbytes(32)), 7))
    return Manifest(paths[0], tuple(sorted(items)))


def test_an_object_with_a_new_name_costs_its_hash_and_its_digest() -> None:
    old, new = closure(1, 100), closure(2, 100)
    written = bytearray()
    packer = Packer(written.extend)
    packer.write(print_payload_head(PayloadHead(new, ()), View.whole(old)))
    packer.finish()
    assert len(written) < 100 * (20 + 32 + 2) + 100
    parsed = parse_payload_head(Unpacker(Verified(bytes(written))), View.whole(old))
    assert parsed.manifest == new
    names = {item.path.name: item.path for item in new.objects}
    assert all(parsed.renames.follow(item.path) == names[item.path.name] for item in old.objects)
