"""More signatures for a stream that was made already, for a threshold above one.

Tested by ``tests/unit/signing/test_project_keys.py``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from reconix.base.files import chunks, open_regular, replacing
from reconix.nix.signatures import SecretKey
from reconix.transfer.format.stream import StreamReader
from reconix.transfer.sending.signing import Signer
from reconix.transfer.trust.seal import Signature


def add_signatures(path: Path, keys: Iterable[SecretKey]) -> int:
    """Sign a stream with more keys; gives how many signatures it has then."""
    with open_regular(path) as old, replacing(path) as new:
        stream = StreamReader(old.read)
        head = stream.read_head()
        more = Signer(tuple(keys)).sign(stream.statement)
        signatures = tuple(_merged(head.seal.signatures, more))
        sealed = replace(head, seal=replace(head.seal, signatures=signatures))
        new.write(sealed.print())
        for chunk in chunks(old):
            new.write(chunk)
    return len(signatures)


def _merged(old: tuple[Signature, ...], more: tuple[Signature, ...]) -> Iterator[Signature]:
    by_key = {each.key: each for each in (*old, *more)}
    yield from (by_key[key] for key in sorted(by_key))
