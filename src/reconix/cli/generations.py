"""Generations as they are named on the command line; the grammar is that of ``build/pins.py``.

Tested by ``tests/unit/cli/test_generations.py``.
"""

import argparse
from collections.abc import Callable

from reconix.build.pins import Pin
from reconix.cli import needs, ssh
from reconix.config.schema.hosts import Host
from reconix.fleet.remote import Remote
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.paths import StorePath

Find = Callable[[str], Pin]

LATEST = "latest"
WORDS = "number, -1 (the one before the latest), latest, device (what runs there), or store path"


def add_generation(parser: argparse.ArgumentParser, meaning: str = "") -> None:
    """Let ``--generation`` name one; without it, the one that was built last is meant.

    Args:
        parser: of a command.
        meaning: what the command does with it, for the help.
    """
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        default=LATEST,
        help=f"{meaning}{WORDS} (default: latest)",
    )


def finder(
    arguments: argparse.Namespace, files: ProjectFiles, store: ChrootStore, host: Host
) -> Find:
    """Finds generations of a host by word; a device is asked only if the word says so.

    What it gives raises ``UsageError`` where there is no such generation, and ``NotReached`` where
    the device does not answer.
    """
    pins = files.pins(store, host)

    def on_device(to: str) -> StorePath:
        if to:
            needs.expect(*needs.REACH)
            return Remote(to).status().committed
        return ssh.device(arguments, files.workplace(host), host).status().committed

    return lambda text: pins.find(text, on_device)
