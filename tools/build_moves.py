"""Compile the library that moves references, for each architecture: ``tools/build_moves.py``.

Writes ``moves-<machine>.so`` beside ``moves.c``. The same compiler gives the same bytes: no path,
no time and no identity of a build goes in, and no library is linked. Debian's gcc 12 made those
that are in the repository; ``tests/unit/transfer/codecs/test_compiled.py`` makes them again.
"""

import sys
from pathlib import Path

from reconix.base.process import run
from reconix.transfer.codecs import compiled

FOLDER = Path(compiled.__file__).parent
SOURCE = FOLDER / "moves.c"
COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "x86_64": "gcc"}
MADE_BY = "12.2.0"
"""The release of the compilers whose output is in the repository."""

_LARGEST_PAGE = {"aarch64": "65536", "x86_64": "4096"}
_FLAGS = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-shared"),
    *("-fPIC", "-fvisibility=hidden", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    *("-fno-ident", "-fcf-protection=none"),
    "-Wl,--build-id=none,--hash-style=gnu,-s,-z,noexecstack,-z,norelro,-z,noseparate-code",
)


def release(machine: str) -> str:
    """The release of the compiler for a machine."""
    return run(COMPILERS[machine], "-dumpfullversion").decode().strip()


def build(machine: str, into: Path) -> None:
    """Write the library for a machine."""
    flags = [flag for flag in _FLAGS if machine == "x86_64" or "cf-protection" not in flag]
    pages = f"-Wl,-z,max-page-size={_LARGEST_PAGE[machine]}"
    run(COMPILERS[machine], *flags, pages, "-o", into, SOURCE)


def main() -> int:
    """Build all."""
    for machine in compiled.MACHINES:
        build(machine, FOLDER / compiled.file_name(machine))
    return 0


if __name__ == "__main__":
    sys.exit(main())
