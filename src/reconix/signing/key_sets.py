"""Key sets that were signed by their predecessors, where streams find them.

    keys/sets/2.json   key set 2, signed by set 1; streams bring it to devices that slept long

Tested by ``tests/unit/signing/test_project_keys.py``.
"""

from collections.abc import Iterable
from pathlib import Path

from reconix.base.documents import Fields, print_json
from reconix.base.errors import UsageError
from reconix.base.files import read_bounded, write_durably
from reconix.build.generation import key_set
from reconix.config.schema.project import TrustRoot
from reconix.nix.signatures import SecretKey
from reconix.transfer.sending.signing import sign_key_set
from reconix.transfer.trust.keys import MAX_SET_BYTES
from reconix.transfer.trust.seal import SignedKeySet, parse_signature_list, print_signature_list

_FOLDER = Path("keys/sets")


def renewed(trust: TrustRoot, keys: Iterable[SecretKey]) -> SignedKeySet:
    """The present key set, signed with keys of the set before.

    Raises:
        UsageError: it is the first one, which devices have from their image on.
    """
    now = key_set(trust)
    if now is None or now.version == 1:
        raise UsageError(
            "the first key set needs no signature",
            hint="change the keys, then raise trust.key_set by one",
        )
    return sign_key_set(now, keys)


def signed(project: Path) -> list[SignedKeySet]:
    """The key sets that were signed by their predecessors, in order."""
    found = (project / _FOLDER).glob("*.json")
    return sorted(map(_read_set, found), key=lambda each: each.key_set.version)


def keep(project: Path, signed: SignedKeySet) -> Path:
    """Put a signed key set where streams find it."""
    path = project / _FOLDER / f"{signed.key_set.version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "document": signed.document.decode(),
        "signatures": print_signature_list(signed.signatures),
    }
    write_durably(path, print_json(document))
    return path


def _read_set(path: Path) -> SignedKeySet:
    fields = Fields.parse(read_bounded(path, 4 * MAX_SET_BYTES), source=str(path))
    return SignedKeySet(fields.text("document").encode(), parse_signature_list(fields))
