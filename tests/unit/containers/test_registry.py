"""Registries that lie, send elsewhere, stall, or want a log-in."""

import base64
import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Request, Server, serving

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.build.archive.retry import DownloadFailed, RetryPolicy
from reconix.build.archive.transport import Route
from reconix.config.image_reference import InRegistry
from reconix.containers.descriptors import OCI_MANIFEST, BadImage, Descriptor
from reconix.containers.images import Document
from reconix.containers.logins import Logins
from reconix.containers.registry import Access, NotThere, Registry, RegistryRefused

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST}).encode()
BLOB = b"a layer" * 1000
LAYER = Descriptor("", Digest.of(BLOB), len(BLOB))
HURRY = RetryPolicy(attempts=2, pause_seconds=0)
PASSWORD = "hunter2"
Behave = Callable[[Request], None]


def host_of(server: Server) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


@contextlib.contextmanager
def registry(
    behave: Behave, content: bytes = BLOB, *, access: Access | None = None, digest: bool = False
) -> Iterator[Registry]:
    with serving(Server(behave, content)) as server:
        wanted = Digest.of(MANIFEST) if digest else None
        reference = InRegistry(host_of(server), "a/b", "1", wanted)
        with closing(Registry(reference, access or Access(retry=HURRY))) as source:
            yield source


def copied(source: Registry) -> bytes:
    file = io.BytesIO()
    source.copy(LAYER, file)
    return file.getvalue()


def logged_in(folder: Path, host: str) -> Access:
    auth = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return Access(logins=Logins((folder / "auth.json",)), retry=HURRY)


def keeps_silent(error: ReconixError) -> bool:
    said, cause = "", error
    while cause:
        said += f"{cause} {getattr(cause, 'hint', '')} {cause!r}"
        cause = cause.__cause__  # type: ignore[assignment]
    secrets = (PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode(), "t0ken")
    return not any(secret in said for secret in secrets)


def right(request: Request) -> None:
    request.right()


def test_what_is_asked_for_comes(tmp_path: Path) -> None:
    asked = []

    def behave(request: Request) -> None:
        asked.append(request.path)
        request.right()

    with registry(behave) as source:
        assert copied(source) == BLOB
    assert asked == [f"/v2/a/b/blobs/{LAYER.digest}"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BLOB[:-1] + b"?", f"what came for {LAYER.digest} is something else: found sha256"),
        (BLOB + b"?", f"for {LAYER.digest} is something else: expected 7000 bytes, found more"),
        (b"x" * 7000, f"what came for {LAYER.digest} is something else: found"),
    ],
)
def test_another_blob_is_refused_at_its_digest(content: bytes, why: str) -> None:
    with registry(right, content) as source, pytest.raises(BadImage, match=why):
        copied(source)


