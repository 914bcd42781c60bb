"""What tests of rules between systems share: a host with some systems, and its mistakes."""

from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem

MACHINE = 'kernel.package = "linux-image-cloud-amd64"\n[health]\nchecks = [{ tcp = 22 }]\n'


def write(folder: Path, machine: str = "", **systems: str) -> None:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(f"{MACHINE}{machine}")
    for name, text in {"default": "", **systems}.items():
        (folder / f"hosts/gw/systems/{name}.toml").write_text(text)


def mistakes(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(BadConfiguration) as failure:
        load(folder)
    return failure.value.problems
