"""Blobs are fetched once, by digest, and compared each time."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.oci_images import file, image, layer, write_layout
from tests.servers import Request, Server, serving

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.build.archive.fetch import cached_path
from reconix.build.archive.retry import RetryPolicy
from reconix.config.image_reference import InLayout, InRegistry
from reconix.containers.blobs import fetch_blobs, fetch_layers
from reconix.containers.descriptors import BadImage, Descriptor
from reconix.containers.images import Document, Image, NewFile, Source, find_image
from reconix.containers.layout import FolderFiles, Layout
from reconix.containers.registry import Access, Registry

LAYERS = (layer(file("a", b"1")), layer(file("b", b"2")))


class Counting:
    """A source that remembers what was copied, and is asked for nothing else."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.copied: list[Digest] = []

    def top(self) -> Document:
        raise AssertionError("a build follows no name")

    def document(self, descriptor: Descriptor) -> Document:
        raise AssertionError(f"a build needs no document: {descriptor}")

    def copy(self, descriptor: Descriptor, file: NewFile) -> None:
        self.copied.append(descriptor.digest)
        self._source.copy(descriptor, file)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    place = tmp_path / "layout"
    write_layout(place, app=image(place, [*LAYERS, LAYERS[0]], compressed=True))
    return Layout(InLayout("layout"), FolderFiles(place))


@pytest.fixture
def found(layout: Layout) -> Image:
    return find_image(layout, "amd64")


def no_source() -> Source:
    raise AssertionError("nothing is missing")


def test_a_layer_is_fetched_once(layout: Layout, found: Image, tmp_path: Path) -> None:
    source = Counting(layout)
    layers = fetch_layers(found, lambda: source, cache=tmp_path / "cache")
    assert source.copied == [found.layers[0].blob.digest, found.layers[1].blob.digest]
    assert [Digest.of_file(each.file) for each in layers] == [each.name for each in layers]
    assert layers[0] == layers[2]
    assert fetch_layers(found, no_source, cache=tmp_path / "cache") == layers


def test_a_layer_that_was_damaged_is_fetched_again(
    layout: Layout, found: Image, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    fetch_layers(found, lambda: layout, cache=cache)
    place = cached_path(cache, found.layers[1].blob.digest)
    good = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(good[:-1] + b"?")
    source = Counting(layout)
    fetch_layers(found, lambda: source, cache=cache)
    assert source.copied == [found.layers[1].blob.digest]
    assert place.read_bytes() == good


def test_a_blob_that_is_another_one_is_not_kept(found: Image, tmp_path: Path) -> None:
    blob = tmp_path / "layout/blobs/sha256" / found.layers[0].blob.digest.hex()
    blob.write_bytes(b"other")
    source = Layout(InLayout("layout"), FolderFiles(tmp_path / "layout"))
    with pytest.raises(BadImage, match=str(found.layers[0].blob.digest)):
        fetch_layers(found, lambda: source, cache=tmp_path / "cache")
    assert not [each for each in (tmp_path / "cache/sha256").rglob("*") if each.is_file()]


BLOBS = [bytes([number]) * (1000 - number) for number in range(8)]
WANTED = [Descriptor("", Digest.of(blob), len(blob)) for blob in BLOBS]
HURRY = Access(retry=RetryPolicy(attempts=2, pause_seconds=0))


class Watched:
    """A registry with these blobs, and how many were asked for at a time."""

    def __init__(self, answer: Callable[[Request, bytes], None]) -> None:
        self.most = self._now = self.log_ins = 0
        self._answer, self._lock = answer, threading.Lock()

    def behave(self, request: Request) -> None:
        if request.path.startswith("/token"):
            self.log_ins += 1
            request.head(200, 13)
            request.wfile.write(b'{"token":"t"}')
        elif "Authorization" not in request.headers:
            realm = f'Bearer realm="http://{request.headers["Host"]}/token"'
            request.head(401, 0, WWW_Authenticate=realm)
        else:
            self._give(request)

    def _give(self, request: Request) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        digest = request.path.rpartition("/")[2]
        self._answer(request, next(b for b in BLOBS if str(Digest.of(b)) == digest))
        with self._lock:
            self._now -= 1

    @contextlib.contextmanager
    def serving(self) -> Iterator[Callable[[], Source]]:
        with serving(Server(self.behave)) as server:
            reference = InRegistry(f"127.0.0.1:{server.server_address[1]}", "a", "1")
            yield lambda: Registry(reference, HURRY)


def give(request: Request, blob: bytes) -> None:
    request.head(200, len(blob))
    request.wfile.write(blob)


def late(request: Request, blob: bytes) -> None:
    time.sleep(DELAY_SECONDS)
    give(request, blob)


DELAY_SECONDS = 0.25


def test_a_registry_is_asked_for_four_at_once(tmp_path: Path) -> None:
    registry = Watched(late)
    began = time.monotonic()
    with registry.serving() as source:
        files = fetch_blobs(WANTED, source, cache=tmp_path)
    assert [files[blob.digest].read_bytes() for blob in WANTED] == BLOBS
    assert registry.most == 4
    assert registry.log_ins == 1, "all have one log-in"
    assert time.monotonic() - began < DELAY_SECONDS * len(BLOBS), "no gain over one at a time"


@dataclass
class Told:
    """What is told of a stage."""

    total: int = 0
    done: int = 0
    most: int = 0

    def begin(self, what: str, total: int | None) -> "Told":
        self.total = total or 0
        return self

    def advance(self, amount: int) -> None:
        self.done += amount
        self.most = max(self.most, self.done)

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def doing(self, what: str) -> None:
        pass


def test_progress_counts_what_comes_twice_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = set(BLOBS)

    def answer(request: Request, blob: bytes) -> None:
        request.head(200, len(blob))
        request.wfile.write(blob[:400] if blob in cut else blob)
        cut.discard(blob)

    told = Told()
    monkeypatch.setattr(progress, "_listener", told)
    with Watched(answer).serving() as source:
        fetch_blobs(WANTED, source, cache=tmp_path)
    assert told.total == told.done == told.most == sum(map(len, BLOBS))


def test_the_first_that_cannot_be_had_ends_the_others(tmp_path: Path) -> None:
    """Those of which nothing comes any more, too: nobody waits for their time-out."""
    over = threading.Event()

    def answer(request: Request, blob: bytes) -> None:
        request.head(200, len(blob))
        if blob is BLOBS[2]:
            request.wfile.write(bytes(len(blob)))
        else:
            request.wfile.write(blob[:10])
            request.wfile.flush()
            over.wait(20)

    began = time.monotonic()
    with (
        Watched(answer).serving() as source,
        pytest.raises(BadImage, match=str(WANTED[2].digest)),
    ):
        fetch_blobs(WANTED, source, cache=tmp_path)
    over.set()
    assert time.monotonic() - began < 10
    assert not [each for each in (tmp_path / "sha256").rglob("*") if each.is_file()]
