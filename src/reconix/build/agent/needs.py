"""What we need of a root: programs that the agent and the desk start, modules and libraries.

A minified root has what something reaches. What the agent reaches cannot be seen in its file, so it
is declared here, and a test holds the table against the sources.

Tested by ``tests/unit/build/agent/test_needs.py``.
"""

PROGRAMS = {
    "busctl": "asking who must not be interrupted",
    "crun": "entering a container, where there are any",
    "gzip": "packing a file as its package had it",
    "journalctl": "what a container has said",
    "mount": "making the partitions writable while it works",
    "nsenter": "changing containers for everybody, and not only for itself",
    "python3": "itself",
    "sh": "the scripts beside the agent",
    "systemctl": "units, restarts",
    "umount": "images that no container needs any more",
}
"""Every program that the agent starts by name, and what for."""

REMOTE_PROGRAMS = {
    "basename": "`reconix cp`",
    "cat": "`reconix cp`, and looking at a file",
    "dirname": "`reconix cp`",
    "journalctl": "`reconix logs`",
    "mktemp": "`reconix cp`",
    "mv": "`reconix cp`",
    "rm": "`reconix cp`",
    "sh": "`reconix cp`, `reconix shell`",
    "tar": "`reconix cp`",
}
"""Every program that commands of a desk start on a device, and which ones do."""

LATE_MODULES = {
    "encodings.ascii": "what the kernel says in /proc",
    "encodings.utf_16_le": "names of partitions, variables of the firmware",
    "encodings.idna": "an address of a socket, even a numeric one",
    "stringprep": "needed by encodings.idna",
    "unicodedata": "needed by encodings.idna",
}
"""Modules that Python itself imports only when something is used."""

LIBRARIES = {
    "libcrypto.so.3": "signatures",
    "liblz4.so.1": "packing a kernel as its package had it, where that is there",
}
"""Libraries that it loads through ctypes."""
