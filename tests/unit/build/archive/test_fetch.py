import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.heard import Heard

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.progress import Stage
from reconix.build.archive.apt import address_of
from reconix.build.archive.fetch import (
    Locations,
    PackagesGone,
    WrongContent,
    cached_path,
    fetch,
    locate,
    snapshot_dates,
)
from reconix.build.archive.retry import DownloadFailed, RetryPolicy
from reconix.build.archive.transport import Route
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.archives import OtherArchive
from reconix.config.schema.project import Archive, Project

HURRY = RetryPolicy(attempts=2, pause_seconds=0, grace_seconds=5)
CONTENT = b"a package" * 1000
PATH = "pool/main/x/x/x_1.0+b1~rc_all.deb"


def package(name: str = "xx", content: bytes = CONTENT, path: str = PATH) -> LockedPackage:
    return LockedPackage(
        name=name,
        version="1.0+b1~rc",
        architecture="all",
        size_bytes=len(content),
        sha256=Digest.of(content),
        archive="debian",
        path=path,
        date="20260912T235541Z",
    )


Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A real server on loopback that answers as it is told, path by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.connections = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.answers.get(self.path, say(404))(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"


def say(status: int, content: bytes = b"", *, length: int | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = length is not None

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"more " * 10000)
    except ConnectionError:
        handler.close_connection = True


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def here(server: Server, *, snapshot: bool = False) -> Callable[[], Locations]:
    template = f"{server.address}/old/{{archive}}/{{date}}" if snapshot else None
    return lambda: Locations(
        {"debian": f"{server.address}/debian"}, template, Route(timeout_seconds=2)
    )


def nowhere() -> Locations:
    raise AssertionError("the network was asked")


def test_a_fetched_file_is_what_the_lock_names_and_lies_under_its_hash(
    server: Server, tmp_path: Path
) -> None:
    server.answers[f"/debian/{PATH}"] = say(200, CONTENT)
    paths = fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    assert paths[package()] == cached_path(tmp_path, Digest.of(CONTENT))
    assert paths[package()].read_bytes() == CONTENT


def test_what_is_cached_needs_no_network(server: Server, tmp_path: Path) -> None:
    server.answers[f"/debian/{PATH}"] = say(200, CONTENT)
    fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    paths = fetch([package()], nowhere, cache=tmp_path, retry=HURRY)
    assert paths[package()].read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.answers[f"/debian/{PATH}"] = say(200, CONTENT)
    path = fetch([package()], here(server), cache=tmp_path, retry=HURRY)[package()]
    path.write_bytes(CONTENT[:-1] + b"!")
    fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    assert path.read_bytes() == CONTENT


def test_wrong_content_stops_with_both_hashes_and_leaves_nothing(
    server: Server, tmp_path: Path
) -> None:
    other = b"A" + CONTENT[1:]
    server.answers[f"/debian/{PATH}"] = say(200, other)
    with pytest.raises(WrongContent) as failure:
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    assert Digest.of(CONTENT).hex() in str(failure.value)
    assert Digest.of(other).hex() in str(failure.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "lock"]
    assert len(server.asked) == 1


def test_an_endless_answer_is_cut_off_at_the_locked_size(server: Server, tmp_path: Path) -> None:
    server.answers[f"/debian/{PATH}"] = endless
    with pytest.raises(WrongContent, match="expected 9000 bytes, found more"):
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)


def test_a_truncated_answer_is_asked_for_again_and_then_given_up(
    server: Server, tmp_path: Path
) -> None:
    server.answers[f"/debian/{PATH}"] = say(200, CONTENT[:100], length=len(CONTENT))
    with pytest.raises(DownloadFailed, match="only 100 of 9000 bytes came"):
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    assert len(server.asked) == HURRY.attempts


def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: Path) -> None:
    def recover(handler: BaseHTTPRequestHandler) -> None:
        server.answers[handler.path] = say(200, CONTENT)
        say(503)(handler)

    server.answers[f"/debian/{PATH}"] = recover
    assert fetch([package()], here(server), cache=tmp_path, retry=HURRY)


def test_a_silent_server_is_given_up(server: Server, tmp_path: Path) -> None:
    done = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        done.wait(20)
        handler.close_connection = True

    server.answers[f"/debian/{PATH}"] = wait
    route = Route(timeout_seconds=0.1)
    locations = Locations({"debian": f"{server.address}/debian"}, route=route)
    with pytest.raises(DownloadFailed, match="timed out"):
        fetch([package()], lambda: locations, cache=tmp_path, retry=HURRY)
    done.set()


