"""Receiving an update: from a stream to an installed generation, on the device.

Tested by ``tests/unit/device/update/test_receive.py``.
"""

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError
from reconix.base.files import open_regular
from reconix.device.device import Device
from reconix.device.settings.policy import read_policy
from reconix.device.state import events
from reconix.device.state.running import UnknownBoot, read_running
from reconix.device.trial.disks import expect_fit_disk
from reconix.device.trust_store import TrustStore, commit
from reconix.device.update.apply import expect_slots
from reconix.store.generation import expect_known
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import Again, Header, Read
from reconix.transfer.receiving.receive import Commit, Verifier
from reconix.transfer.receiving.receive import receive as receive_stream
from reconix.transfer.receiving.spool import Held, Spool, WrongOffset
from reconix.transfer.trust.seal import Seal


class UpdatesForbidden(ReconixError):
    """The running system may not take updates."""

    exit_code = 77

    def __init__(self, system: str) -> None:
        super().__init__(
            f"system {system} may not receive updates (update.receive = false)",
            hint="boot another system first: `reconix-device boot default --now`",
        )


def receive(
    device: Device, read: Read, spool: Spool | None = None, again: Again | None = None
) -> StorePath:
    """Take in a stream; must be called under ``exclusive_rw``. A second time nothing is written.

    Args:
        device: to change.
        read: gives up to that many bytes of the stream, and nothing at its end.
        spool: keeps what arrived if the link fails.
        again: goes back on the link, for what came altered.

    Raises:
        UpdatesForbidden: the running system may not.
        DiskIsShort, CopyAttached: no trial could be kept, or be made from this disk alone.
        OnTrial: the trial must end first.
        SlotSizeDiffers: the generation is for boot slots of another size.
        NotTrusted: too few trusted keys have signed it.
        BelowRollbackIndex, BeyondFastForwardLimit: it is old, or far ahead.
        ReconixError: see ``transfer/receiving/receive.py``; nothing was installed.
    """
    expect_allowed(device)
    expect_fit_disk(device)
    state = device.recall()
    state.expect_not_on_trial()
    ours = device.generation(state.committed.generation)
    before = device.installed()
    manifest = receive_stream(
        read,
        device.registry,
        host=ours.host,
        architecture=ours.architecture,
        verifier=_verifier(device, before),
        spool=spool or Spool(device.paths.spool, keeps=False),
        again=again,
    )
    expect_known(device.generation(manifest.root))
    if manifest.root not in before:
        events.append(device.paths.log, "installed", generation=str(manifest.root))
    return manifest.root


def _verifier(device: Device, installed: Iterable[StorePath]) -> Verifier:
    """Verify a stream as this device does, and refuse what its boot slots are not made for.

    A boot tree that has grown out of its slot is found by ``apply`` as well, but by then all of the
    stream has been transferred, and is on the disk.
    """
    before = TrustStore.read(device)

    def verify(header: Header, seal: Seal, statement: bytes) -> Commit:
        after = before.verify(header, seal, statement, installed)
        if header.slot_bytes:
            expect_slots(device, header.slot_bytes)
        return functools.partial(commit, device.paths, before, after)

    return verify


def receive_file(device: Device, path: Path, *, follow_links: bool = True) -> StorePath:
    """Take in a stream from a file.

    Raises:
        BadFile: it is not a regular file.
        OSError: there is no such file.
        ReconixError: see ``receive``.
    """
    with opened(path, follow_links=follow_links) as (read, again):
        return receive(device, read, again=again)


@contextmanager
def opened(path: Path, *, follow_links: bool = True) -> Iterator[tuple[Read, Again]]:
    """A stream in a file, perhaps on a medium with read errors.

    Raises:
        BadFile: it is not a regular file.
        OSError: there is no such file.
    """
    with open_regular(path, follow_links=follow_links, buffering=0) as file:

        def again(begin: int, size_bytes: int) -> None:
            os.posix_fadvise(file.fileno(), begin, size_bytes, os.POSIX_FADV_DONTNEED)
            file.seek(begin)

        yield file.read, again


@contextmanager
def resuming(device: Device, link: Read, offset: int) -> Iterator[tuple[Read, Spool]]:
    """A stream whose beginning is here already; the link gives the rest, from an offset on.

    Raises:
        WrongOffset: what is here ends at another byte.
    """
    spool = Spool(device.paths.spool)
    if offset == 0:
        yield link, spool
        return
    held = spool.held()
    if held is None or held.offset != offset:
        raise WrongOffset(offset, ours=0 if held is None else held.offset)
    with spool.resuming(held, link) as read:
        yield read, spool


def held_document(held: Held | None) -> JsonInput:
    """How much of which stream is here already, as JSON."""
    return {
        "version": 1,
        "offset": 0 if held is None else held.offset,
        "stream": None if held is None else held.name,
        "size_bytes": 0 if held is None else held.head.stream_bytes,
        "generation": None if held is None else str(held.head.header.target),
    }


def expect_allowed(device: Device) -> None:
    """Check that what runs allows updates.

    Raises:
        UpdatesForbidden: it does not.
    """
    try:
        booted = read_running(device.paths.booted)
    except UnknownBoot:
        return  # a device that refuses updates could not be mended either
    if not read_policy(device.registry, booted.toplevel).receive:
        raise UpdatesForbidden(booted.system)
