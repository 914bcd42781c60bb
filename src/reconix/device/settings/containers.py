"""The containers of a system: ``containers.json`` of the object that its toplevel links to.

    {"version": 1, "containers": [
        {"name": "broker", "image": "registry.example.com/broker:2", "digest": "sha256:…",
         "packages": [], "identity": "<64 hex digits>", "unit": "container-broker.service",
         "health": true, "network": "private", "objects": ["/nix/store/…", …]}, …]}

An ``identity`` stands for all that makes a container: its layers, its settings, its unit. Two that
have the same are the same, and one need not be stopped for the other. A container of Debian
packages has no image and no digest, ``null``. A system without containers has neither the link nor
the file.

Tested by ``tests/unit/device/settings/test_containers.py``.
"""

import re
from collections.abc import Iterable

from reconix.base.digests import Digest
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.records import dataclass
from reconix.store.paths import StorePath
from reconix.store.registry import NotInstalled, Registry

NAME = "containers.json"
LINK = "containers"
"""What leads from a toplevel to the object with the file."""
RULES = "reconix-container-network.service"
"""The unit with the rules of all networks, if there are some."""

NAMES = "reconix-container-names.path"
"""The unit that tells containers which servers resolve names, if there is one."""

VERSION = 1
MAX_BYTES = 4 << 20
_MAX_CONTAINERS = 4096
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,190}\.service")


@dataclass(frozen=True, slots=True, order=True)
class Container:
    """A container of a system; valid by construction.

    Attributes:
        name: of it.
        unit: that runs it.
        identity: of all that makes it.
        image: the reference of its image, as it was written; empty for one of packages.
        digest: of what the reference stood for.
        packages: the Debian packages that were asked for, if there is no image.
        has_health: whether a command says that it works.
        network: ``host``, ``none``, ``private``, or ``with:`` and another container.
        objects: what it is made of, in the store.
    """

    name: str
    unit: str
    identity: Digest
    image: str = ""
    digest: Digest | None = None
    packages: tuple[str, ...] = ()
    has_health: bool = False
    network: str = "private"
    objects: tuple[StorePath, ...] = ()

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise BadDocument(f"{self.name[:80]!r} is not the name of a container")
        if not _UNIT.fullmatch(self.unit):
            raise BadDocument(f"{self.unit[:80]!r} is not the unit of a container")

    @property
    def joins(self) -> str:
        """The container whose network is its own; "" if there is none."""
        return self.network.removeprefix("with:") if self.network.startswith("with:") else ""

    @property
    def what(self) -> str:
        """What it was made of, in a word: its image or its packages."""
        return self.image or " ".join(self.packages) or "Debian"


def is_name(text: str) -> bool:
    """Whether a container may be called so."""
    return _NAME.fullmatch(text) is not None


def unit_of(name: str) -> str:
    """The unit that runs the container of this name."""
    return f"container-{name}.service"


def network_unit_of(name: str) -> str:
    """The unit that makes its network, if it is its own."""
    return f"container-{name}-network.service"


def health_timer_of(name: str) -> str:
    """The unit that starts its health check, if it has one."""
    return f"container-{name}-health.timer"


def print_containers(containers: Iterable[Container]) -> bytes:
    """``containers.json``."""
    return print_json(
        {
            "version": VERSION,
            "containers": [
                {
                    "name": each.name,
                    "image": each.image or None,
                    "digest": None if each.digest is None else str(each.digest),
                    "packages": list(each.packages),
                    "identity": each.identity.hex(),
                    "unit": each.unit,
                    "health": each.has_health,
                    "network": each.network,
                    "objects": [str(path) for path in each.objects],
                }
                for each in sorted(containers, key=lambda each: each.name)
            ],
        }
    )


def parse_containers(content: bytes, *, source: str) -> tuple[Container, ...]:
    """Read ``containers.json``.

    Raises:
        BadDocument, BadDigest, BadStorePath: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(VERSION)
    found = tuple(map(_container, fields.objects("containers")))
    if len({each.name for each in found}) < len(found) or len(found) > _MAX_CONTAINERS:
        raise BadDocument(f"{source}: a container stands twice, or there are too many")
    return found


def _container(fields: Fields) -> Container:
    return Container(
        fields.text("name"),
        fields.text("unit"),
        Digest.parse(fields.text("identity")),
        fields.text("image") if fields.has("image") else "",
        Digest.parse(fields.text("digest")) if fields.has("digest") else None,
        tuple(fields.texts("packages")),
        fields.flag("health"),
        fields.text("network"),
        tuple(map(StorePath.parse, fields.texts("objects"))),
    )


def containers_object(registry: Registry, toplevel: StorePath) -> StorePath | None:
    """The object with the containers of the system with this toplevel, if it has some.

    Raises:
        ReconixError: it cannot be found out.
    """
    try:
        return StorePath.parse(registry.link(toplevel, LINK))
    except NotInstalled:
        return None


def read_containers(registry: Registry, found: StorePath | None) -> tuple[Container, ...]:
    """The containers of which this object tells; ``None``: there are none.

    Raises:
        ReconixError: it cannot be read.
    """
    if found is None:
        return ()
    content = registry.read(found, NAME, limit_bytes=MAX_BYTES)
    return parse_containers(content, source=f"{found}/{NAME}")
