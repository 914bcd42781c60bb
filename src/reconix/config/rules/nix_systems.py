"""A system that Nix built comes from one place, and nothing is added to it.

Tested by ``tests/unit/config/test_nix_systems.py``.
"""

from collections.abc import Iterator

from reconix.config.merge import Table
from reconix.config.origins import place_of, place_of_value
from reconix.config.problems import Place, Problem
from reconix.config.schema.nixos import Nixos


def check_nix_system(nixos: Nixos, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for a system that Nix built."""
    for key, value in table.entries.items():
        if key != "nix":
            hint = "set it in the NixOS configuration, or remove nix"
            yield Problem(
                place_of_value(value, file),
                key,
                "this system is built by Nix: nothing can be added to it",
                hint,
            )
    place = place_of(table, "nix", default=file)
    if (nixos.path is None) == (nixos.flake is None):
        said = "neither path nor flake" if nixos.path is None else "path and flake"
        yield Problem(place, "nix", f"has {said}", "set one of the two")
    if (nixos.flake is None) != (nixos.attribute is None):
        missing, there = ("attribute", "flake") if nixos.flake else ("flake", "attribute")
        yield Problem(place, "nix", f"has {there} without {missing}", f"add {missing}")
    if nixos.specialisation is not None and nixos.all_specialisations:
        fact = "has both specialisation and all_specialisations"
        yield Problem(place, "nix", fact, "remove one of the two")
