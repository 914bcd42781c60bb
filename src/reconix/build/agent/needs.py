"""What we need of a root: programs that the agent and the desk start, modules and libraries.

A minified root has what something reaches. What the agent reaches cannot be seen in its file, so it
is declared here, and a test holds the table against the sources.

Tested by ``tests/unit/build/agent/test_needs.py``.
"""

PROGRAMS = {
    "gzip": "packing a file as its package had it",
    "journalctl": "what a container has said",
    "mount": "making the partitions writable while it works",
    "python3": "itself",
    "sh": "the scripts beside the agent",
    "systemctl": "units, restarts",
    "umount": "images that no container needs any more",
}
"""Every program that the agent starts by name on each device, and what for."""

LOGIN_PROGRAMS = {"busctl": "asking who must not be interrupted"}
"""Likewise where there is ``systemd-logind``, which knows that (``build/minify/knowledge.py``)."""

CONTAINER_PROGRAMS = {
    "crun": "entering a container",
    "nsenter": "changing containers for everybody, and not only for itself",
}
"""Likewise where a system has containers."""

WEB_MODULES = {"ssl": "servers of updates that speak https"}
"""Modules that the agent imports only where ``update.url`` is set, or ``--from`` names a server."""

TYPING_MODULES = {"dataclasses": "what `base/records.py` is to mypy"}
"""Modules that the agent's files import for their types alone."""

CONTAINER_SCRIPT = "container"
"""What lies beside the agent and is started by the units of containers only."""

REMOTE_PROGRAMS = {
    "basename": "`reconix cp`",
    "cat": "`reconix cp`, and looking at a file",
    "dirname": "`reconix cp`",
    "journalctl": "`reconix logs`",
    "mktemp": "`reconix cp`",
    "mv": "`reconix cp`",
    "rm": "`reconix cp`",
    "sh": "`reconix cp`, `reconix shell`",
}
"""Every program that commands of a desk start on a device, and which ones do."""

LATE_MODULES = {
    "encodings.ascii": "what the kernel says in /proc",
    "encodings.utf_16_le": "names of partitions, variables of the firmware",
    "encodings.idna": "an address of a socket, even a numeric one",
    "tarfile": "`reconix cp`, where there is no `tar`",
    "stringprep": "needed by encodings.idna",
    "unicodedata": "needed by encodings.idna",
}
"""Modules that Python itself imports only when something is used."""

LIBRARIES = {
    "libcrypto.so.3": "signatures",
    "liblz4.so.1": "packing a kernel as its package had it",
}
"""Libraries that it loads through ctypes."""

LZ4_LIBRARIES = {"liblz4.so.1": "kernels that their package packs so"}
"""Those of them that it loads only where the kernel of the device is packed by LZ4."""
