"""The identity of a device, from the configuration and signed; see ``device/identity.py``.

Tested by ``tests/unit/signing/test_identities.py``.
"""

import difflib

from reconix.base.errors import UsageError
from reconix.config.schema.hosts import Host
from reconix.device.identity import FILE_NAME, Identity, print_signed, statement
from reconix.project.files import ProjectFiles
from reconix.signing.project_keys import signer_of


def files_of(files: ProjectFiles, host: Host, serial: str) -> dict[str, bytes]:
    """The files for the data partition of a device, by name.

    Raises:
        UsageError: the host has no such device, or no secret key is here.
    """
    document = identity_of(host, serial).print()
    signer = signer_of(files)
    signatures = signer.sign(statement(document)) if signer else ()
    return {FILE_NAME: print_signed(document, signatures)}


def identity_of(host: Host, serial: str) -> Identity:
    """What the configuration says of a device.

    Raises:
        UsageError: nothing, because the host has no such device.
    """
    devices = host.machine.devices
    if serial not in devices:
        near = difflib.get_close_matches(serial, devices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"write [devices.{serial}] in machine.toml"
        raise UsageError(f"{host.name} has no device {serial}", hint=hint)
    device = devices[serial]
    return Identity(
        host.name, serial, device.hostname, dict(device.address), device.authorized_keys
    )
