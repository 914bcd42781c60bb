"""Show the final value of every option of a system.

Imports, machine.toml and the file of the system are merged, and every option is shown with its
value, whether it was set or not. The output is valid TOML; an option without a value is a comment.
With a host alone, what its systems share is shown.

    reconix show gateway:web                  everything
    reconix show gateway:web health           a table
    reconix show gateway:web ssh.port --origins

--origins adds where each value was set; `default` means nowhere.

Exit status: 0 success, 2 an error in the configuration, or no such host, system or option.
"""

import argparse
import tomllib

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.config.load import Loaded, load_with_places
from reconix.config.modules.evaluation import BUILT_IN_FOLDER
from reconix.config.problems import Place
from reconix.config.show import Row, rows, select
from reconix.project.workplace import pick_host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("what", metavar="HOST[:SYSTEM]", help="a host, or one of its systems")
    parser.add_argument(
        "key", metavar="KEY", nargs="?", help="an option or a table (default: all options)"
    )
    parser.add_argument("--origins", action="store_true", help="add where each value was set")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    loaded = load_with_places(places.project(arguments))
    host, _, system = arguments.what.partition(":")
    found = _rows(loaded, host, system)
    if arguments.key:
        found = select(found, arguments.key)
    shown = _Shown(loaded, origins=arguments.origins)
    document: JsonInput = {
        "host": host,
        "system": system or None,
        "options": [shown.document(row) for row in found],
    }
    answer(arguments, text="\n".join(shown.line(row) for row in found), document=document)
    return 0


def _rows(loaded: Loaded, host: str, system: str) -> list[Row]:
    """All options of a system and of its machine."""
    found = pick_host(loaded.configuration, host)
    if system in found.nixos:
        hint = "its options are in the NixOS configuration"
        raise UsageError(f"{host}:{system} is built by Nix and has no options here", hint=hint)
    known = found.systems
    if system and system not in known:
        raise UsageError(f"{host} has no system {system!r}", hint=f"it has: {', '.join(known)}")
    machine = loaded.machines[host]
    table = loaded.systems[host][system] if system else machine
    return [*rows(loaded.shapes.machine, machine), *rows(loaded.shapes.system, table)]


class _Shown:
    """Prints rows, places as seen from the project."""

    def __init__(self, loaded: Loaded, *, origins: bool) -> None:
        self._folder, self._origins = loaded.configuration.folder, origins

    def line(self, row: Row) -> str:
        text = f"# {row.key} is not set" if row.value is None else f"{row.key} = {row.value}"
        if not self._origins or row.value is None:
            return text
        return f"{text}  # {', '.join(map(self._place, row.places)) or 'default'}"

    def document(self, row: Row) -> JsonInput:
        # What is shown is TOML, so TOML says what it is in JSON.
        value = None if row.value is None else tomllib.loads(f"value = {row.value}")["value"]
        return {"key": row.key, "value": value, "origins": [*map(self._place, row.places)]}

    def _place(self, place: Place) -> str:
        if place.file.is_relative_to(BUILT_IN_FOLDER):
            return f"module {place.file.stem}"
        return str(place).removeprefix(f"{self._folder}/")
