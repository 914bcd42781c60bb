"""Boot specifications: what a boot loader must know to start one system.

A toplevel carries ``boot.json`` in the format of NixOS (bootspec v1): kernel, initrd, parameters
and the program to start. So a boot tree is made in one way for systems of ours and for those that a
real Nix built. What we add stands under a key of our own.

An object of ours is named after its content and cannot contain its own name. It says ``@toplevel@``
instead, and the real path is put in when the document is read. Documents of NixOS name their
toplevel and pass through unchanged. They may also have specialisations: complete systems with a
toplevel of their own, each described by a document of the same form inside the document.

    {"org.nixos.bootspec.v1": {"system": "x86_64-linux", "label": "mqtt (Linux 6.12.1)",
         "kernel": "/nix/store/…-linux-6.12.1/vmlinuz", "kernelParams": ["gpt", "panic=10"],
         "initrd": "/nix/store/…-initrd/initrd", "init": "@toplevel@/init",
         "toplevel": "@toplevel@"},
     "org.nixos.specialisation.v1": {"quiet": {"org.nixos.bootspec.v1": {…}}},
     "org.reconix.v1": {"name": "mqtt", "deviceTree": "/nix/store/…-device-tree/device-tree.dtb"}}

Source: Nix RFC 125, *Bootspec*.
Tested by ``tests/unit/boot/test_bootspec.py``.
"""

import re
from collections.abc import Mapping

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, replace

SELF = "@toplevel@"
MAX_BYTES = 1 << 20

_NIXOS, _RECONIX = "org.nixos.bootspec.v1", "org.reconix.v1"
_SPECIALISATIONS = "org.nixos.specialisation.v1"
_STORE_FILE = re.compile(
    r"/nix/store/[0-9a-z]{32}-[0-9a-zA-Z+._?=-]+(/(?!\.{1,2}(/|\Z))[0-9a-zA-Z+._?=@-]+)+"
)
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*")


class BadBootSpec(ReconixError):
    """A boot specification cannot be used to start a system."""

    exit_code = 36


@dataclass(frozen=True, slots=True)
class BootSpec:
    """How one system is started; valid by construction.

    Args:
        name: of the system; NixOS does not give one.
        system: architecture and kernel as Nix says it, ``x86_64-linux``.
        label: for people.
        kernel: path of the kernel in the store.
        kernel_parameters: without ``init=``.
        initrd: path of the initrd in the store; a kernel may do without one.
        toplevel: the store path of the system, or ``SELF``.
        init: the first program.
        device_tree: path of the description of the board in the store; most need none.
    """

    name: str
    system: str
    label: str
    kernel: str
    kernel_parameters: tuple[str, ...]
    initrd: str | None
    toplevel: str = SELF
    init: str = f"{SELF}/init"
    device_tree: str | None = None

    def __post_init__(self) -> None:
        for path in self.files:
            if not _STORE_FILE.fullmatch(path):
                raise BadBootSpec(f"{path!r} is no file in the store")
        for text in (self.name, self.system, self.label, self.init, *self.kernel_parameters):
            if not _ONE_LINE.fullmatch(text):
                raise BadBootSpec(f"{text!r} does not fit on a line")
        if " " in self.init or not self.init.startswith(("/", SELF)):
            raise BadBootSpec(f"{self.init!r} is no path of a program")

    @property
    def files(self) -> tuple[str, ...]:
        """What a slot must hold to start it, as paths in the store."""
        return tuple(path for path in (self.kernel, self.initrd, self.device_tree) if path)


def parse_bootspec(content: bytes, *, toplevel: str) -> BootSpec:
    """Read ``boot.json`` of a toplevel.

    Args:
        content: of the file.
        toplevel: its store path, which takes the place of ``SELF``.

    Raises:
        BadDocument: it is not in the format.
        BadBootSpec: what it says cannot start a system.
    """
    document = Fields.parse(content, source=f"{toplevel}/boot.json")
    return _with_path(_spec(document), toplevel)


def parse_specialisations(content: bytes, *, toplevel: str) -> Mapping[str, BootSpec]:
    """Read the specialisations in ``boot.json`` of a toplevel; most have none.

    Each names the toplevel that it is.

    Raises:
        BadDocument: it is not in the format.
        BadBootSpec: what it says cannot start a system.
    """
    document = Fields.parse(content, source=f"{toplevel}/boot.json")
    if not document.has(_SPECIALISATIONS):
        return {}
    found = document.object(_SPECIALISATIONS)
    return {name: _spec(found.object(name)) for name in found.names()}


def _spec(document: Fields) -> BootSpec:
    if not document.has(_NIXOS):
        raise BadDocument(f"{document.source} is no boot specification: {_NIXOS!r} is missing")
    fields = document.object(_NIXOS)
    ours = document.object(_RECONIX) if document.has(_RECONIX) else None
    return BootSpec(
        name=ours.text("name") if ours else "",
        system=fields.text("system"),
        label=fields.text("label"),
        kernel=fields.text("kernel"),
        kernel_parameters=tuple(fields.texts("kernelParams")),
        initrd=fields.text("initrd") if fields.has("initrd") else None,
        toplevel=fields.text("toplevel"),
        init=fields.text("init"),
        device_tree=ours.text("deviceTree") if ours and ours.has("deviceTree") else None,
    )


def _with_path(spec: BootSpec, toplevel: str) -> BootSpec:
    found = spec.toplevel.replace(SELF, toplevel)
    if found != toplevel:
        raise BadBootSpec(f"the boot specification of {toplevel} is that of {found}")
    return replace(spec, toplevel=toplevel, init=spec.init.replace(SELF, toplevel))


def print_bootspec(spec: BootSpec) -> bytes:
    """The document of a boot specification; the opposite of ``parse_bootspec``."""
    fields: dict[str, JsonInput] = {
        "system": spec.system,
        "label": spec.label,
        "kernel": spec.kernel,
        "kernelParams": list(spec.kernel_parameters),
        "init": spec.init,
        "toplevel": spec.toplevel,
    }
    if spec.initrd is not None:
        fields["initrd"] = spec.initrd
    document: dict[str, JsonInput] = {_NIXOS: fields}
    if spec.name:
        ours: dict[str, JsonInput] = {"name": spec.name}
        if spec.device_tree is not None:
            ours["deviceTree"] = spec.device_tree
        document[_RECONIX] = ours
    return print_json(document)