def test_a_server_that_drips_is_given_up(server: Server, tmp_path: Path) -> None:
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        while not done.wait(0.02):
            try:
                handler.wfile.write(b"x")
            except ConnectionError:
                break
        handler.close_connection = True

    server.answers[f"/debian/{PATH}"] = drip
    impatient = RetryPolicy(attempts=1, grace_seconds=0.2, least_bytes_per_second=1 << 20)
    with pytest.raises(DownloadFailed, match="too slow"):
        fetch([package()], here(server), cache=tmp_path, retry=impatient)
    done.set()


@pytest.mark.parametrize("more", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X"])
def test_a_head_that_does_not_end_is_given_up(server: Server, tmp_path: Path, more: bytes) -> None:
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        while not done.wait(0.02):
            try:
                handler.wfile.write(more)
            except ConnectionError:
                break

    server.answers[f"/debian/{PATH}"] = drip
    locations = Locations({"debian": f"{server.address}/debian"}, route=Route(timeout_seconds=0.2))
    with pytest.raises(DownloadFailed, match="timed out"):
        fetch([package()], lambda: locations, cache=tmp_path, retry=HURRY)
    done.set()


@pytest.mark.parametrize("where", ["http://a..b/", "http://[::1/", "http://127.0.0.1:99999/"])
def test_a_redirect_to_no_address_is_told(server: Server, tmp_path: Path, where: str) -> None:
    server.answers[f"/debian/{PATH}"] = redirect(where)
    with pytest.raises(DownloadFailed, match="not the address of a web server"):
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)


def test_the_proxy_that_the_environment_names_is_asked(
    server: Server, tmp_path: Path, need: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("apt-get")
    monkeypatch.setenv("APT_CONFIG", "/dev/null")
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("no_proxy", "direct.example")
    server.answers[f"http://archive.example/{PATH}"] = say(200, CONTENT)
    archive = Archive(main="http://archive.example", security="http://direct.example")
    project = Project(name="test", archive=archive)
    where = locate(project, tmp_path)
    assert fetch([package()], lambda: where, cache=tmp_path, retry=HURRY)
    route = where.route
    assert route.proxies["no"] == "direct.example"


def test_what_is_no_proxy_is_told_without_the_password(tmp_path: Path) -> None:
    route = Route({"http": "socks5://me:secret@proxy.example"})
    locations = Locations({"debian": "http://archive.example"}, route=route)
    with pytest.raises(DownloadFailed, match=r"proxy\.example") as failure:
        fetch([package()], lambda: locations, cache=tmp_path, retry=HURRY)
    assert "secret" not in str(failure.value)


def test_an_address_where_nobody_listens_is_told(tmp_path: Path) -> None:
    locations = Locations({"debian": "http://127.0.0.1:1/debian"})
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1:1/debian/pool"):
        fetch([package()], lambda: locations, cache=tmp_path, retry=HURRY)


def test_a_circle_of_redirects_ends(server: Server, tmp_path: Path) -> None:
    server.answers[f"/debian/{PATH}"] = redirect(f"/debian/{PATH}")
    with pytest.raises(DownloadFailed, match="more than 5 redirections"):
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)
    assert len(server.asked) == 6 * HURRY.attempts


def test_a_redirect_is_followed_but_not_to_files_of_this_machine(
    server: Server, tmp_path: Path
) -> None:
    server.answers[f"/debian/{PATH}"] = redirect("/elsewhere")
    server.answers["/elsewhere"] = say(200, CONTENT)
    assert fetch([package()], here(server), cache=tmp_path / "one", retry=HURRY)
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    server.answers[f"/debian/{PATH}"] = redirect(secret.as_uri())
    with pytest.raises(DownloadFailed, match="not the address of a web server"):
        fetch([package()], here(server), cache=tmp_path / "two", retry=HURRY)


def test_a_gone_file_is_taken_from_the_dated_archive(server: Server, tmp_path: Path) -> None:
    dated = f"/old/debian/{package().date}/{PATH}"
    server.answers[dated] = say(200, CONTENT)
    paths = fetch([package()], here(server, snapshot=True), cache=tmp_path, retry=HURRY)
    assert paths[package()].read_bytes() == CONTENT
    assert server.asked == [f"/debian/{PATH}", dated]


def test_dated_archives_have_what_is_debians_and_nothing_else(tmp_path: Path) -> None:
    archive = Archive(
        main="http://archive.example",
        security="http://security.example",
        snapshot="http://dated.example/{archive}/{date}",
    )
    backports = OtherArchive(suites=("trixie-backports",), packages=("nginx",))
    vendor = OtherArchive(url="file:../repo", suites=("./",), packages=("*",), trusted=True)
    others = {"backports": backports, "vendor": vendor}
    where = locate(Project(name="test", archive=archive, archives=others), tmp_path / "a b")

    def asked(archive: str, date: str = "20260912T000000Z") -> list[str]:
        return list(where.addresses(replace(package(path="p.deb"), archive=archive, date=date)))

    assert asked("backports") == [
        "http://archive.example/p.deb",
        "http://dated.example/debian/20260912T000000Z/p.deb",
        "http://dated.example/debian/20260913T000000Z/p.deb",
    ]
    assert asked("vendor") == [f"file:{tmp_path}/repo/p.deb"]
    assert asked("project", "") == [f"file:{tmp_path}/a%20b/p.deb"]


