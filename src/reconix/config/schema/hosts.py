"""The result of loading: hosts with their systems, checked, ready to be built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.config.schema.board import About
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import Nixos
from reconix.config.schema.project import Project, TrustRoot, Updates
from reconix.config.schema.system import System


@dataclass(frozen=True, slots=True)
class Host:
    """One kind of device with all its systems, ready to be built."""

    name: str
    folder: Path
    hostname: str
    architecture: Architecture
    machine: Machine
    systems: Mapping[str, System]
    """By name, sorted; the default system is among them."""
    nixos: Mapping[str, Nixos] = field(default_factory=dict)
    """Systems that Nix built, by name, sorted; none of them is in ``systems``."""
    trust: TrustRoot = field(default_factory=TrustRoot)
    """Which keys it trusts: the same for all hosts of the project."""
    updates: Updates = field(default_factory=Updates)
    """Where it looks for updates: likewise."""
    board: About | None = None
    """What it is, if it is one that is known."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole project, checked."""

    folder: Path
    project: Project
    hosts: Mapping[str, Host]
    """By name, sorted."""
