"""What the agent needs of Python's standard library, and the check that this is all.

The device has Python's minimal library and whatever else stands here; minify keeps exactly that.

``python tools/device_stdlib.py``: compare the table with the imports in the agent's sources.
``python tools/device_stdlib.py --closure python3.13``: let that Python, which should be the
device's, name every module that the table brings along, one a line.
"""

import argparse
import sys

from reconix.base.process import run
from reconix.build.agent.needs import LATE_MODULES
from reconix.build.agent.zipapp import foreign_modules

IMPORTED = {
    "argparse": "the command line",
    "array": "places and sizes of copies, by the ten thousand",
    "base64": "keys",
    "binascii": "keys",
    "bisect": "finding the step of a function, for references by the million",
    "collections": "blocks that are kept for a while",
    "collections.abc": "types",
    "contextlib": "what must be undone: locks, mounts, half-written files",
    "ctypes": "libcrypto, which hashlib has, for signatures; liblz4, which packs kernels; syncfs",
    "dataclasses": "types that carry meaning",
    "enum": "vocabularies",
    "errno": "telling a full disk from a broken one",
    "fcntl": "the lock; flags of firmware variables; the size of a sector",
    "fnmatch": "patterns by which a boot loader was told an entry",
    "functools": "loading libraries once; values that are computed once",
    "hashlib": "SHA-256",
    "http.client": "updates from a web server",
    "io": "answers of web servers, read under a deadline",
    "ipaddress": "telling addresses of the device itself from those of others",
    "itertools": "comparing neighbours in partition tables",
    "json": "documents",
    "lzma": "the payload of streams",
    "math": "no deadline",
    "mmap": "memory that is aligned for direct writes",
    "operator": "adding two lists of numbers",
    "os": "files",
    "pathlib": "paths",
    "re": "parsing",
    "select": "noticing that whoever sends has fallen silent",
    "shlex": "showing a command in a message",
    "socket": "health: a port answers",
    "ssl": "web servers that speak https",
    "stat": "kinds of files",
    "struct": "partition tables, FAT, load options",
    "subprocess": "mount, systemctl, commands of health checks",
    "sys": "input, output, exit status",
    "threading": "reading what a program says",
    "time": "deadlines; the times of events",
    "types": "context managers",
    "typing": "types",
    "urllib.parse": "addresses of web servers",
    "zlib": "the checksum of partition tables",
}
"""Every module that the agent's sources import, and what for."""


def differences() -> list[str]:
    """What the sources import and the table does not have, and the other way round."""
    found = foreign_modules()
    unknown = [f"{name} is imported and not in the table" for name in found - IMPORTED.keys()]
    unused = [f"{name} is in the table and not imported" for name in IMPORTED.keys() - found]
    return sorted(unknown + unused)


def closure(python: str) -> list[str]:
    """Every module that is loaded when all of the table is, by this Python."""
    program = (
        f"import {', '.join(sorted(IMPORTED | LATE_MODULES))}, sys; print(*sorted(sys.modules))"
    )
    return run(python, "-I", "-S", "-c", program).decode().split()


def main() -> int:
    """Check, or print the closure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--closure", metavar="PYTHON", help="name every module")
    python = parser.parse_args().closure
    lines = closure(python) if python else differences()
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0 if python or not lines else 1


if __name__ == "__main__":
    sys.exit(main())
