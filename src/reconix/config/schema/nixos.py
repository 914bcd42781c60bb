"""``systems/<name>.toml`` of a system that Nix built."""

from dataclasses import dataclass, field
from typing import Annotated

from reconix.config.options import Option
from reconix.config.schema.values import Attribute, FlakeReference, NixPath, SpecialisationName


@dataclass(frozen=True, slots=True, kw_only=True)
class Nixos:
    """Where the toplevel of the system comes from: a store path, or a flake that Nix builds."""

    path: Annotated[
        NixPath | None,
        Option(
            'Store path of the toplevel, from the Nix of the build machine; `nix = "/nix/store/…"` '
            "is short for it.",
            '"/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gateway"',
            "when the toplevel was built elsewhere and is in the store of this machine",
            is_short_form=True,
        ),
    ] = None
    flake: Annotated[
        FlakeReference | None,
        Option(
            "Flake to build the toplevel from; one that begins with `.` is relative to this file.",
            '"./nixos"',
            "to have Nix build the toplevel as part of `reconix lock`",
        ),
    ] = None
    attribute: Annotated[
        Attribute | None,
        Option(
            "What to build of the flake.",
            '"nixosConfigurations.gateway.config.system.build.toplevel"',
            "to say which of the flake's systems it is",
        ),
    ] = None
    specialisation: Annotated[
        SpecialisationName | None,
        Option(
            "The specialisation of the toplevel that this system is.",
            '"quiet"',
            "when the system is a variant of another one",
        ),
    ] = None
    all_specialisations: Annotated[
        bool,
        Option(
            "Whether each specialisation becomes a system as well, `<system>-<specialisation>`.",
            "true",
            "to have every variant at choice on the device",
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NixSystem:
    """A system that the real Nix built, with its own kernel, initrd and init; it is taken as it is.

    Its file may have no other options, and `machine.toml` adds nothing to it.
    """

    nix: Nixos = field(default_factory=Nixos)
