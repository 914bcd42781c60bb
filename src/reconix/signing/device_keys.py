"""The keys of single devices: 32 random bytes each, which no other device has.

    keys/devices/<host>/<serial>    made once, with the first image of a device; git ignores it

It is written to the data partition with the identity (``device/state/secrets.py``). A second image
of the same device has the same key, so whatever knows the device by it goes on to. Nothing uses it
yet: receipts of a device, and what only it may read, will.

Tested by ``tests/unit/signing/test_device_keys.py``.
"""

import os

from reconix.base.errors import UsageError
from reconix.base.files import read_bounded, write_durably
from reconix.config.schema.hosts import Host
from reconix.device.state.secrets import FILE_MODE, KEY_BYTES
from reconix.project.files import ProjectFiles
from reconix.signing.project_keys import FOLDER, keep_out

FILE_NAME = "device-key"
"""What it is called on the data partition."""
_DEVICES = "devices"


def key_of(files: ProjectFiles, host: Host, serial: str) -> bytes:
    """The key of a device; made if there is none.

    Raises:
        UsageError: what is in its place is no such key.
    """
    file = files.folder / FOLDER / _DEVICES / host.name / serial
    if not os.path.lexists(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        keep_out(file)
        write_durably(file, os.urandom(KEY_BYTES), mode=FILE_MODE)
    key = read_bounded(file, KEY_BYTES, follow_links=False)
    if len(key) != KEY_BYTES:
        raise UsageError(f"{file} is not the key of a device: it has {len(key)} bytes")
    return key
