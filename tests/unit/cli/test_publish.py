"""A folder of streams: the same files for the same generations, and an index that fits them."""

from pathlib import Path

import pytest
from tests.config_projects import write
from tests.made_generations import generation, toplevel
from tests.project_files import enough

from reconix.build.pins import Pin, Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore
from reconix.transfer.format.catalog import INDEX, Offer, parse_index
from reconix.transfer.format.stream import StreamReader


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with four generations in its store."""
    place = tmp_path / "project"
    write(place)
    with ChrootStore(tmp_path / "store") as store:
        for number in range(1, 5):
            add(store, number)
    return place


def add(store: ChrootStore, number: int) -> Pin:
    made = generation(store, toplevel(store, page=f"{number}"))
    return Pins(store.root, "test", "gw").add(made)


def publish(project: Path, into: Path, *words: str) -> int:
    store = project.parent / "store"
    return main(["--project", str(project), "--store", str(store), "publish", str(into), *words])


def index(into: Path) -> tuple[Offer, ...]:
    return parse_index((into / INDEX).read_bytes(), source="index")


def contents(into: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in into.iterdir()}


def test_there_is_a_stream_from_each_of_the_last_and_a_full_one(
    project: Path, tmp_path: Path
) -> None:
    assert publish(project, tmp_path / "out", "--from-last", "2") == 0
    begins = [offer.file.split("-")[1].split(".")[0] for offer in index(tmp_path / "out")]
    assert begins == ["2", "3", "full"]
    assert {offer.sequence for offer in index(tmp_path / "out")} == {4}


def test_the_index_says_what_is_there(project: Path, tmp_path: Path) -> None:
    publish(project, tmp_path / "out")
    for offer in enough(index(tmp_path / "out"), at_least=2, what="offers"):
        content = (tmp_path / "out" / offer.file).read_bytes()
        with (tmp_path / "out" / offer.file).open("rb") as file:
            head = StreamReader(file.read).read_head()
        assert len(content) == offer.size_bytes == head.stream_bytes
        assert Offer.of(offer.file, len(content), head.header) == offer
        assert len(head.seal.signatures) == 1


def test_the_same_generations_give_the_same_files(project: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert publish(project, tmp_path / name) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert publish(project, tmp_path / "one") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_was_published_stays_for_those_who_sleep_long(project: Path, tmp_path: Path) -> None:
    assert publish(project, tmp_path / "out", "-g", "2", "--no-full") == 0
    assert publish(project, tmp_path / "out", "--from-last", "1", "--no-full") == 0
    assert sorted(offer.sequence for offer in index(tmp_path / "out")) == [2, 4]


def test_a_generation_that_is_not_there_is_told(project: Path, tmp_path: Path) -> None:
    assert publish(project, tmp_path / "out", "-g", "9") == 2


def test_one_stream_may_serve_all_that_devices_have(project: Path, tmp_path: Path) -> None:
    assert publish(project, tmp_path / "out", "--together", "--no-full") == 0
    (offer,) = index(tmp_path / "out")
    assert len(offer.bases) == 3
    assert offer.file.startswith("gw-1to3.")
    before = contents(tmp_path / "out")
    assert publish(project, tmp_path / "out", "--together", "--no-full") == 0
    assert contents(tmp_path / "out") == before


def test_the_order_in_which_bases_are_named_does_not_matter(project: Path, tmp_path: Path) -> None:
    names = [["1", "3"], ["3", "1", "3"]]
    for number, bases in enumerate(names):
        words = [word for base in bases for word in ("--base", base)]
        store = ["--project", str(project), "--store", str(project.parent / "store")]
        assert main([*store, "send", *words, "--output", str(tmp_path / f"{number}")]) == 0
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
