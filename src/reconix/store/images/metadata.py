"""Which metadata a node can have: what every file system that we use can hold.

Attributes are those that mean something on a device. What overlayfs keeps in attributes of its own
is never taken from outside: with these a tree could name any content of the pool.

Tested by ``tests/unit/store/test_sidecar.py`` and ``tests/unit/transfer/format/test_plan.py``.
"""

import re

from reconix.base.errors import ReconixError
from reconix.store.images.nodes import (
    MAX_ATTRIBUTES_BYTES,
    MAX_ID,
    MAX_MTIME,
    MAX_NAME_BYTES,
    Attributes,
    Metadata,
)

MAX_MODE = 0o7777
_ATTRIBUTE = re.compile(
    rb"(?:(?:user|security|trusted(?!\.overlay\.))\.[^\0]+|system\.posix_acl_(?:access|default))",
    re.DOTALL,
)


class BadMetadata(ReconixError):
    """No node can have this."""

    exit_code = 23


def check_metadata(found: Metadata) -> None:
    """Refuse what no file system can hold.

    Raises:
        BadMetadata: it has something like that.
    """
    is_possible = (
        0 <= found.mode <= MAX_MODE
        and 0 <= found.user <= MAX_ID
        and 0 <= found.group <= MAX_ID
        and 0 <= found.mtime <= MAX_MTIME
    )
    if not is_possible:
        raise BadMetadata("a mode, an owner or a time that is out of range")
    if found.attributes:
        _check_attributes(found.attributes)


def _check_attributes(attributes: Attributes) -> None:
    names = [name for name, _ in attributes]
    if names != sorted(set(names)):
        raise BadMetadata("attributes that are not sorted, or one of them twice")
    for name in names:
        if not _ATTRIBUTE.fullmatch(name) or len(name) > MAX_NAME_BYTES:
            raise BadMetadata(f"the attribute {name[:80]!r}, which is none of ours")
    if sum(len(name) + len(value) for name, value in attributes) > MAX_ATTRIBUTES_BYTES:
        raise BadMetadata(f"attributes of more than {MAX_ATTRIBUTES_BYTES} bytes")
