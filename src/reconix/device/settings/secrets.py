"""Which secrets a system asks for, and for which units: ``secrets.json`` of its toplevel.

    {"version": 1, "secrets": [
        {"name": "mqtt-password", "units": ["air.service"], "required": true}, …]}

No value is in it, nor anything that was made of one: a generation is the same for all devices, and
anybody may read it. The values are on ``data`` (``device/state/secrets.py``). A system without the
file asks for none.

Tested by ``tests/unit/device/settings/test_secrets.py``.
"""

from collections.abc import Iterable

from reconix.base.documents import Fields, print_json
from reconix.base.records import dataclass
from reconix.base.secret_values import check_name
from reconix.store.paths import StorePath
from reconix.store.registry import NotInstalled, Registry

NAME = "secrets.json"
VERSION = 1
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class AskedSecret:
    """A secret that a system asks for; valid by construction.

    Attributes:
        name: of it.
        units: what may read it.
        is_required: whether a system is unhealthy that does not have it.
    """

    name: str
    units: tuple[str, ...]
    is_required: bool = True

    def __post_init__(self) -> None:
        check_name(self.name)


def print_secrets(asked: Iterable[AskedSecret]) -> bytes:
    """``secrets.json`` of a toplevel."""
    return print_json(
        {
            "version": VERSION,
            "secrets": [
                {"name": each.name, "units": list(each.units), "required": each.is_required}
                for each in sorted(asked)
            ],
        }
    )


def parse_secrets(content: bytes, *, source: str) -> tuple[AskedSecret, ...]:
    """Read ``secrets.json``.

    Raises:
        BadDocument, BadSecret: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(VERSION)
    return tuple(
        AskedSecret(each.text("name"), tuple(each.texts("units")), each.flag("required"))
        for each in fields.objects("secrets")
    )


def read_secrets(registry: Registry, toplevel: StorePath) -> tuple[AskedSecret, ...]:
    """What the system with this toplevel asks for.

    Raises:
        ReconixError: it cannot be read.
    """
    try:
        content = registry.read(toplevel, NAME, limit_bytes=MAX_BYTES)
    except NotInstalled:
        return ()
    return parse_secrets(content, source=f"{toplevel}/{NAME}")
