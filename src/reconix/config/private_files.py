"""Files of a project that no generation may have, whichever option names them.

    secrets/          values of secrets: they go to devices by themselves
    keys/devices/     keys of single devices
    keys/NAME         the secret half of keys/NAME.pub: who has it signs updates, or logs in

A file that is named in a configuration ends in a generation, and so with everybody who holds a
stream. A link to one of these files is no way around.

Tested by ``tests/unit/config/test_private_files.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from reconix.config.merge import Table, settings
from reconix.config.problems import Problem
from reconix.config.schema.values import FilePattern

_SECRETS = "secrets"
_KEYS = "keys"
_DEVICES = "keys/devices"


def private_files(table: Table, folder: Path) -> Iterator[Problem]:
    """Options that name a private file.

    Args:
        table: of a file of the configuration, or of several.
        folder: of the project.
    """
    for key, setting in settings(table):
        named = setting.value
        if isinstance(named, Path):
            each = named.files() if isinstance(named, FilePattern) else (Path(named),)
            for path in each:
                if why := _why_private(_real(path), _real(folder)):
                    hint = "give it to devices as a secret: docs/secrets.md"
                    yield Problem(setting.place, key, f"{path} {why}", hint)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _why_private(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder / _SECRETS) or path.is_relative_to(folder / _DEVICES):
        return "is private, and would be in every generation"
    shown = path.with_name(f"{path.name}.pub")
    if path.is_relative_to(folder / _KEYS) and path.suffix != ".pub" and shown.is_file():
        return f"is the secret half of {shown.name}, and would be in every generation"
    return ""
