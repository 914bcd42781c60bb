"""A device whose default system has containers, and generations that change them alone."""

from collections.abc import Sequence
from pathlib import Path

from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.base.digests import Digest
from reconix.device.select.watch import watch
from reconix.device.settings.containers import (
    NAMES,
    RULES,
    Container,
    network_unit_of,
    print_containers,
    unit_of,
)
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, folder

BEGIN = ("broker 1", "logger 1", "web 1")
"""Containers, and what makes each what it is."""

LONG = b"long enough for the pool\n" * 100


def made(
    store: ChrootStore, containers: Sequence[str], *, rules: bool = False, units: str = ""
) -> StorePath:
    """An object with some containers, ``NAME VERSION`` or ``NAME VERSION NETWORK``.

    Args:
        store: where it goes.
        containers: these.
        rules: whether there are some for networks.
        units: the version of all units; without it, each has that of its container.
    """
    listed, files = [], {}
    for each in containers:
        name, version, *network = each.split()
        joined = network[0] if network else "private"
        identity = Digest.of(f"{name} {version}".encode())
        listed.append(Container(name, unit_of(name), identity, network=joined))
        files[f"units/{unit_of(name)}"] = File(f"# {units or version}\n".encode())
        if joined == "none":
            files[f"units/{network_unit_of(name)}"] = File(b"")
        files[f"{name}/config.json"] = File(LONG + version.encode())
    if rules:
        files.update({f"units/{unit}": File(b"") for unit in (RULES, NAMES)})
    content = {"containers.json": File(print_containers(listed)), **files}
    return store.add_files(folder(content), "containers-default")


def with_containers(machine: Machine, units: Units, containers: Sequence[str] = BEGIN) -> Machine:
    """The device, running the default system of a generation that has these."""
    add_namespace(units.place)
    machine.boot()
    machine.generation("base", containers={"default": made(machine.store, containers)})
    machine.install("base")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["base"])
    started = machine.boot()
    images = machine.read(machine.generations["base"]).system("default").images
    line = ",".join(digest.hex() for digest in images)
    (machine.paths.run / "images").write_text(f"{line}\n")
    assert watch(machine.device)
    assert started.booted.generation == machine.generations["base"]
    units.activate("multi-user.target", *(unit_of(each.split()[0]) for each in containers))
    return machine


def add_namespace(programs: Path) -> None:
    """A stand-in for ``nsenter``: nothing is mounted, and what should be is written down."""
    program = programs / "nsenter"
    program.write_text(f'#!/bin/sh\necho "nsenter $*" >> {programs}/log\n')
    program.chmod(0o755)


def changed(machine: Machine, name: str, *containers: str, **more: object) -> StorePath:
    """Install a generation that changes the containers of the default system alone."""
    rules, units = bool(more.pop("rules", False)), str(more.pop("units", ""))
    objects = {"default": made(machine.store, containers, rules=rules, units=units)}
    made_ = machine.generation(
        name,
        only=[],
        like="base",
        containers=objects,
        **more,  # type: ignore[arg-type] # the caller knows the names
    )
    machine.install(name)
    return made_
