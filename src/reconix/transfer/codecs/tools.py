"""What a device needs beside the standard library to make some files.

A stream says which of these it needs, and a device that lacks one refuses it before anything is
written. Debian has both in every system with systemd: gzip is essential, liblz4 is what the journal
compresses with. Modules are compiled by the Python that runs the receiver; it must be the one that
the sender has run (``modules.py``). Its zlib must pack as the sender's does (``packs.py``).
"""

import enum
import os

from reconix.base.digests import Digest
from reconix.transfer.codecs import lz4, modules, packs


class Tool(enum.IntFlag):
    """A program or a library."""

    GZIP = 1
    LZ4 = 2
    PYTHON = 4  # the very interpreter that the stream names
    TRIES = 8  # nothing to be installed: an agent that moves references in tries
    ZLIB = 16  # likewise: one that packs by zlib, and a zlib that gives known bytes
    TYPES = 32  # as for tries: an agent that moves numbers and names of types


NO_TOOLS = Tool(0)


def missing(tools: Tool, python: Digest | None = None) -> list[str]:
    """The names of those that are not here.

    Args:
        tools: what is needed.
        python: the identity of what must compile modules, if that is needed.
    """
    lacks_gzip = Tool.GZIP in tools and not _is_program("gzip")
    lacks_lz4 = Tool.LZ4 in tools and not lz4.is_there()
    lacks_python = Tool.PYTHON in tools and python != _python()
    lacks_zlib = Tool.ZLIB in tools and not packs.packs_as_known()
    names = ["gzip"] * lacks_gzip + [lz4.LIBRARY] * lacks_lz4
    names += ["a zlib that packs as that of zlib.net"] * lacks_zlib
    return names + [f"a Python of the identity {python}"] * lacks_python


def _python() -> Digest | None:
    compiler = modules.Compiler(modules.own())
    try:
        return compiler.identity()
    except modules.CannotCompile:
        return None
    finally:
        compiler.close()


def _is_program(name: str) -> bool:
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in os.get_exec_path())
