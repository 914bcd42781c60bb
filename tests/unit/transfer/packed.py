"""Payloads that are packed and ready to be read, without a stream around them."""

from collections.abc import Callable

from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.stream import BadStream
from reconix.transfer.sending.packer import Packer


class Verified:
    """Packed bytes that nobody has to verify."""

    def __init__(self, content: bytes, at_once: int = 1000) -> None:
        self.content, self.used, self.at_once = content, 0, at_once

    def some(self) -> bytes:
        taken = self.content[self.used : self.used + self.at_once]
        self.used += len(taken)
        return taken

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=self.used)


def packed_size(content: bytes) -> int:
    """How many bytes the plan takes in a stream."""
    return len(_packed(lambda packer: packer.write(content)))


def packed(content: bytes) -> Unpacker:
    """A plan without content, ready to be read."""
    return packed_by(lambda packer: packer.write(content))


def packed_by(fill: Callable[[Packer], object]) -> Unpacker:
    """What is packed in this way, ready to be read."""
    return Unpacker(Verified(_packed(fill)))


def _packed(fill: Callable[[Packer], object]) -> bytes:
    written = bytearray()
    packer = Packer(written.extend)
    fill(packer)
    packer.finish()
    return bytes(written)
