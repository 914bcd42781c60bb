"""What is removed from a new Debian root, and what is normalised, so that it is reproducible.

Two installations of the same packages differ in a handful of places: time stamps, logs, caches,
keys made by maintainer scripts, the header of compiled Python files. Here each has a rule with its
reason. What the rules do not name stays as dpkg and the maintainer scripts left it.

Tested by ``tests/unit/build/root/test_normalise.py``, and by ``tests/compat/test_build.py``, which
builds the same lock on two different days.
"""

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from reconix.build.on_device import databases, secrets


class Keep(Enum):
    """What happens to an entry of the root."""

    WHOLE = "kept"
    FOLDER_ONLY = "emptied"
    NOTHING = "removed"


@dataclass(frozen=True, slots=True)
class Rule:
    """Entries that a normalised root does not have, and why."""

    pattern: str
    reason: str
    keep: Keep = Keep.NOTHING

    def matches(self, path: str) -> bool:
        """Whether the rule is about this path (relative, without a leading slash)."""
        return re.fullmatch(self.pattern, path) is not None


RULES = (
    Rule(r"(dev|proc|sys|run|tmp)/.*", "belongs to the running system"),
    Rule(r"boot/.*", "the boot partition is made from the generation"),
    # Who owns these depends on who built the root; apt makes them when it is used.
    Rule(r"var/(cache|lib)/apt/.*", "the device has no archive"),
    Rule(r"var/(cache|tmp|backups)/.*", "is made again when needed", Keep.FOLDER_ONLY),
    Rule(r"var/log/.*", "tells when the root was built", Keep.FOLDER_ONLY),
    Rule(r"var/lib/dpkg/.*-old", "a copy of what was before the last step of the installation"),
    Rule(r"var/lib/dpkg/lock(-frontend)?", "a lock"),
    Rule(r"var/lib/systemd/random-seed", "must differ from device to device"),
    Rule(r"etc/machine-id", "must differ from device to device"),
    Rule(r"var/lib/dbus/machine-id", "must differ from device to device"),
    Rule(r"etc/(hostname|resolv\.conf|mtab|\.pwd\.lock)", "comes from the build machine"),
    Rule(r"etc/apt/sources\.list", "names the folder that the root was built from"),
    Rule(r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-", "a copy of an earlier state"),
    *(
        Rule(pattern, f"a secret, {secret.what}; made on the device")
        for secret in secrets.ALL
        for pattern in secret.removed
    ),
    *(Rule(pattern, "a database; made on the device") for pattern in databases.REMOVED),
    Rule(r"var/lib/rabbitmq/\.erlang\.cookie", "a secret; made by the program that uses it"),
    Rule(r"usr/share/mime/mime\.cache|var/lib/mlocate/.*", "is made again when needed"),
)


def keep(path: str, *, folder: bool) -> bool:
    """Whether an entry stays in the root."""
    for rule in RULES:
        if rule.matches(path):
            return folder and rule.keep is Keep.FOLDER_ONLY
    return True


_CHANGE_DAY = re.compile(rb"^([^:\n]*:[^:\n]*):\d+:", re.MULTILINE)
_PYC_HEADER_BYTES = 16
_PYC_HASHED_UNCHECKED = (1).to_bytes(4, "little")


def content(path: str, found: bytes) -> bytes:
    """The reproducible content of a file that needs to be normalised."""
    if path == "etc/shadow":
        return _CHANGE_DAY.sub(rb"\1:1:", found)
    return _without_time(found) if path.endswith(".pyc") else found


def needs_content(path: str) -> bool:
    """Whether ``content`` may change this file."""
    return path == "etc/shadow" or path.endswith(".pyc")


def _without_time(compiled: bytes) -> bytes:
    """A compiled Python file that no longer names the time of its source.

    All files in the store carry the same time, so the time in the header would never fit and Python
    would compile at every start. An *unchecked hash* is not compared with anything.

    Source: Python documentation, *py_compile*, ``PycInvalidationMode.UNCHECKED_HASH``; PEP 552.
    """
    code = compiled[_PYC_HEADER_BYTES:]
    return compiled[:4] + _PYC_HASHED_UNCHECKED + sha256(code).digest()[:8] + code
