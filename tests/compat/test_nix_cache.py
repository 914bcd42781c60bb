"""Binary caches: what Nix wrote we take, what we wrote Nix takes, signatures included."""

import base64
import contextlib
import functools
import http.server
import itertools
import lzma
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from reconix.base.http import Limits
from reconix.base.process import run
from reconix.nix import cache
from reconix.nix.cache import CacheUnusable, FolderCache, HttpCache, open_cache, pull, push
from reconix.nix.chroot import Arrival, ChrootStore, TooLarge, WrongContent
from reconix.nix.database import PathInfo
from reconix.nix.narinfo import BadNarInfo
from reconix.nix.signatures import NotTrusted, PublicKey, SecretKey
from reconix.store import nar
from reconix.store.closure import StoreObject
from reconix.store.links import LINKS
from reconix.store.nar import BadArchive
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.store.verify import verify_all

if TYPE_CHECKING:
    from .conftest import Nix

Need = Callable[..., None]
COMPRESSIONS = ("zstd", "xz", "none")


def keys(nix: "Nix") -> tuple[SecretKey, PublicKey]:
    secret = nix("nix", "key", "generate-secret", "--key-name", "test-1")
    public = nix("nix", "key", "convert-secret-to-public", stdin=secret)
    assert SecretKey.parse(secret.decode()).public() == PublicKey.parse(public.decode())
    return SecretKey.parse(secret.decode()), PublicKey.parse(public.decode())


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_we_take_what_nix_gave(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str, compression: str
) -> None:
    need("nix", "nix-build", "busybox")
    secret, public = keys(nix)
    (tmp_path / "key").write_bytes(nix_secret(secret))
    (path,) = nix.build(tmp_path / "theirs", closure_expression, "all")
    url = f"file://{tmp_path}/cache?compression={compression}&secret-key={tmp_path}/key"
    nix("nix", "copy", "--from", tmp_path / "theirs", "--to", url, str(path))
    with ChrootStore(tmp_path / "theirs") as source, ChrootStore(tmp_path / "ours") as ours:
        pull(ours, FolderCache(tmp_path / "cache"), [path], [public])
        assert ours.closure_of(path) == source.closure_of(path)
        assert verify_all(ours.store_dir, ours.closure_of(path).objects) == []


def nix_secret(secret: SecretKey) -> bytes:
    return f"{secret.name}:{base64.b64encode(secret.value).decode()}".encode()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_nix_takes_what_we_gave(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str, compression: str
) -> None:
    need("nix", "nix-build", "busybox")
    secret, public = keys(nix)
    (path,) = nix.build(tmp_path / "ours", closure_expression, "all")
    with ChrootStore(tmp_path / "ours") as ours:
        push(ours, tmp_path / "cache", [path], compression=compression, key=secret)
    (tmp_path / "theirs/nix").mkdir(parents=True)
    words = ["nix", "--option", "trusted-public-keys", str(public), "copy", "--from"]
    nix(*words, f"file://{tmp_path}/cache", "--to", tmp_path / "theirs", str(path))
    nix("nix-store", "--store", tmp_path / "theirs", "--verify", "--check-contents")
    with ChrootStore(tmp_path / "theirs") as theirs, ChrootStore(tmp_path / "ours") as ours:
        assert theirs.closure_of(path) == ours.closure_of(path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Circle(Quiet):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path + "x")
        self.end_headers()


