"""What commands share about secrets: which values are meant, and what a device lacks.

Tested by ``tests/unit/cli/test_secrets.py``.
"""

import argparse
import os
from collections import Counter
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import UsageError
from reconix.cli import places
from reconix.config.schema.hosts import Host
from reconix.fleet import secrets
from reconix.fleet.remote import Remote
from reconix.project.files import ProjectFiles
from reconix.project.secrets import FOLDER, Values, wanted
from reconix.signing.identities import identity_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what decrypts values."""
    parser.add_argument(
        "--age-identity",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a key that decrypts secrets/*.age; may be given several times "
        "(default: $SOPS_AGE_KEY_FILE, or sops/age/keys.txt in the XDG configuration home)",
    )


def values(arguments: argparse.Namespace, files: ProjectFiles, host: Host) -> Values:
    """The values for the device that a command was told, or for any device of a host.

    Raises:
        UsageError: the host has no such device, or a folder of values could be meant for two.
    """
    serial: str | None = arguments.device
    if serial is not None:
        identity_of(host, serial)
    _expect_one_owner(files)
    identities = arguments.age_identity or _known_identities()
    return Values(files.folder, host.name, serial, tuple(identities))


def _expect_one_owner(files: ProjectFiles) -> None:
    """A folder of values is for one host or for one device: else a value would get to another."""
    hosts = files.configuration.hosts
    owners = Counter(
        [*hosts, *(serial for host in hosts.values() for serial in host.machine.devices)]
    )
    for name, count in sorted(owners.items()):
        if count > 1 and (files.folder / FOLDER / name).is_dir():
            raise UsageError(
                f"{FOLDER}/{name} could be for {count}: hosts and devices of this project have the "
                "same name",
                hint="give the devices serial numbers of their own, such as PUMP-0001",
            )


def warn_of_lacking(device: Remote, host: Host) -> None:
    """Tell which secrets a device lacks before it gets an update: without them its trial fails."""
    needed = [each for each in wanted(host) if each.is_required]
    if not needed:
        return
    try:
        there = secrets.ask(device)
    except secrets.OldAgent as error:
        progress.note(f"warning: {error}, and secrets are required: {error.hint}")
        return
    for each in needed:
        if there.lacks(each.name):
            whose = f"{', '.join(each.units)} of {', '.join(each.systems)}"
            progress.note(
                f"warning: {device.to} has no secret {each.name}, which {whose} needs; "
                f"a trial fails without it: reconix secrets push {each.name}"
            )


def _known_identities() -> list[Path]:
    named = os.environ.get("SOPS_AGE_KEY_FILE")
    found = Path(named) if named else places.config_home() / "sops/age/keys.txt"
    return [found] if found.is_file() else []
