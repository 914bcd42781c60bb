"""Updates from a folder, and from a web server that serves it."""

import contextlib
import functools
import http.server
import io
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.servers import Request, Server, serving
from tests.unit.device.conftest import Units

from reconix.base import progress
from reconix.base.progress import Silent
from reconix.boot.trial import Phase, read_state
from reconix.device.__main__ import main
from reconix.device.state import last_check
from reconix.device.state.lock import exclusive_rw
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.receive import receive_file
from reconix.device.update.repository import Repository, check
from reconix.device.update.rollback import rollback
from reconix.device.update.web import RetryPolicy, TooMuch, Unreachable
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import File
from reconix.transfer.format.catalog import INDEX, Offer, print_index
from reconix.transfer.format.stream import (
    FRAME_BYTES,
    REREADS,
    AlteredOnTheWay,
    StreamReader,
    TruncatedStream,
)
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.sending import send

QUICK = RetryPolicy(2.0, (0.01, 0.01))


class Folder:
    """Streams between generations of a device, as ``reconix publish`` makes them."""

    def __init__(self, machine: Machine, place: Path) -> None:
        self.machine, self.place = machine, place
        place.mkdir()
        self.offers: list[Offer] = []

    def add(self, base: str | None, target: str, sequence: int, *others: str) -> Path:
        path = self.place / f"{base}-{target}.rcx"
        bases = [self.machine.generations[name] for name in (base, *others) if name]
        with path.open("wb") as file:
            end = self.machine.generations[target]
            sent = send.create(self.machine.store, bases, end, file.write, sequence=sequence)
        self.offers.append(Offer.of(path.name, sent.size_bytes, sent.header))
        (self.place / INDEX).write_bytes(print_index(self.offers))
        return path


@pytest.fixture
def folder(machine: Machine, tmp_path: Path) -> Folder:
    """Generation two is small, three large; there is a way in two steps."""
    machine.boot()
    machine.generation("two")
    machine.generation("three", extra={"large": File(random.Random(1).randbytes(4 * FRAME_BYTES))})
    made = Folder(machine, tmp_path / "streams")
    made.add("one", "two", 2)
    made.add("two", "three", 3)
    return made


class Quiet(http.server.SimpleHTTPRequestHandler):
    """The server of the standard library, which ignores ranges."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Callable[[Path], str]]:
    with contextlib.ExitStack() as stack:

        def serve(place: Path) -> str:
            handler = functools.partial(Quiet, directory=str(place))
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            stack.enter_context(running(server))
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield serve


@contextlib.contextmanager
def running(server: http.server.HTTPServer) -> Iterator[None]:
    """A server that answers as long as the context lasts."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def test_a_stick_brings_the_cheapest_way(machine: Machine, folder: Folder, units: Units) -> None:
    assert main(["update", "--from", str(folder.place)], machine.device) == 0
    state = read_state(machine.paths.state)
    assert state.phase is Phase.ARMED and state.trial is not None
    assert state.trial.generation == str(machine.generations["three"])
    assert machine.generations["two"] in machine.device.installed()
    assert units.calls == ["reboot"]


def test_what_a_device_came_back_from_is_not_tried_again_by_itself(
    machine: Machine, folder: Folder, units: Units
) -> None:
    words = ["update", "--from", str(folder.place)]
    assert main([*words, "--unattended"], machine.device) == 0
    machine.boot()
    with exclusive_rw(machine.paths):
        rollback(machine.device)
    machine.boot()
    before = len(units.calls)
    assert main([*words, "--unattended"], machine.device) == 0
    assert read_state(machine.paths.state).phase is Phase.IDLE
    assert len(units.calls) == before
    assert main(words, machine.device) == 0, "somebody may still try"
    assert read_state(machine.paths.state).phase is Phase.ARMED