def test_a_blob_without_end_is_given_up(tmp_path: Path) -> None:
    def behave(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            while True:
                request.wfile.write(bytes(1 << 16))

    with registry(behave) as source, pytest.raises(BadImage, match="found more"):
        copied(source)


def test_a_blob_that_is_too_short_is_asked_for_again() -> None:
    lengths = [100, 7000]
    with registry(lambda request: request.right(lengths.pop(0))) as source:
        assert copied(source) == BLOB
    with (
        registry(right, BLOB[:100]) as source,
        pytest.raises(DownloadFailed, match="only 100 of 7000 bytes came"),
    ):
        copied(source)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_is_busy_is_asked_again(status: int) -> None:
    answers = [status, 200]

    def behave(request: Request) -> None:
        if (answer := answers.pop(0)) == 200:
            request.right()
        else:
            request.head(answer, 0)

    with registry(behave) as source:
        assert copied(source) == BLOB
    assert not answers


@pytest.mark.parametrize(
    ("status", "kind", "why"),
    [
        (404, NotThere, r"there is no 127\.0\.0\.1:\d+/a/b/manifests/1"),
        (400, RegistryRefused, "the registry answered 400"),
        (401, RegistryRefused, "wants a log-in"),
        (403, RegistryRefused, "wants a log-in"),
    ],
)
def test_what_is_refused_is_not_asked_for_again(
    status: int, kind: type[ReconixError], why: str
) -> None:
    count = []

    def behave(request: Request) -> None:
        count.append(1)
        request.head(status, 0)

    with registry(behave) as source, pytest.raises(kind, match=why):
        source.top()
    assert len(count) == 1


def test_a_registry_that_stalls_is_given_up() -> None:
    access = Access(Route(timeout_seconds=0.2), retry=RetryPolicy(attempts=1))

    def behave(request: Request) -> None:
        request.head(200, len(BLOB))
        request.give(0, 10)
        time.sleep(3)

    with (
        registry(behave, access=access) as source,
        pytest.raises(DownloadFailed, match="timed out"),
    ):
        copied(source)


def top_of(content: bytes, *, digest: bool = False, **headers: str) -> Document:
    def behave(request: Request) -> None:
        request.head(200, len(content), **headers)
        with contextlib.suppress(OSError):
            request.wfile.write(content)

    with registry(behave, digest=digest) as source:
        return source.top()


def test_a_manifest_is_what_a_digest_says() -> None:
    found = top_of(MANIFEST, digest=True, Content_Type=f"{OCI_MANIFEST}; charset=utf-8")
    assert (found.content, found.media_type) == (MANIFEST, OCI_MANIFEST)
    with pytest.raises(BadImage, match=f"is something else: found {Digest.of(b'other')}"):
        top_of(b"other", digest=True)


def test_a_registry_that_calls_a_manifest_by_another_digest_is_not_believed() -> None:
    with pytest.raises(BadImage, match="but the registry calls it sha256:0000"):
        top_of(MANIFEST, Docker_Content_Digest=f"sha256:{'0' * 64}")


def test_a_manifest_of_more_than_four_mebibytes_is_refused() -> None:
    with pytest.raises(BadImage, match="manifests/1 is larger than 4194304 bytes"):
        top_of(b" " * ((4 << 20) + 1))


def test_half_a_manifest_is_none() -> None:
    def behave(request: Request) -> None:
        request.head(200, 100)
        request.wfile.write(MANIFEST[:20])

    with registry(behave) as source, pytest.raises(DownloadFailed, match="did not come"):
        source.top()


def test_who_it_redirects_to_is_not_told_the_log_in(tmp_path: Path) -> None:
    told = []

    def elsewhere(request: Request) -> None:
        told.append(request.headers.get("Authorization"))
        request.right()

    with serving(Server(elsewhere, BLOB)) as other:

        def behave(request: Request) -> None:
            if "Authorization" in request.headers:
                request.head(307, 0, Location=f"http://{host_of(other)}/there")
            else:
                request.head(401, 0, WWW_Authenticate='Basic realm="x"')

        with serving(Server(behave)) as server:
            host = host_of(server)
            with closing(Registry(InRegistry(host, "a", "1"), logged_in(tmp_path, host))) as source:
                assert copied(source) == BLOB
    assert told == [None]


def test_a_wrong_password_is_told_once_and_in_no_message(tmp_path: Path) -> None:
    told = []

    def behave(request: Request) -> None:
        told.append(request.headers.get("Authorization"))
        request.head(401, 0, WWW_Authenticate='Basic realm="x"')

    with serving(Server(behave)) as server:
        host = host_of(server)
        with (
            closing(Registry(InRegistry(host, "a", "1"), logged_in(tmp_path, host))) as source,
            pytest.raises(RegistryRefused, match="does not let a be read") as caught,
        ):
            source.top()
    assert len(told) == 2 and keeps_silent(caught.value)


@pytest.mark.parametrize("challenge", ["Negotiate", "Bearer", ""])
def test_a_registry_that_wants_something_else_is_not_told_the_password(
    tmp_path: Path, challenge: str
) -> None:
    told = []

    def behave(request: Request) -> None:
        told.append(request.headers.get("Authorization"))
        request.head(401, 0, WWW_Authenticate=challenge)

    with serving(Server(behave)) as server:
        host = host_of(server)
        with (
            closing(Registry(InRegistry(host, "a", "1"), logged_in(tmp_path, host))) as source,
            pytest.raises(RegistryRefused, match="a log-in of a kind that is not supported"),
        ):
            source.top()
    assert told == [None]


@contextlib.contextmanager
def behind_a_proxy(folder: Path, realm: str, host: str) -> Iterator[tuple[Registry, list[str]]]:
    """A registry with a name, which sends elsewhere for a token; and who was asked."""
    asked = []

    def behave(request: Request) -> None:
        asked.append(request.path)
        if "Authorization" in request.headers and "/v2/" not in request.path:
            body = b'{"token": "t0ken"}'
            request.head(200, len(body))
            request.wfile.write(body)
        elif request.headers.get("Authorization") == "Bearer t0ken":
            request.right()
        else:
            request.head(401, 0, WWW_Authenticate=f'Bearer realm="{realm}"')

    with serving(Server(behave, BLOB)) as server:
        route = Route({"http": f"http://{host_of(server)}", "https": "http://127.0.0.1:1"})
        logins = logged_in(folder, host).logins
        access = Access(route, logins, frozenset({host}), HURRY)
        with closing(Registry(InRegistry(host, "a", "1"), access)) as source:
            yield source, asked


@pytest.mark.parametrize(
    ("realm", "why"),
    [
        ("http://tokens.example.com/", r"sends to tokens\.example\.com for tokens, without TLS"),
        ("http://127.0.0.1:9/", r"sends to this machine for tokens: 127\.0\.0\.1:9"),
        ("https://localhost/", "sends to this machine for tokens: localhost"),
        ("ftp://tokens.example.com/", "names no server for tokens"),
        ("tokens", "names no server for tokens"),
        ("https://tokens.example.com:99999/", "names no server for tokens"),
    ],
)
def test_a_password_is_told_to_no_server_that_all_can_listen_to(
    tmp_path: Path, realm: str, why: str
) -> None:
    with (
        behind_a_proxy(tmp_path, realm, "registry.example.com") as (source, asked),
        pytest.raises(RegistryRefused, match=why) as caught,
    ):
        copied(source)
    assert len(asked) == 1 and keeps_silent(caught.value)


def test_a_token_is_got_from_the_registry_itself(tmp_path: Path) -> None:
    realm = "http://registry.example.com/token"
    with behind_a_proxy(tmp_path, realm, "registry.example.com") as (source, asked):
        assert copied(source) == BLOB
        assert copied(source) == BLOB
    assert asked[1] == f"{realm}?scope=repository:a:pull"
    assert len(asked) == 4, "the token is used again"


IDENTITY = "hunter2 & more/+="


def with_identity(folder: Path, host: str) -> Access:
    entry = {"auth": "", "identitytoken": IDENTITY}
    (folder / "auth.json").write_text(json.dumps({"auths": {host: entry}}))
    return Access(logins=Logins((folder / "auth.json",)), retry=HURRY)


@contextlib.contextmanager
def of_a_cloud(
    folder: Path, answer: Callable[[Request], None], challenge: str = ""
) -> Iterator[tuple[Registry, list[Any]]]:
    """A registry for which only a token gets tokens; and what its server was sent."""
    sent: list[Any] = []

    def behave(request: Request) -> None:
        if request.path == "/token":
            sent.append((request.command, request.form, request.headers.get("Authorization")))
            answer(request)
        elif request.headers.get("Authorization") == "Bearer t0ken":
            request.right()
        else:
            realm = f'Bearer realm="http://{request.headers["Host"]}/token",service="it"'
            request.head(401, 0, WWW_Authenticate=challenge or realm)

    with serving(Server(behave, BLOB)) as server:
        host = host_of(server)
        reference = InRegistry(host, "a", "1")
        with closing(Registry(reference, with_identity(folder, host))) as source:
            yield source, sent


def giving(body: bytes, status: int = 200) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.head(status, len(body), Location="http://127.0.0.1:1/")
        request.wfile.write(body)

    return answer


def test_a_token_for_getting_tokens_is_sent_as_a_form(tmp_path: Path) -> None:
    """To the server that the registry names; never in an address, and to nobody else."""
    with of_a_cloud(tmp_path, giving(b'{"access_token": "t0ken"}')) as (source, sent):
        assert copied(source) == BLOB
        assert copied(source) == BLOB
    form = {
        "grant_type": ["refresh_token"],
        "client_id": ["reconix"],
        "service": ["it"],
        "scope": ["repository:a:pull"],
        "refresh_token": [IDENTITY],
    }
    assert sent == [("POST", form, None)]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b'{"error": "invalid_grant: hunter2"}', 400, "does not let a be read"),
        (b"hunter2", 401, "does not let a be read"),
        (b'{"access_token": ""}', 200, "gave no token"),
        (b"", 307, "it redirects what was sent to it"),
    ],
)
def test_a_token_that_gets_none_is_in_no_message(
    tmp_path: Path, body: bytes, status: int, why: str
) -> None:
    with (
        of_a_cloud(tmp_path, giving(body, status)) as (source, sent),
        pytest.raises(RegistryRefused, match=why) as caught,
    ):
        source.top()
    assert len(sent) == 1 and keeps_silent(caught.value)


