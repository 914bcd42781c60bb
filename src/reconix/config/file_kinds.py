"""What is allowed in each kind of file of a project.

    reconix.toml                      the project
    hosts/<host>/machine.toml         the machine, and what all its systems share
    hosts/<host>/systems/<name>.toml  a system, or where one comes from that Nix built

Modules of a project add tables of their own to systems, so this depends on the project.

Tested by ``tests/unit/config/test_reference.py``, which prints all of it.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.config.modules.evaluation import built_in_modules, find_modules
from reconix.config.problems import BadConfiguration
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import NixSystem
from reconix.config.schema.project import Project
from reconix.config.schema.system import Imports, System
from reconix.config.shapes import TableShape, shape_of

PROJECT_FILE = "reconix.toml"
PROJECT = shape_of(Project)
"""What is allowed in ``reconix.toml``."""
MACHINE = shape_of(Machine)
SYSTEM = shape_of(System)
"""Options of a system without those of modules."""
NIX_SYSTEM = shape_of(NixSystem)
IMPORTS = shape_of(Imports)


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is allowed in the files below ``hosts/``."""

    machine: TableShape
    """Options of the machine."""
    system: TableShape
    """Options of a system."""

    machine_file: TableShape
    """What is allowed in ``machine.toml``."""
    system_file: TableShape
    """What is allowed in the file of a system."""


def shapes_with(system: TableShape) -> Shapes:
    """What is allowed where, if systems have these options."""
    return Shapes(
        machine=MACHINE,
        system=system,
        machine_file=MACHINE.with_options_of(system).with_options_of(IMPORTS),
        system_file=system.with_options_of(NIX_SYSTEM).with_options_of(IMPORTS),
    )


def built_in_shapes() -> Shapes:
    """What is allowed in the files of a project without modules of its own."""
    return shapes_with(built_in_modules(SYSTEM).system)


def find_shapes(folder: Path) -> Shapes:
    """What is allowed in the files of the project in a folder.

    Raises:
        BadConfiguration: a module of it cannot be used.
    """
    found, problems = find_modules(folder, SYSTEM)
    if problems:
        raise BadConfiguration(problems)
    return shapes_with(found.system)
