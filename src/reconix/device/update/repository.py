"""Updating from a repository of streams: a folder, perhaps on a stick, or a web server.

The index is read, the newest generation for this device looked for, and the cheapest chain to it
taken. Nothing in the index is trusted: it only saves asking for what does not fit. What a chain
costs is compared with the limit of the configuration before the first byte of it is loaded; then
all that comes is counted together, and ends the update if it is more.

Tested by ``tests/unit/device/update/test_repository.py``.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from reconix.base import progress
from reconix.base.address import has_login, without_login
from reconix.base.documents import JsonInput
from reconix.base.files import BadFile, read_bounded
from reconix.base.records import dataclass, field
from reconix.device.device import Device
from reconix.device.state import last_check
from reconix.device.trust_store import DOWNLOAD_LIMIT_BYTES, TrustStore
from reconix.device.update.receive import receive, receive_file
from reconix.device.update.web import LinkFailed, Meter, RetryPolicy, Unreachable, Web
from reconix.store.paths import StorePath
from reconix.transfer.format.catalog import (
    INDEX,
    MAX_INDEX_BYTES,
    Offer,
    cheapest,
    newest,
    parse_index,
)
from reconix.transfer.format.stream import REREADS, Read
from reconix.transfer.receiving.spool import Spool

UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Available:
    """What a repository offers to a device.

    Attributes:
        target: the newest generation; None if there is nothing for this device.
        sequence: its number.
        chain: the streams to take; empty if the target is installed.
        offered: the highest number for this host, also if it is below what the device has.
    """

    target: StorePath | None
    sequence: int
    chain: tuple[Offer, ...]
    offered: int | None = None

    @property
    def size_bytes(self) -> int:
        """What the chain costs."""
        return sum(offer.size_bytes for offer in self.chain)

    def document(self) -> JsonInput:
        """As JSON."""
        return {
            "version": 1,
            "generation": None if self.target is None else str(self.target),
            "sequence": self.sequence,
            "offered": self.offered,
            "size_bytes": self.size_bytes,
            "streams": [offer.file for offer in self.chain],
        }


@dataclass(slots=True)
class Repository:
    """Where streams are, the address of a folder or its path, and what one update loads there."""

    where: str
    limit_bytes: int = DOWNLOAD_LIMIT_BYTES
    authorities: str | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    retry: RetryPolicy = RetryPolicy()
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = Meter(self.limit_bytes, seconds=self.retry.total_seconds)

    @classmethod
    def of(
        cls,
        device: Device,
        where: str | None,
        *,
        limit_bytes: int | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> "Repository":
        """The repository that was named, else that of the configuration.

        Args:
            device: that asks.
            where: what was named.
            limit_bytes: another limit than that of the configuration.
            variables: what the environment says about proxies; that of the configuration wins.

        Raises:
            Unreachable: there is none.
        """
        policy = TrustStore.read(device).policy
        url = where or (policy.url if policy else None)
        if url is None:
            raise Unreachable("no repository of updates is configured", hint="name one: --from URL")
        if has_login(url):
            progress.note(
                "ignoring user and password in the address of updates: the agent never logs in"
            )
        limit = policy.download_limit_bytes if policy else DOWNLOAD_LIMIT_BYTES
        limit = limit if limit_bytes is None else limit_bytes
        if policy is None:
            return cls(url, limit, proxies=variables)
        ours = (
            {**variables, "http": policy.proxy, "https": policy.proxy}
            if policy.proxy
            else variables
        )
        return cls(url, limit, policy.authorities, ours)

    @property
    def shown(self) -> str:
        """Its address, for people."""
        return without_login(self.where)

    @property
    def is_web(self) -> bool:
        """Whether it is a web server, which costs and may be cut."""
        return self.where.startswith(("http://", "https://"))

    def offers(self) -> tuple[Offer, ...]:
        """What the index lists.

        Raises:
            Unreachable: it cannot be read.
            BadDocument: it is not an index.
        """
        return parse_index(self._index(), source=f"{self.shown}/{INDEX}")

    def _index(self) -> bytes:
        if not self.is_web:
            try:
                path = Path(self.where) / INDEX
                return read_bounded(path, MAX_INDEX_BYTES, follow_links=False)
            except (BadFile, OSError) as error:
                raise Unreachable(str(error), hint="is this the right folder?") from error
        with self._web(INDEX) as web:
            try:
                return _bounded(web, MAX_INDEX_BYTES)
            except LinkFailed as error:
                raise Unreachable(str(error), hint="try again later") from error

    @contextlib.contextmanager
    def _web(self, file: str) -> Iterator[Web]:
        url = f"{self.where.rstrip('/')}/{file}"
        web = Web(
            url,
            meter=self.meter,
            authorities=self.authorities,
            proxies=self.proxies,
            retry=self.retry,
        )
        try:
            yield web
        finally:
            web.close()

    def take(self, device: Device, offer: Offer) -> StorePath:
        """Receive one of the streams; must be called under ``exclusive_rw``."""
        if not self.is_web:
            return receive_file(device, Path(self.where) / offer.file, follow_links=False)
        with (
            self._web(offer.file) as web,
            _continued(device, web) as (read, spool),
        ):
            return receive(device, read, spool, web.again)


def _bounded(web: Web, most_bytes: int) -> bytes:
    found = bytearray()
    while data := web.read(most_bytes + 1 - len(found)):
        found += data
        if len(found) > most_bytes:
            raise Unreachable(f"the index has more than {most_bytes} bytes")
    return bytes(found)


@contextlib.contextmanager
def _continued(device: Device, web: Web) -> Iterator[tuple[Read, Spool]]:
    """A stream from the web, resumed if its beginning is here already."""
    spool = Spool(device.paths.spool)
    held = spool.held()
    if held is None or not any(_is_of(web, held.head.print()) for _ in range(1 + REREADS)):
        web.go_to(0)
        yield web.read, spool
        return
    web.go_to(held.offset)
    with spool.resuming(held, web.read) as read:
        yield read, spool


def _is_of(web: Web, head: bytes) -> bool:
    """Whether a file begins with a head; no more of it is asked for.

    One bit that comes altered must not cost all that is held, so this is asked more than once.
    """
    web.go_to(0, len(head))
    found = b""
    while len(found) < len(head):
        try:
            data = web.read(len(head) - len(found))
        except LinkFailed as error:
            raise Unreachable(str(error), hint="what has arrived is kept; try again") from error
        if not data or not head.startswith(found + data):
            return False
        found += data
    return True


def check(device: Device, repository: Repository) -> Available:
    """Find the newest generation and the chain to it; writes nothing but the last check.

    Raises:
        Unreachable: no chain leads to it, or the index cannot be read.
        TooMuch: the chain costs more than the configuration allows.
    """
    trusted = TrustStore.read(device)
    ours = device.generation(trusted.committed)
    for_us = [
        offer
        for offer in repository.offers()
        if (offer.host, offer.architecture) == (ours.host, ours.architecture)
    ]
    offered = max((offer.sequence for offer in for_us), default=None)
    last_check.note(device.paths, repository.shown, offered, uptime_seconds=device.clock.now())
    offers = [offer for offer in for_us if offer.sequence >= trusted.rollback_index]
    best = newest(offers)
    if best is None or str(best.target) == trusted.committed:
        return Available(None, trusted.rollback_index, (), offered)
    chain = cheapest(offers, device.installed(), best.target)
    if chain is None:
        raise Unreachable(
            f"{repository.shown} has no stream that this device can start from",
            hint="publish one from what it has, or a full one: reconix publish --full",
        )
    found = Available(best.target, best.sequence, chain, offered)
    if repository.is_web:
        repository.meter.expect(found.size_bytes)
    return found
