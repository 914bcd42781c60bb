"""What boots by itself has run, or differs in containers alone, which were seen well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.device.settings.containers import Container, print_containers
from reconix.device.settings.health import Check, ContainerWorks, Health, print_health
from reconix.nix.chroot import ChrootStore
from reconix.prove.proved import Ran, Shape, shape_of, unproved
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder

NEVER, UNWELL = (
    "a default system that never ran",
    "a default system with containers never seen well",
)


def path(name: str) -> StorePath:
    return StorePath.parse(f"/nix/store/{'0' * 32}-{name}")


OLD, NEW, OTHER = path("old"), path("new"), path("other")
ONE, TWO = path("one"), path("two")
SHAPES = (Shape(OLD, b"rest", ONE), Shape(NEW, b"rest", TWO), Shape(OTHER, b"other", TWO))


@pytest.mark.parametrize(
    ("ran", "problem"),
    [
        ([], NEVER),
        ([Ran(0, OLD, ONE)], UNWELL),
        ([Ran(0, OTHER, TWO)], NEVER),
        ([Ran(0, OLD, ONE), Ran(0, OTHER, TWO)], UNWELL),
        ([Ran(0, OLD, TWO)], ""),
        ([Ran(0, NEW, TWO)], ""),
    ],
)
def test_a_system_is_proved_with_its_containers(ran: list[Ran], problem: str) -> None:
    assert unproved(SHAPES[1], SHAPES, ran) == problem


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as store:
        yield store


def system(store: ChrootStore, containers: StorePath | None, **more: str) -> Shape:
    content: dict[str, Node] = {name: File(text.encode()) for name, text in more.items()}
    links = [containers] if containers else []
    if containers:
        content["containers"] = Symlink(str(containers))
    return shape_of(store, store.add_files(folder(content), "system", links))


def test_systems_are_alike_that_differ_in_containers_and_what_the_agent_reads(
    store: ChrootStore,
) -> None:
    listed = Container("web", "container-web.service", Digest.of(b"web"))
    content = {"containers.json": File(print_containers([listed])), "units/a.service": File(b"")}
    found = store.add_files(folder(content), "containers")
    plain = system(store, None, page="1")
    assert (plain.containers, plain.listed) == (None, ())
    said = print_health(Health(60, (Check(ContainerWorks("web")),))).decode()
    full = system(store, found, page="1", **{"health.json": said, "secrets.json": "{}"})
    assert full.asked == {listed.unit}
    assert (full.containers, full.listed) == (found, (listed,))
    assert full.is_like(plain)
    for more in ({"page": "2"}, {}, {"page": "1", "update.json": "{}"}):
        assert not system(store, found, **{"health.json": said, **more}).is_like(plain)
