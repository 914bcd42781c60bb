"""Binary caches: what Nix wrote we take, what we wrote Nix takes, signatures included."""

import base64
import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconix.nix import cache
from reconix.nix.cache import CacheUnusable, FolderCache, HttpCache, open_cache, pull, push
from reconix.nix.chroot import Arrival, ChrootStore, WrongContent
from reconix.nix.database import PathInfo
from reconix.nix.narinfo import BadNarInfo
from reconix.nix.signatures import NotTrusted, PublicKey, SecretKey
from reconix.store import nar
from reconix.store.links import LINKS
from reconix.store.manifest import StoreObject
from reconix.store.nar import BadArchive
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder
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
        assert ours.manifest(path) == source.manifest(path)
        assert verify_all(ours.store_dir, ours.manifest(path).objects) == []


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
        assert theirs.manifest(path) == ours.manifest(path)


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


def refused(tmp_path: Path, where: cache.Cache, path: StorePath, match: str) -> None:
    errors = (CacheUnusable, BadNarInfo, BadArchive, WrongContent)
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
        assert verify_all(target.store_dir, target.manifest(given).objects) == []


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
        refused(tmp_path, server, StorePath("2" * 32, "x"), "302")


def test_an_endless_description_is_cut(tmp_path: Path) -> None:
    with serving(Endless) as server:
        refused(tmp_path, server, StorePath("2" * 32, "x"), "is larger than 1048576 bytes")


@pytest.mark.parametrize("url", ["ftp://x", "/folder", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CacheUnusable, match="is no address"):
        open_cache(url)