def test_a_check_only_tells(
    machine: Machine, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["update", "--from", str(folder.place), "--check", "--json"]
    assert main(words, machine.device) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["streams"] == ["one-two.rcx", "two-three.rcx"]
    assert said["generation"] == str(machine.generations["three"])
    assert machine.device.installed() == (machine.generations["one"],)


def test_a_web_server_serves_the_same_folder(
    machine: Machine, folder: Folder, web: Callable[[Path], str], units: Units
) -> None:
    assert main(["update", "--from", web(folder.place)], machine.device) == 0
    assert machine.generations["three"] in machine.device.installed()
    assert not machine.paths.spool.exists()


def test_one_stream_may_serve_several_generations(
    machine: Machine, tmp_path: Path, units: Units
) -> None:
    machine.boot()
    machine.generation("two")
    three = machine.generation("three")
    folder = Folder(machine, tmp_path / "streams")
    folder.add("two", "three", 3, "one")
    assert main(["update", "--from", str(folder.place)], machine.device) == 0
    assert three in machine.device.installed()
    assert machine.generations["two"] not in machine.device.installed()


def test_what_is_committed_is_nothing_new(machine: Machine, tmp_path: Path) -> None:
    machine.boot()
    made = Folder(machine, tmp_path / "streams")
    made.add(None, "one", 1)
    assert check(machine.device, Repository(str(made.place))).target is None


def test_n2_no_full_download_above_the_limit_without_being_told(
    machine: Machine, folder: Folder, web: Callable[[Path], str]
) -> None:
    url = web(folder.place)
    with pytest.raises(TooMuch):
        check(machine.device, Repository(url, limit_bytes=100))
    assert check(machine.device, Repository(str(folder.place), limit_bytes=100)).chain


class Portal:
    """A web server of one stream; from a byte on somebody else answers, so many times."""

    def __init__(self, stream: bytes, index: bytes, at: int, times: int) -> None:
        self.stream, self.index, self.at, self.times = stream, index, at, times
        self.server = Server(self.answer, stream)

    def answer(self, request: Request) -> None:
        if request.path.endswith(INDEX):
            request.head(200, len(self.index))
            request.wfile.write(self.index)
        elif self.times and request.span[1] > self.at:
            self.times -= 1
            request.head(206 if request.begin else 200, request.span[1] - request.begin)
            request.give(request.begin, self.at)
            page = b"<html>log in to go on</html>"
            request.wfile.write(page * (1 + (request.span[1] - self.at) // len(page)))
        else:
            request.right()


@pytest.fixture
def portal(folder: Folder) -> Iterator[Callable[[int, int], Portal]]:
    """Gives a server of a full stream of generation three, altered at its end."""
    path = folder.add(None, "three", 3)
    with contextlib.ExitStack() as stack:

        def serve(frame: int, times: int) -> Portal:
            content, index = path.read_bytes(), print_index(folder.offers[-1:])
            head = StreamReader(io.BytesIO(content).read).read_head().print()
            made = Portal(content, index, len(head) + frame * FRAME_BYTES + 10, times)
            stack.enter_context(serving(made.server))
            return made

        yield serve


def test_n2_one_limit_counts_for_the_index_and_all_streams_of_a_way(
    machine: Machine, folder: Folder, web: Callable[[Path], str]
) -> None:
    url = web(folder.place)
    sizes = [offer.size_bytes for offer in folder.offers]
    index = (folder.place / INDEX).stat().st_size
    repository = Repository(url, limit_bytes=sum(sizes) + index // 2)
    with pytest.raises(TooMuch, match=f"{sum(sizes)} bytes would be downloaded, more than"):
        check(machine.device, repository)
    repository = Repository(url, limit_bytes=max(sizes) + index + 1000, retry=QUICK)
    first, second = repository.offers()
    with exclusive_rw(machine.paths):
        repository.take(machine.device, first)
        with pytest.raises(TooMuch, match="besides"):
            repository.take(machine.device, second)


def test_n2_what_is_loaded_again_counts(
    machine: Machine, portal: Callable[[int, int], Portal]
) -> None:
    made = portal(3, 1000)
    limit = len(made.stream) + len(made.index) + FRAME_BYTES
    repository = Repository(made.server.url.removesuffix("/stream"), limit_bytes=limit, retry=QUICK)
    with pytest.raises(TooMuch), exclusive_rw(machine.paths):
        repository.take(machine.device, repository.offers()[0])
    held = Spool(machine.paths.spool).held()
    assert held is not None and held.offset == made.at - 10, "what was proved stays"
    assert repository.meter.loaded_bytes <= limit + FRAME_BYTES


SLOW = RetryPolicy(2.0, (), window_seconds=0.3, answer_seconds=0.3)


@pytest.mark.parametrize("what", ["100 Continue", "head", "body"])
def test_n1_a_server_that_keeps_a_device_busy_does_not_keep_its_lock(
    machine: Machine, portal: Callable[[int, int], Portal], what: str
) -> None:
    def drip(request: Request) -> None:
        with contextlib.suppress(OSError):
            request.wfile.write({"body": b"HTTP/1.1 200 OK\r\n\r\n"}.get(what, b""))
            while True:
                request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" if "100" in what else b"H")
                time.sleep(0.02)

    made = portal(3, 0)
    repository = Repository(made.server.url.removesuffix("/stream"))
    offer = repository.offers()[0]
    made.server.behave, repository.retry = drip, SLOW
    with pytest.raises(TruncatedStream), exclusive_rw(machine.paths):
        repository.take(machine.device, offer)
    with exclusive_rw(machine.paths):
        assert machine.device.installed() == (machine.generations["one"],)


def test_n1_a_download_that_takes_too_long_in_all_waits_for_the_next_try(
    machine: Machine, portal: Callable[[int, int], Portal]
) -> None:
    made = portal(3, 0)
    repository = Repository(made.server.url.removesuffix("/stream"), retry=QUICK)
    offer = repository.offers()[0]
    repository.meter.until = time.monotonic()
    with pytest.raises(TruncatedStream), exclusive_rw(machine.paths):
        repository.take(machine.device, offer)
    assert made.server.requests == 1, "only the index was asked for"


def test_n1_what_a_cut_left_is_not_loaded_again(
    machine: Machine, folder: Folder, web: Callable[[Path], str]
) -> None:
    full = folder.add(None, "three", 3)
    content = full.read_bytes()
    at = content[: len(content) - FRAME_BYTES // 2]
    url = web(folder.place)
    repository = Repository(url, retry=QUICK)
    offer = next(each for each in repository.offers() if not each.bases)
    full.write_bytes(at)
    with pytest.raises(TruncatedStream), exclusive_rw(machine.paths):
        repository.take(machine.device, offer)
    assert machine.paths.spool.stat().st_size > 3 * FRAME_BYTES
    full.write_bytes(content)
    with exclusive_rw(machine.paths):
        assert repository.take(machine.device, offer) == machine.generations["three"]
    assert not machine.paths.spool.exists()


def test_n1_a_page_of_a_portal_costs_the_frame_in_which_it_begins(
    machine: Machine, portal: Callable[[int, int], Portal]
) -> None:
    made = portal(3, 2)
    repository = Repository(made.server.url.removesuffix("/stream"), retry=QUICK)
    with exclusive_rw(machine.paths):
        assert (
            repository.take(machine.device, repository.offers()[0]) == machine.generations["three"]
        )
    frame = (made.at - 10, made.at - 10 + FRAME_BYTES)
    wrong = [(0, made.at), (frame[0], made.at)]
    assert made.server.given == [*wrong, frame, (frame[1], len(made.stream))]


def test_n1_what_was_proved_stays_when_the_rest_comes_altered_each_time(
    machine: Machine, portal: Callable[[int, int], Portal]
) -> None:
    made = portal(3, 1000)
    repository = Repository(made.server.url.removesuffix("/stream"), retry=QUICK)
    for _ in range(2):
        made.server.given.clear()
        with pytest.raises(AlteredOnTheWay, match="frame 3"), exclusive_rw(machine.paths):
            repository.take(machine.device, repository.offers()[0])
    begin = made.at - 10
    head = begin - 3 * FRAME_BYTES
    assert made.server.given == [(0, head), *[(begin, made.at)] * (1 + REREADS)]
    made.times = 0
    made.server.given.clear()
    with exclusive_rw(machine.paths):
        repository.take(machine.device, repository.offers()[0])
    assert made.server.given == [(0, head), (begin, len(made.stream))]


class Healing(Silent):
    """Puts a file right as soon as somebody complains."""

    def __init__(self, path: Path) -> None:
        self.path, self.content, self.complaints = path, path.read_bytes(), 0

    def note(self, message: str) -> None:
        self.complaints += "asking for it again" in message
        self.path.write_bytes(self.content)


def test_n1_a_head_that_comes_altered_once_does_not_cost_what_is_held(
    machine: Machine, portal: Callable[[int, int], Portal]
) -> None:
    made = portal(3, 1000)
    repository = Repository(made.server.url.removesuffix("/stream"), retry=QUICK)
    with pytest.raises(AlteredOnTheWay), exclusive_rw(machine.paths):
        repository.take(machine.device, repository.offers()[0])
    offer, begin = repository.offers()[0], made.at - 10
    made.at, made.times = 100, 1
    made.server.given.clear()
    with exclusive_rw(machine.paths):
        repository.take(machine.device, offer)
    head = begin - 3 * FRAME_BYTES
    assert made.server.given == [(0, 100), (0, head), (begin, len(made.stream))]


def test_a_proxy_of_the_configuration_or_else_of_the_environment_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def answer(request: Request) -> None:
        assert request.path == f"http://updates.example/x/{INDEX}"
        request.head(200, len(content))
        request.wfile.write(content)

    content = print_index([])
    words = ["update", "--check", "--from", "http://updates.example/x"]
    with serving(Server(answer)) as proxy, serving(Server(answer)) as other:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/a/stream"))
        machine.boot()
        assert main(words, machine.device) == 0
        policy = TrustPolicy(require_signature=False, proxy=other.url.removesuffix("/a/stream"))
        behind = Machine.make(tmp_path / "behind", machine.store, policy=policy)
        behind.boot()
        assert main(words, behind.device) == 0
    assert (proxy.requests, other.requests) == (1, 1)


def test_n1_a_medium_that_errs_is_read_again(machine: Machine, folder: Folder) -> None:
    path = folder.add(None, "three", 3)
    healing = Healing(path)
    with path.open("r+b") as file:
        file.seek(-FRAME_BYTES // 2, os.SEEK_END)
        file.write(b"x" * 512)
    progress.listen(healing)
    with exclusive_rw(machine.paths):
        assert receive_file(machine.device, path) == machine.generations["three"]
    assert healing.complaints == 1


def test_a_repository_that_has_nothing_is_told(machine: Machine, tmp_path: Path) -> None:
    machine.boot()
    assert main(["update", "--from", str(tmp_path / "no")], machine.device) == 82
    assert main(["update"], machine.device) == 82


def test_who_is_to_log_in_for_updates_is_shown_nowhere_and_not_sent(
    store: ChrootStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generation that was built before ``check`` refused it goes on to find its updates."""
    asked: list[object] = []

    def answer(request: Request) -> None:
        asked.append(request.headers["Authorization"])
        request.head(200, len(content))
        request.wfile.write(content)

    content = print_index([])
    with serving(Server(answer)) as server:
        place = server.url.removesuffix("/stream").replace("://", "://me:hunter2@")
        machine = Machine.make(tmp_path / "old", store, policy=TrustPolicy(None, False, place))
        machine.boot()
        assert main(["update", "--check"], machine.device) == 0
        content = b"no index"
        assert main(["update", "--check"], machine.device) != 0
    with pytest.raises(Unreachable) as caught:
        check(machine.device, Repository(place, retry=QUICK))
    assert "hunter2" not in str(caught.value)
    assert main(["status"], machine.device) == main(["status", "--json"], machine.device) == 0
    told = capsys.readouterr()
    assert asked == [None, None]
    assert "the agent never logs in" in told.err
    assert "minutes ago http://127.0.0.1:" in told.out
    assert "hunter2" not in told.out + told.err


def test_what_an_older_agent_noted_is_shown_without_the_password(machine: Machine) -> None:
    machine.boot()
    where = "http://me:secret@updates.example/x"
    last_check.note(machine.paths, where, 7, uptime_seconds=0)
    found = last_check.read(machine.paths)
    assert found is not None
    assert found.where == "http://updates.example/x"


def test_a_folder_without_a_way_is_told(machine: Machine, folder: Folder) -> None:
    (folder.place / INDEX).write_bytes(print_index(folder.offers[1:2]))
    with pytest.raises(Unreachable, match="no stream that this device can start from"):
        check(machine.device, Repository(str(folder.place)))
