"""What a device needs beside the standard library to make some files.

A stream says which of these it needs, and a device that lacks one refuses it before anything is
written. Debian has both in every system with systemd: gzip is essential, liblz4 is what the journal
compresses with.
"""

import enum
import os

from reconix.transfer.codecs import lz4


class Tool(enum.IntFlag):
    """A program or a library."""

    GZIP = 1
    LZ4 = 2


NO_TOOLS = Tool(0)


def missing(tools: Tool) -> list[str]:
    """The names of those that are not here."""
    lacks_gzip = Tool.GZIP in tools and not _is_program("gzip")
    lacks_lz4 = Tool.LZ4 in tools and not lz4.is_there()
    return ["gzip"] * lacks_gzip + [lz4.LIBRARY] * lacks_lz4


def _is_program(name: str) -> bool:
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in os.get_exec_path())
