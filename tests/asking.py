"""A model of a device whose systems ask for secrets, and values that are easy to find."""

from pathlib import Path

from tests.device_model import Machine

from reconix.base.secret_values import SecretValue
from reconix.device.settings.secrets import NAME, AskedSecret, print_secrets
from reconix.device.state.lock import exclusive_secrets
from reconix.device.state.secrets import keep
from reconix.store.tree import File, Node

ASKED = (
    AskedSecret("mqtt-password", ("air.service",)),
    AskedSecret("banner", ("air.service", "web@.service"), is_required=False),
)


def asking(*asked: AskedSecret) -> dict[str, Node]:
    """What a toplevel has besides."""
    return {NAME: File(print_secrets(asked or ASKED))}


def device_that_asks(machine: Machine, *asked: AskedSecret) -> Machine:
    """A new device whose systems ask for secrets, started."""
    place = machine.place.with_name("asking")
    made = Machine.make(place, machine.store, extra=asking(*asked))
    made.boot()
    return made


def put(machine: Machine, name: str, content: bytes) -> bool:
    """Keep a value."""
    with exclusive_secrets(machine.paths):
        return keep(machine.paths, SecretValue(name, content))


def files_with(folder: Path, content: bytes) -> list[Path]:
    """All files below a folder in which some bytes are."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if content in path.read_bytes())
