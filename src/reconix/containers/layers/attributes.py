"""Extended attributes of layers: which of them a device gets.

What overlayfs notes in attributes of its own never comes from an image: with these, a file could
name any content of a device's pool. Labels of SELinux belong to the machine on which an image was
made, and go, too. What can stand in an image of ours stays, as it is; anything else is left out and
told.

Source: umoci, ``oci/layer/xattr.go``; Linux, *Overlay Filesystem*, ``userxattr``.
Tested by ``tests/unit/containers/layers/test_unpack.py``.
"""

import re
from collections.abc import Mapping

from reconix.store.images.nodes import Attributes

_DROPPED = re.compile(rb"(?:trusted|user)\.overlay\..*|security\.selinux", re.DOTALL)
_KEPT = re.compile(
    rb"(?:user|security|trusted)\.[^\0]+|system\.posix_acl_(?:access|default)", re.DOTALL
)


def kept(attributes: Mapping[bytes, bytes]) -> Attributes:
    """Those that a device gets, sorted."""
    return tuple(sorted(pair for pair in attributes.items() if _is_kept(pair[0])))


def lost(attributes: Mapping[bytes, bytes]) -> list[bytes]:
    """The names of those that it does not get, although somebody may miss them; sorted."""
    return sorted(
        name for name in attributes if not _is_kept(name) and not _DROPPED.fullmatch(name)
    )


def _is_kept(name: bytes) -> bool:
    return bool(_KEPT.fullmatch(name)) and not _DROPPED.fullmatch(name)