class Endless(Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x" * 65536)


@contextlib.contextmanager
def serving(handler: Callable[..., Quiet]) -> Iterator[HttpCache]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield HttpCache(f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def given(tmp_path: Path) -> StorePath:
    """A cache with two objects, one of them not named by its content."""
    with ChrootStore(tmp_path / "source") as source:
        lib = source.add_files(File(b"lib" * 999), "lib")
        named = source.add_files(folder({"l": Symlink(str(lib))}), "by-content", [lib])
        item = source.info(named)
        other = StorePath("1" * 32, "by-input")
        moved = StoreObject(other, item.nar, item.nar_size_bytes, item.references)
        source.receive_all([Arrival(PathInfo(moved), nar.walk(source.path(named)))])
        push(source, tmp_path / "cache", [named, other])
    return named


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "small"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=8m", "none", place)
    yield place
    run("umount", place)


def free_bytes(place: Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def refused(tmp_path: Path, where: cache.Cache, path: StorePath, match: str) -> None:
    errors = (CacheUnusable, BadNarInfo, BadArchive, WrongContent, TooLarge)
    with ChrootStore(tmp_path / "target") as target:
        with pytest.raises(errors, match=match):
            pull(target, where, [path])
        assert not target.is_valid(path)
        valid = [one.basename for one in target.database.valid_paths()]
        assert sorted(one.name for one in target.store_dir.iterdir()) == sorted([LINKS, *valid])


def change(tmp_path: Path, path: StorePath, old: str, new: str) -> FolderCache:
    name = tmp_path / "cache" / f"{path.hash}.narinfo"
    text = name.read_text()
    assert old in text
    name.write_text(text.replace(old, new))
    return FolderCache(tmp_path / "cache")


def archive(tmp_path: Path, path: StorePath) -> Path:
    found = cache.describe(FolderCache(tmp_path / "cache"), path)
    return tmp_path / "cache" / found.url


def test_http_gives_what_the_folder_gives(given: StorePath, tmp_path: Path) -> None:
    handler = functools.partial(Quiet, directory=str(tmp_path / "cache"))
    with serving(handler) as server, ChrootStore(tmp_path / "target") as target:
        pull(target, server, [given])
        assert verify_all(target.store_dir, target.closure_of(given).objects) == []


def test_a_missing_signature_is_refused(given: StorePath, tmp_path: Path) -> None:
    other = StorePath("1" * 32, "by-input")
    key = PublicKey("test", bytes(32))
    with ChrootStore(tmp_path / "target") as target:
        with pytest.raises(NotTrusted, match="by-input is not signed"):
            pull(target, FolderCache(tmp_path / "cache"), [other], [key])
        assert target.database.valid_paths() == set()


def test_a_signature_of_another_content_is_refused(
    need: Need, nix: "Nix", given: StorePath, tmp_path: Path
) -> None:
    need("nix")
    secret, public = keys(nix)
    other = StorePath("1" * 32, "by-input")
    with ChrootStore(tmp_path / "source") as source:
        wrong = secret.sign(source.path_info(given))
        right = secret.sign(source.path_info(other))
    with ChrootStore(tmp_path / "target") as target:
        where = change(tmp_path, other, "References:", f"Sig: {wrong}\nReferences:")
        with pytest.raises(NotTrusted):
            pull(target, where, [other], [public])
        change(tmp_path, other, "References:", f"Sig: {right}\nReferences:")
        with pytest.raises(NotTrusted):
            pull(target, where, [other], [PublicKey("test-2", public.value)])
        pull(target, where, [other], [public])
        assert target.is_valid(other)


def test_a_wrong_size_is_refused(given: StorePath, tmp_path: Path) -> None:
    size = archive(tmp_path, given).stat().st_size
    where = change(tmp_path, given, f"FileSize: {size}", f"FileSize: {size + 1}")
    refused(tmp_path, where, given, f"has {size} bytes, announced: {size + 1}")


def test_a_body_longer_than_announced_is_refused(given: StorePath, tmp_path: Path) -> None:
    size = archive(tmp_path, given).stat().st_size
    where = change(tmp_path, given, f"FileSize: {size}", f"FileSize: {size - 1}")
    refused(tmp_path, where, given, "larger than the announced")


def test_bytes_behind_an_archive_are_refused(given: StorePath, tmp_path: Path) -> None:
    name = archive(tmp_path, given)
    name.write_bytes(name.read_bytes() + b"more")
    refused(tmp_path, FolderCache(tmp_path / "cache"), given, "larger than the announced")


def test_a_wrong_hash_is_refused(given: StorePath, tmp_path: Path) -> None:
    where = (
        change(tmp_path, given, "FileHash: sha256:0", "FileHash: sha256:1")
        if ("FileHash: sha256:0" in (tmp_path / "cache" / f"{given.hash}.narinfo").read_text())
        else change(tmp_path, given, "FileHash: sha256:1", "FileHash: sha256:0")
    )
    refused(tmp_path, where, given, "announced: sha256")


def test_a_truncated_archive_is_refused(given: StorePath, tmp_path: Path) -> None:
    name = archive(tmp_path, given)
    name.write_bytes(name.read_bytes()[:-9])
    refused(tmp_path, FolderCache(tmp_path / "cache"), given, "truncated|unpacked|announced")


def test_noise_instead_of_an_archive_is_refused(given: StorePath, tmp_path: Path) -> None:
    name = archive(tmp_path, given)
    name.write_bytes(b"x" * name.stat().st_size)
    refused(tmp_path, FolderCache(tmp_path / "cache"), given, "cannot be unpacked")


def test_an_archive_of_another_object_is_refused(given: StorePath, tmp_path: Path) -> None:
    found = cache.describe(FolderCache(tmp_path / "cache"), given)
    size = found.info.object.nar_size_bytes
    where = change(tmp_path, given, f"NarSize: {size}", f"NarSize: {size - 8}")
    refused(tmp_path, where, given, "larger unpacked than announced")


@pytest.mark.parametrize("announced", [1 << 62, cache.MAX_OBJECT_BYTES + 1])
def test_a_size_that_nothing_has_is_refused(
    given: StorePath, tmp_path: Path, announced: int
) -> None:
    size = cache.describe(FolderCache(tmp_path / "cache"), given).info.object.nar_size_bytes
    where = change(tmp_path, given, f"NarSize: {size}", f"NarSize: {announced}")
    refused(tmp_path, where, given, f"announces {announced} bytes, more than")


def test_what_there_is_no_room_for_is_refused_before_it_is_read(
    given: StorePath, tmp_path: Path, small_disk: Path
) -> None:
    where = FolderCache(tmp_path / "cache")
    found = cache.describe(where, given)
    change(tmp_path, given, f"NarSize: {found.info.object.nar_size_bytes}", f"NarSize: {24 << 20}")
    (tmp_path / "cache" / found.url).unlink()
    refused(small_disk, where, given, r"needs more room than there is: 2516\d+ bytes")


def test_a_cache_does_not_lead_on_for_ever(
    given: StorePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_OBJECTS", 1)
    refused(tmp_path, FolderCache(tmp_path / "cache"), given, "refers to more than 1 objects")


def test_a_bomb_of_small_files_leaves_room_for_others(tmp_path: Path, small_disk: Path) -> None:
    """Its archive has 1 MiB, packed a twentieth of that; its files need 12 MiB."""
    with ChrootStore(tmp_path / "source") as source:
        files: dict[str, Node] = {f"{n:05}": File(b"%d" % n) for n in range(3000)}
        bomb = source.add_files(folder(files), "bomb")
        push(source, tmp_path / "cache", [bomb])
        assert source.info(bomb).nar_size_bytes < 2 << 20
    before = free_bytes(small_disk)
    refused(small_disk, FolderCache(tmp_path / "cache"), bomb, "needs more room")
    assert free_bytes(small_disk) > before - (1 << 20)


def test_what_is_repaired_is_not_larger_than_what_it_was(given: StorePath, tmp_path: Path) -> None:
    size = 1 << 40
    begin = nar.FileBegin(size_bytes=size, executable=False)
    more: Iterator[nar.Event] = itertools.repeat(nar.Content(bytes(1 << 16)))
    endless = itertools.chain([begin], more)
    with ChrootStore(tmp_path / "source") as source, pytest.raises(TooLarge, match="is larger"):
        source.replace(given, endless)


def test_an_archive_does_not_decide_how_much_memory_it_takes(
    given: StorePath, tmp_path: Path
) -> None:
    name = archive(tmp_path, given)
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    with zstandard.open(name) as packed:
        content = packed.read()
    name.write_bytes(lzma.compress(content, filters=greedy))
    text = (tmp_path / "cache" / f"{given.hash}.narinfo").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("File")]
    (tmp_path / "cache" / f"{given.hash}.narinfo").write_text("\n".join(lines) + "\n")
    where = change(tmp_path, given, "Compression: zstd", "Compression: xz")
    refused(tmp_path, where, given, "cannot be unpacked: Memory usage limit")


@pytest.mark.parametrize("what", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X"])
def test_a_server_that_keeps_us_busy_is_given_up(tmp_path: Path, what: bytes) -> None:
    class Drip(Quiet):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(what)
                    time.sleep(0.02)

    with serving(Drip) as server:
        hurried = HttpCache(server.url, limits=Limits(0.3, 0.3))
        refused(tmp_path, hurried, StorePath("2" * 32, "x"), "timed out")


def test_a_file_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    with serving(Endless) as server:
        hurried = HttpCache(server.url, total_seconds=0.0)
        refused(tmp_path, hurried, StorePath("2" * 32, "x"), "timed out")


def test_a_redirection_to_no_address_is_refused(tmp_path: Path) -> None:
    class Lost(Quiet):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://a..b/")
            self.end_headers()

    with serving(Lost) as server:
        refused(tmp_path, server, StorePath("2" * 32, "x"), "not the address of a web server")


def test_an_unknown_compression_is_refused(given: StorePath, tmp_path: Path) -> None:
    where = change(tmp_path, given, "Compression: zstd", "Compression: rar")
    refused(tmp_path, where, given, "unknown compression 'rar'")


@pytest.mark.parametrize("url", ["/etc/passwd", "../x", "nar/../../x", "http://x/y"])
def test_an_archive_outside_of_the_cache_is_refused(
    url: str, given: StorePath, tmp_path: Path
) -> None:
    found = cache.describe(FolderCache(tmp_path / "cache"), given)
    where = change(tmp_path, given, f"URL: {found.url}", f"URL: {url}")
    refused(tmp_path, where, given, "does not lie in the cache")


def test_a_description_of_something_else_is_refused(given: StorePath, tmp_path: Path) -> None:
    where = change(tmp_path, given, given.name, "another")
    refused(tmp_path, where, given, "is about")


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    path = StorePath("2" * 32, "nothing")
    refused(tmp_path, FolderCache(tmp_path / "cache"), path, f"{path.hash}.narinfo: is not there")


def test_a_circle_of_redirections_ends(tmp_path: Path) -> None:
    with serving(Circle) as server:
        refused(tmp_path, server, StorePath("2" * 32, "x"), "more than 5 redirections")


def test_an_endless_description_is_cut(tmp_path: Path) -> None:
    with serving(Endless) as server:
        refused(tmp_path, server, StorePath("2" * 32, "x"), "is larger than 1048576 bytes")


@pytest.mark.parametrize("url", ["ftp://x", "/folder", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CacheUnusable, match="is not the address"):
        open_cache(url)
