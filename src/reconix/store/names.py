"""What a file may be called, and where a link may lead.

These limits are the kernel's. They are in a module of their own because an agent, which reads
streams, needs them, and has no use for archives (``nar.py``).

Tested by ``tests/unit/store/test_names.py``.
"""

from reconix.base.errors import ReconixError

MAX_NAME_BYTES = 255
MAX_TARGET_BYTES = 4095
MAX_DEPTH = 256
"""Folders in folders, in a stream or an archive."""


class BadName(ReconixError):
    """No file can be called this, or no link lead there."""

    exit_code = 22


def check_name(name: bytes) -> None:
    """Refuse a name that no file in a folder can have.

    Raises:
        BadName: it is empty, ``.``, ``..``, too long, or holds a slash or NUL.
    """
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise BadName(f"{name[:80]!r} is no name for a file")
    if len(name) > MAX_NAME_BYTES:
        raise BadName(f"a name of {len(name)} bytes, more than {MAX_NAME_BYTES}")


def check_target(target: bytes) -> None:
    """Refuse a target that no symbolic link can have.

    Raises:
        BadName: it is empty, too long, or holds NUL.
    """
    if not target or b"\0" in target or len(target) > MAX_TARGET_BYTES:
        raise BadName(f"{target[:80]!r} is no target for a symbolic link")
