"""Repairing a device: what is damaged comes again, under its name.

It is no update: nothing is tried, no slot is written, and what is trusted stays as it was. So it
may come during a trial, and to a system that takes no updates, and its sequence number does not
matter: what it brings is what is installed already.

Tested by ``tests/unit/device/update/test_repair.py``.
"""

import contextlib

from reconix.device.device import Device
from reconix.device.state import events
from reconix.device.trust_store import TrustStore
from reconix.device.update.scrub import look_again
from reconix.store.generation import BadGeneration, Generation
from reconix.transfer.format.stream import Again, Header, Read
from reconix.transfer.receiving import repair as receiving
from reconix.transfer.receiving.repair import Repaired
from reconix.transfer.trust.seal import Seal


def repair(device: Device, read: Read, again: Again | None = None) -> Repaired:
    """Take in a repair stream; must be called under ``exclusive_rw``.

    Raises:
        NotTrusted: too few trusted keys have signed it.
        ReconixError: see ``transfer/receiving/repair.py``.
    """
    ours = _ours(device)
    try:
        done = receiving.repair(
            read,
            device.registry,
            host=ours.host,
            architecture=ours.architecture,
            verifier=_verifier(device),
            again=again,
        )
    finally:
        look_again(device)
    if done.written:
        events.append(device.paths.log, "repaired", generation=str(ours.path), text=str(done))
    return done


def _ours(device: Device) -> Generation:
    """A generation that says what this device is: the committed one, or if it is damaged another.

    Raises:
        BadGeneration: all of them are damaged.
    """
    committed = device.recall().committed.generation
    try:
        return device.generation(committed)
    except BadGeneration as error:
        for path in device.installed():
            with contextlib.suppress(BadGeneration):
                return device.generation(path)
        raise error


def _verifier(device: Device) -> receiving.Verifier:
    """Ask who has signed, and no more."""
    trust = TrustStore.read(device).trust

    def verify(header: Header, seal: Seal, statement: bytes) -> None:
        trust.verify(seal, statement, trust.rollback_index)

    return verify
