from dataclasses import replace

import pytest

from reconix.base.digests import Digest
from reconix.config.lock.containers import (
    IDS,
    MAX_RANGES,
    ContainerLock,
    LockedBlob,
    LockedLayer,
    first_id,
    with_ranges,
)
from reconix.config.lock.document import digest, parse_lock, print_lock
from reconix.config.lock.hosts import (
    HostLock,
    Lock,
    SystemLock,
    assign_ranges,
    keep_dates,
    keep_numbers,
)
from reconix.config.lock.packages import BadLock, LockedPackage

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def blob(content: str, media_type: str = LAYER) -> LockedBlob:
    return LockedBlob(Digest.of(content.encode()), len(content), media_type)


IMAGE = ContainerLock(
    asked="registry.example.com/apps/broker:2",
    top=Digest.of(b"index"),
    manifest=blob("manifest", MANIFEST),
    config=blob("config", CONFIG),
    layers=(
        LockedLayer(blob("lower"), Digest.of(b"lower.tar")),
        LockedLayer(blob("upper"), Digest.of(b"upper.tar")),
    ),
)


def package(name: str, date: str = "20260912T075541Z") -> LockedPackage:
    place = ("debian", f"pool/main/{name}.deb", date)
    return LockedPackage(name, "1", "amd64", 5, Digest.of(name.encode()), *place)


def native(*packages: LockedPackage) -> ContainerLock:
    return ContainerLock(asked_packages=("flask",), packages=packages)


def lock(containers: dict[str, ContainerLock], ranges: dict[str, int] | None = None) -> Lock:
    kernel = (package("linux-image-6.12"),)
    system = SystemLock((), (package("base"),), "linux-image-amd64", kernel, containers=containers)
    host = HostLock("amd64", ("trixie",), ("main",), (), (), {"default": system})
    return Lock({"gateway": replace(host, ranges=ranges or {})})


def test_what_is_printed_is_read_again() -> None:
    for found in (
        lock({"broker": IMAGE}, {"broker": 0}),
        lock({"logger": native(package("flask"))}, {"gone": 0, "logger": 1}),
        lock({"broker": IMAGE, "logger": native(package("flask"))}),
    ):
        assert parse_lock(print_lock(found), source="test") == found


def test_the_order_of_layers_is_kept_and_counts() -> None:
    turned = replace(IMAGE, layers=IMAGE.layers[::-1])
    assert digest(lock({"broker": IMAGE})) != digest(lock({"broker": turned}))
    assert parse_lock(print_lock(lock({"broker": turned})), source="test") == lock(
        {"broker": turned}
    )


def test_packages_of_a_container_are_packages_of_the_lock() -> None:
    found = lock({"logger": native(package("flask"))})
    assert package("flask") in found.packages()


def test_packages_of_a_container_keep_their_dates() -> None:
    old = lock({"logger": native(package("flask"))})
    new = lock({"logger": native(package("flask", "20261001T000000Z"))})
    assert keep_dates(old, new) == old


def test_ranges_are_kept_where_archives_know_nothing_of_them() -> None:
    old = lock({"broker": IMAGE}, {"broker": 3, "gone": 1})
    assert keep_numbers(old, lock({"broker": IMAGE})) == old


def test_a_container_of_two_systems_has_one_range() -> None:
    first = lock({"broker": IMAGE}, {"gone": 4}).hosts["gateway"]
    second = SystemLock((), (), "", (), containers={"broker": IMAGE, "api": IMAGE})
    both = replace(first, systems={**first.systems, "second": second})
    found = assign_ranges(Lock({"gateway": both, "other": first})).hosts
    assert found["gateway"].ranges == {"gone": 4, "api": 5, "broker": 6}
    assert found["other"].ranges == {"gone": 4, "broker": 5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"top": None},
        {"manifest": None},
        {"config": None},
        {"layers": ()},
        {"layers": IMAGE.layers[:1] * 1025},
        {"packages": (package("flask"),)},
        {"asked": ""},
        {"asked": "a\x1b[2J"},
        {"asked": "a" * 1025},
    ],
    ids=lambda wrong: str(*wrong),
)
def test_half_an_image_is_none(wrong: dict[str, object]) -> None:
    with pytest.raises(BadLock):
        replace(IMAGE, **wrong)  # type: ignore[arg-type] # a field by its name


def test_a_container_of_nothing_is_none() -> None:
    with pytest.raises(BadLock, match="neither"):
        ContainerLock(asked_packages=("flask",))


@pytest.mark.parametrize("media_type", ["", "tar", "a/b/c", "a/\n", "a/" + "b" * 128])
def test_a_media_type_that_is_none_is_refused(media_type: str) -> None:
    with pytest.raises(BadLock, match="media type"):
        LockedBlob(Digest.of(b""), 0, media_type)


@pytest.mark.parametrize("size_bytes", [-1, (1 << 40) + 1])
def test_a_size_that_cannot_be_is_refused(size_bytes: int) -> None:
    with pytest.raises(BadLock, match="bytes"):
        LockedBlob(Digest.of(b""), size_bytes, LAYER)


@pytest.mark.parametrize("ranges", [{"a": -1}, {"a": MAX_RANGES}, {"a": 1, "b": 1}])
def test_ranges_that_cannot_be_are_refused(ranges: dict[str, int]) -> None:
    with pytest.raises(BadLock, match="range") as failure:
        lock({}, ranges)
    assert failure.value.hint.startswith("take it as one commit has it"), "two branches may do that"


def test_a_range_is_never_used_again() -> None:
    first = with_ranges({}, ["broker", "logger", "api"])
    assert first == {"api": 0, "broker": 1, "logger": 2}
    assert with_ranges({"gone": 7, **first}, ["zoo", "logger", "bus"]) == {
        **first,
        "gone": 7,
        "bus": 8,
        "zoo": 9,
    }


def test_all_ranges_are_those_that_systemd_leaves_to_containers() -> None:
    assert first_id(0) == 0x10000000
    assert first_id(1) - first_id(0) == IDS == 65536
    assert first_id(MAX_RANGES - 1) + IDS - 1 == 0x6FFFFFFF
