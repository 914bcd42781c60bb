"""Names of contents: the digest that the kernel's fs-verity has of a file.

The pool of a device names each content by its digest, and a device may ask its kernel to check
every block of a content whenever it is read. The kernel does that with a tree of hashes over the
blocks, and what it can be asked for is the digest of that tree. So this is the digest by which
contents are named everywhere: whoever knows the name of a content knows what the kernel demands.

::

    content     blocks of 4,096 bytes, the last one filled up with zeros
    level 0     the SHA-256 of each block, 128 to a block, the last one filled up with zeros
    level n     the same over level n - 1, until it is a single hash: the root
    digest      SHA-256 of a descriptor of 256 bytes that has the root and the size

The root of a content without bytes is zero. There is no salt, so equal contents have equal digests.

Source: Linux, Documentation/filesystems/fsverity.rst, *File digest computation*.
Tested by ``tests/unit/store/images/test_verity.py`` with digests of ``fsverity`` itself.
"""

import struct

BLOCK_BYTES = 4096
DIGEST_BYTES = 32

_VERSION = 1
_SHA256 = 1
_LOG_BLOCK_BYTES = 12
_DESCRIPTOR = struct.Struct("<BBBBIQ64s32s144s")
"""Version, hash algorithm, logarithm of the block size, size of the salt, reserved, size of the
content, root, salt, reserved."""


class VerityHash:
    """Takes a content piece by piece and gives its digest, as ``hashlib`` does."""

    def __init__(self, content: bytes = b"") -> None:
        self.size_bytes = 0
        self._waiting = b""  # less than a block
        self._hashes = bytearray()
        if content:
            self.update(content)

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        import hashlib  # late: it loads OpenSSL, and the start of a device hashes nothing

        self.size_bytes += len(data)
        if self._waiting:
            data = self._waiting + data
        whole = len(data) - len(data) % BLOCK_BYTES
        sha256 = hashlib.sha256
        with memoryview(data) as view:
            blocks = [view[at : at + BLOCK_BYTES] for at in range(0, whole, BLOCK_BYTES)]
            self._hashes += b"".join([sha256(block).digest() for block in blocks])
        self._waiting = data[whole:]

    def digest(self) -> bytes:
        """The digest of all bytes that were taken."""
        import hashlib

        return hashlib.sha256(self.descriptor()).digest()

    def descriptor(self) -> bytes:
        """What the digest is of."""
        root = self._levels()[-1]
        return _DESCRIPTOR.pack(
            _VERSION, _SHA256, _LOG_BLOCK_BYTES, 0, 0, self.size_bytes, root, b"", b""
        )

    def tree(self) -> bytes:
        """The hashes as the kernel keeps them: whole blocks, the highest level first."""
        below_root = self._levels()[:-1]
        return b"".join(map(_filled, reversed(below_root)))

    def _levels(self) -> list[bytes]:
        """Level 0 and those above it; the last one is the root."""
        hashes = bytes(self._hashes)
        if self._waiting:
            hashes += _hash(self._waiting)
        levels = [hashes]
        while len(hashes) > DIGEST_BYTES:
            hashes = b"".join(
                _hash(hashes[at : at + BLOCK_BYTES]) for at in range(0, len(hashes), BLOCK_BYTES)
            )
            levels.append(hashes)
        return levels


def digest(content: bytes) -> bytes:
    """The digest of a content that is at hand."""
    return VerityHash(content).digest()


def tree_bytes(size_bytes: int) -> int:
    """How much the hashes of a content take; as ``VerityHash.tree`` of so many bytes."""
    blocks, total = _blocks(size_bytes), 0
    while blocks > 1:
        blocks = _blocks(blocks * DIGEST_BYTES)
        total += blocks
    return total * BLOCK_BYTES


def kept_bytes(size_bytes: int) -> int:
    """What a file system keeps behind a content to compare it with: hashes and descriptor."""
    return tree_bytes(size_bytes) + BLOCK_BYTES


def most_kept_bytes(files: int, size_bytes: int) -> int:
    """The most that is kept behind so many files of this size in all.

    Of each file the last block of each level may be nearly empty; only large ones have several.
    """
    blocks = _blocks(size_bytes) + files
    return 2 * files * BLOCK_BYTES + 2 * tree_bytes(blocks * BLOCK_BYTES)


def _blocks(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES)


def _hash(block: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(block.ljust(BLOCK_BYTES, b"\0")).digest()


def _filled(level: bytes) -> bytes:
    return level + bytes(-len(level) % BLOCK_BYTES)
