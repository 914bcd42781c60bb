"""Registries: images by HTTP, each byte compared with its digest.

A registry is asked for a manifest by tag or digest, and for blobs by digest. It may send elsewhere
for a blob, and it may want a log-in first (``challenge.py``). It is not trusted with anything:
what it sends is what a digest names, not one byte longer, or it is refused; only what a tag stands
for is its to say. Who asks it for what it redirects to does not get the log-in (``base/http.py``).

Registries on this machine are asked without TLS, as all programs do it; others only if they are
named for that.

The protocol is small, and what there is in Python checks less (decision 0074).

Source: OCI distribution specification 1.1, *Pull*; Docker Registry, *HTTP API V2*.
Tested by ``tests/unit/containers/test_registry.py`` with servers that misbehave; with a real one by
``tests/compat/test_oci_registry.py``.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from reconix.base import http
from reconix.base.address import Address, Reach, Refused, reach_of_name
from reconix.base.digests import Digest
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.base.http import BROKEN
from reconix.build.archive.retry import RetryPolicy, copy_bounded, patiently
from reconix.build.archive.transport import Route, Transient
from reconix.config.image_reference import InRegistry
from reconix.containers.challenge import Challenge, TokenWanted, parse_challenge, parse_token
from reconix.containers.descriptors import (
    INDEXES,
    MANIFESTS,
    MAX_DOCUMENT_BYTES,
    BadImage,
    Descriptor,
)
from reconix.containers.images import Document, NewFile, expect_digest
from reconix.containers.logins import IdentityToken, Known, Login, Logins

_ACCEPT = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
_MAX_TOKEN_BYTES = 1 << 20
_LATER = (408, 425, 429)
_GONE = (404, 410)
_Result = TypeVar("_Result")


class RegistryRefused(ReconixError):
    """A registry does not give what it is asked for, and will not if it is asked again."""

    exit_code = 66


class NotThere(RegistryRefused):
    """A registry has no such image, or does not say so to whoever asks."""

    exit_code = 69


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are reached."""

    route: Route = field(default_factory=Route)
    logins: Logins = field(default_factory=Logins)
    without_tls: frozenset[str] = frozenset()
    """Hosts, with their ports, that are asked without TLS."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(slots=True)
class _Entry:
    """What a registry is told to be let in: once for all who ask it at a time."""

    said: str = ""
    login: Known | None = None
    is_login_known: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Registry:
    """One image in a registry, as a source; used by one thread.

    Args:
        reference: where it is.
        access: how to get there.
        entry: of another one that is let in.
    """

    def __init__(self, reference: InRegistry, access: Access, entry: _Entry | None = None) -> None:
        self._reference = reference
        self._access = access
        self._client: http.Client | None = None
        self._entry = entry or _Entry()

    def twin(self) -> "Registry":
        """The same for another thread: with connections of its own, and one log-in for both."""
        return Registry(self._reference, self._access, self._entry)

    def break_off(self) -> None:
        """From another thread: end what is waited for."""
        if self._client is not None:
            self._client.break_off()

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()

    def top(self) -> Document:
        """What the reference leads to.

        Raises:
            BadImage, RegistryRefused, DownloadFailed: it leads to nothing that could be used.
        """
        digest = self._reference.digest
        found = self._manifest(str(digest or self._reference.tag), MAX_DOCUMENT_BYTES)
        if digest is not None and found.digest != digest:
            raise BadImage(f"{self._reference} is something else: found {found.digest}")
        return found

    def document(self, descriptor: Descriptor) -> Document:
        """An index or a manifest by its digest."""
        return self._manifest(str(descriptor.digest), descriptor.size_bytes)

    def copy(self, descriptor: Descriptor, file: NewFile) -> None:
        """Write a configuration or a layer to a new file."""
        path = f"blobs/{descriptor.digest}"

        def attempt() -> None:
            file.seek(0)
            file.truncate()
            with self._asking(path, {}) as answer:
                read = _translated(answer.some)
                found, size_bytes = copy_bounded(
                    read, file, descriptor.size_bytes, self._access.retry
                )
            expect_digest(found, size_bytes, descriptor)

        patiently(self._shown(path), attempt, self._access.retry)

    def _manifest(self, wanted: str, limit_bytes: int) -> Document:
        path = f"manifests/{wanted}"

        def attempt() -> Document:
            with self._asking(path, _ACCEPT) as answer:
                content = _read(answer, limit_bytes, self._shown(path))
                kind = answer.header("Content-Type").partition(";")[0].strip()
                self._expect_same(answer, Digest.of(content), path)
            return Document(content, kind)

        return patiently(self._shown(path), attempt, self._access.retry)

    def _expect_same(self, answer: http.Answer, found: Digest, path: str) -> None:
        """A registry that says another digest than that of what it sends is not to be believed."""
        said = answer.header("Docker-Content-Digest")
        if said.startswith("sha256:") and said != str(found):
            raise BadImage(f"{self._shown(path)} is {found}, but the registry calls it {said[:80]}")

    @contextmanager
    def _asking(self, path: str, headers: Mapping[str, str]) -> Iterator[http.Answer]:
        """Ask the registry for something of the repository, and log in if it wants that."""
        client = self._client = self._client or self._access.route.client()
        said = self._entry.said
        answer = self._ask(client, path, headers, said)
        if answer.status == 401:
            challenge = parse_challenge(answer.header("WWW-Authenticate"))
            client.dismiss(answer)
            answer = self._ask(client, path, headers, self._let_in(client, challenge, said))
        try:
            self._expect_given(answer, path)
            yield answer
        finally:
            client.let_go(answer)

    def _let_in(self, client: http.Client, challenge: Challenge | None, refused: str) -> str:
        """What the registry is told from now on; another thread may have found it out already."""
        with self._entry.lock:
            if self._entry.said == refused:
                self._entry.said = self._log_in(client, challenge)
            return self._entry.said

    def _ask(
        self, client: http.Client, path: str, headers: Mapping[str, str], said: str
    ) -> http.Answer:
        allowed = {"Authorization": said} if said else {}
        address = Address.parse(f"{self._server}/v2/{self._reference.repository}/{path}")
        return self._called(lambda: client.ask(address, {**headers, **allowed}), path)

    def _called(self, ask: Callable[[], _Result], path: str) -> _Result:
        """Talk to a server; what is refused once is refused always."""
        try:
            return ask()
        except Refused as error:
            raise RegistryRefused(f"{self._shown(path)}: {error}") from error
        except BROKEN as error:
            self.close()
            raise Transient(str(error) or type(error).__name__) from error

    def _expect_given(self, answer: http.Answer, path: str) -> None:
        status, what = answer.status, self._shown(path)
        if status == 200:
            return
        if status in _LATER or status >= 500:
            raise Transient(f"the registry answered {status}")
        if status in _GONE:
            raise NotThere(
                f"there is no {what}", hint="is the name right, and is it still in the registry?"
            )
        if status in (401, 403):
            raise self._not_let_in(what)
        raise RegistryRefused(f"{what}: the registry answered {status}")

    def _not_let_in(self, what: str) -> RegistryRefused:
        host = self._reference.host
        if self._find_login() is None:
            return RegistryRefused(
                f"{host} wants a log-in for {what}", hint=f"log in: podman login {host}"
            )
        return RegistryRefused(
            f"{host} does not let {self._reference.repository} be read with the log-in for it",
            hint=f"log in as somebody who may: podman login {host}",
        )

    def _find_login(self) -> Known | None:
        entry = self._entry
        if not entry.is_login_known:
            host, repository = self._reference.host, self._reference.repository
            entry.login = self._access.logins.find(host, repository)
            entry.is_login_known = True
        return entry.login

    def _log_in(self, client: http.Client, challenge: Challenge | None) -> str:
        """What a registry is told that has answered with a challenge."""
        login = self._find_login()
        if isinstance(challenge, TokenWanted):
            return f"Bearer {self._token(client, challenge, login)}"
        if login is None:
            raise self._not_let_in(f"{self._reference}")
        host = self._reference.host
        if challenge is None:
            raise RegistryRefused(f"{host} wants a log-in of a kind that is not supported")
        if isinstance(login, IdentityToken):
            raise RegistryRefused(
                f"{host} wants a name and a password, and has no server for tokens",
                hint=f"the log-in that is kept is a token; log in again: podman login {host}",
            )
        return login.header()

    def _token(self, client: http.Client, wanted: TokenWanted, login: Known | None) -> str:
        repository = self._reference.repository
        headers = {"Authorization": login.header()} if isinstance(login, Login) else {}
        form = wanted.form(repository, login.token) if isinstance(login, IdentityToken) else None
        address = self._token_server(wanted.realm if form else wanted.address(repository))
        what = f"the token server {address.authority}"
        answer = self._called(lambda: client.ask(address, headers, form), what)
        try:
            if answer.status >= 500 or answer.status in _LATER:
                raise Transient(f"{what} answered {answer.status}")
            if answer.status != 200:
                raise self._not_let_in(f"{self._reference}")
            return parse_token(_read(answer, _MAX_TOKEN_BYTES, what), source=what)
        except BadDocument as error:
            raise RegistryRefused(f"{what} gave no token") from error
        finally:
            client.let_go(answer)

    def _token_server(self, wanted: str) -> Address:
        """The server that gives tokens, if it may be told a password."""
        host = self._reference.host
        try:
            address = Address.parse(wanted)
        except Refused as error:
            raise RegistryRefused(f"{host} names no server for tokens: {error}") from error
        is_private = reach_of_name(address.host) is Reach.ITSELF
        registry = Address.parse(f"{self._server}/")
        if address.scheme == "http" and not (
            is_private or (self._is_without_tls and address.authority == registry.authority)
        ):
            raise RegistryRefused(f"{host} sends to {address.authority} for tokens, without TLS")
        if is_private and reach_of_name(registry.host) is not Reach.ITSELF:
            raise RegistryRefused(f"{host} sends to this machine for tokens: {address.authority}")
        return address

    @property
    def _is_without_tls(self) -> bool:
        return self._server.startswith("http:")

    @property
    def _server(self) -> str:
        host = self._reference.host
        secured = Address.parse(f"https://{host}/")
        is_plain = host in self._access.without_tls or (reach_of_name(secured.host) is Reach.ITSELF)
        return f"{'http' if is_plain else 'https'}://{host}"

    def _shown(self, path: str) -> str:
        """Something of the repository, for messages."""
        return f"{self._reference.host}/{self._reference.repository}/{path}"


def _read(answer: http.Answer, limit_bytes: int, what: str) -> bytes:
    """A whole answer; of one that is too long, nothing."""
    content, read = bytearray(), _translated(answer.some)
    while data := read(limit_bytes + 1 - len(content)):
        content += data
    if len(content) > limit_bytes:
        raise BadImage(f"{what} is larger than {limit_bytes} bytes")
    if answer.left_bytes:
        raise Transient(f"{answer.left_bytes} bytes of {what} did not come")
    return bytes(content)


def _translated(some: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Reads an answer; a link that breaks may be there again at the next attempt."""

    def read(size_bytes: int) -> bytes:
        try:
            return some(size_bytes)
        except BROKEN as error:
            raise Transient(str(error) or type(error).__name__) from error

    return read