def test_a_folder_has_files_as_a_server_has(tmp_path: Path) -> None:
    (tmp_path / "a b/pool").mkdir(parents=True)
    locations = Locations({"debian": address_of(tmp_path / "a b")})
    wanted = package(path="pool/x_1+b1~rc.deb")
    for cache, content, error in (
        ("one", None, PackagesGone),
        ("two", CONTENT[1:], DownloadFailed),
        ("three", CONTENT + b"x", WrongContent),
    ):
        if content is not None:
            (tmp_path / "a b" / wanted.path).write_bytes(content)
        with pytest.raises(error):
            fetch([wanted], lambda: locations, cache=tmp_path / cache, retry=HURRY)
    (tmp_path / "a b" / wanted.path).write_bytes(CONTENT)
    found = fetch([wanted], lambda: locations, cache=tmp_path / "four", retry=HURRY)
    assert found[wanted].read_bytes() == CONTENT


def test_the_dated_archive_is_also_asked_for_the_day_after(server: Server, tmp_path: Path) -> None:
    server.answers[f"/old/debian/20260913T235541Z/{PATH}"] = say(200, CONTENT)
    assert fetch([package()], here(server, snapshot=True), cache=tmp_path, retry=HURRY)
    assert snapshot_dates("20261231T000000Z") == ("20261231T000000Z", "20270101T000000Z")


@pytest.mark.parametrize("snapshot", [True, False])
def test_one_error_names_all_packages_that_are_gone(
    server: Server, tmp_path: Path, *, snapshot: bool
) -> None:
    wanted = [package(f"p{n}", b"%d" % n, f"pool/main/p/p{n}.deb") for n in range(3)]
    server.answers["/debian/pool/main/p/p1.deb"] = say(200, b"1")
    server.answers["/debian/pool/main/p/p2.deb"] = say(410)
    with pytest.raises(PackagesGone, match=r"p0 1\.0\+b1~rc, p2 1\.0\+b1~rc") as failure:
        fetch(wanted, here(server, snapshot=snapshot), cache=tmp_path, retry=HURRY)
    assert "reconix lock" in failure.value.hint
    assert ("archive.snapshot" in failure.value.hint) is not snapshot
    assert cached_path(tmp_path, wanted[1].sha256).read_bytes() == b"1"


def test_many_files_come_over_few_connections(server: Server, tmp_path: Path) -> None:
    wanted = [package(f"p{n}", b"%d" % n * 500, f"pool/p/p{n}.deb") for n in range(40)]
    for number, each in enumerate(wanted):
        server.answers[f"/debian/{each.path}"] = say(200, b"%d" % number * 500)
    fetch(wanted, here(server), cache=tmp_path, retry=HURRY)
    assert len(server.asked) == 40
    assert server.connections <= 4


def test_trouble_with_the_disk_is_not_blamed_on_the_server(server: Server, tmp_path: Path) -> None:
    server.answers[f"/debian/{PATH}"] = say(200, CONTENT)
    cached_path(tmp_path, Digest.of(CONTENT)).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        fetch([package()], here(server), cache=tmp_path, retry=HURRY)


def test_bytes_are_counted_as_they_come_and_once_each(server: Server, tmp_path: Path) -> None:
    """What came before a link broke comes again."""
    large = b"x" * 300_000
    answers = iter([say(200, large[:200_000], length=len(large)), say(200, large)])
    server.answers[f"/debian/{PATH}"] = lambda handler: next(answers)(handler)
    progress.listen(heard := Counted())
    fetch([package(content=large)], here(server), cache=tmp_path, retry=HURRY)
    assert heard.stages == {"fetch 1 package": (300_000, 300_000)}
    assert heard.advances > 3, "as they come"
    assert heard.details == ["xx 1.0+b1~rc"] * 2


class Counted(Heard):
    """Also counts how often something came, and remembers what was being done."""

    def __init__(self) -> None:
        super().__init__()
        self.advances, self.details = 0, list[str]()

    def begin(self, what: str, total: int | None) -> Stage:
        stage = super().begin(what, total)
        return Counting(self, stage)

    def doing(self, what: str) -> None:
        self.details.append(what)


class Counting:
    def __init__(self, counted: Counted, stage: Stage) -> None:
        self._counted, self._stage = counted, stage

    def advance(self, amount: int) -> None:
        self._counted.advances += 1
        self._stage.advance(amount)