def test_a_registry_that_wants_a_password_is_not_told_a_token(tmp_path: Path) -> None:
    with (
        of_a_cloud(tmp_path, giving(b""), 'Basic realm="x"') as (source, sent),
        pytest.raises(RegistryRefused, match="wants a name and a password") as caught,
    ):
        source.top()
    assert not sent and keeps_silent(caught.value)


@pytest.mark.parametrize("body", [b"{}", b'{"token": "t0ken\\u0000"}', b"t0ken", b"[" * 100])
def test_a_token_server_that_gives_none_is_told(tmp_path: Path, body: bytes) -> None:
    def behave(request: Request) -> None:
        if request.path.startswith("/token"):
            request.head(200, len(body))
            request.wfile.write(body)
        else:
            realm = f"http://{request.headers['Host']}/token"
            request.head(401, 0, WWW_Authenticate=f'Bearer realm="{realm}"')

    with (
        registry(behave) as source,
        pytest.raises(RegistryRefused, match="gave no token") as caught,
    ):
        source.top()
    assert keeps_silent(caught.value)


@pytest.mark.parametrize(
    ("without_tls", "port"), [(frozenset[str](), 2), (frozenset({"registry.example.com"}), 1)]
)
def test_others_than_this_machine_are_asked_with_tls_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch, without_tls: frozenset[str], port: int
) -> None:
    """Seen from which of two proxies is asked; there is none."""
    asked: list[object] = []

    def refuse(_: object, where: object) -> None:
        asked.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.socket.connect", refuse)
    route = Route({"http": "http://127.0.0.1:1", "https": "http://127.0.0.1:2"})
    access = Access(route, without_tls=without_tls, retry=RetryPolicy(attempts=1))
    reference = InRegistry("registry.example.com", "a", "1")
    with closing(Registry(reference, access)) as source, pytest.raises(DownloadFailed):
        source.top()
    assert asked == [("127.0.0.1", port)]
