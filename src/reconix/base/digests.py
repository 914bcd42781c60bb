"""SHA-256 digests as values.

One kind of digest is used everywhere. It is a type of its own so that it cannot be mistaken for
other bytes, and it knows its two spellings: hexadecimal, and the ``sha256:<hex>`` of error messages
and manifests. (Nix base 32 belongs to the store: ``store/paths.py``.)
"""

import re
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import chunks
from reconix.base.records import dataclass

_HEX = re.compile(r"[0-9a-f]{64}")


class BadDigest(ReconixError):
    """A text is not a SHA-256 digest."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} is no SHA-256 digest", hint="expected 64 hex digits")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """32 bytes of SHA-256; valid by construction."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 32:
            raise BadDigest(self.value.hex())

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read ``<64 hex digits>`` or ``sha256:<64 hex digits>``.

        Raises:
            BadDigest: it is something else.
        """
        digits = text.removeprefix("sha256:")
        if not _HEX.fullmatch(digits):
            raise BadDigest(text)
        return cls(bytes.fromhex(digits))

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """The digest of bytes in memory."""
        import hashlib  # late: it loads OpenSSL, and the start of a device hashes nothing

        return cls(hashlib.sha256(content).digest())

    @classmethod
    def of_file(cls, path: Path) -> "Digest":
        """The digest of a file's content, read in constant memory."""
        import hashlib

        state = hashlib.sha256()
        with path.open("rb") as file:
            for chunk in chunks(file):
                state.update(chunk)
        return cls(state.digest())

    def hex(self) -> str:
        """64 hexadecimal digits."""
        return self.value.hex()

    def __str__(self) -> str:
        return f"sha256:{self.hex()}"
