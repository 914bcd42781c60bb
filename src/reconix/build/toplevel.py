"""The toplevel: the store path that *is* one system.

It holds nothing of its own but names: which root, which generated files, which kernel, and what the
boot loader has to say to start it. The script of the initrd follows these names; the agent reads
the health checks beside them.

    <hash>-system-<name>/
        boot.json     bootspec v1
        init          → /usr/lib/systemd/systemd
        root etc modules agent   → their objects
        metadata      owners and modes that a store cannot hold
        persist       what must outlive a boot
        given         what the generation has in folders that do
        health.json   what a trial must pass
        update.json   how the system takes updates
        schedule.json when which system runs, if there is a schedule

Source: Nix RFC 125 (bootspec).
Tested by ``tests/unit/build/test_toplevel.py`` and everything that boots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from reconix.base.documents import JsonInput, print_json
from reconix.boot.bootspec import BootSpec, print_bootspec
from reconix.build.on_device import secrets
from reconix.build.root import normalise
from reconix.build.root.normalise import Ownership
from reconix.config.schema.health import (
    Check,
    CommandCheck,
    FailedUnitsCheck,
    FileCheck,
    FreeCheck,
    HttpCheck,
    TcpCheck,
    UnitCheck,
)
from reconix.config.schema.system import System
from reconix.config.schema.values import Architecture, OneShot
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder

INIT = "/usr/lib/systemd/systemd"

ALWAYS = ("gpt", "panic=10")
"""Kernel parameters of every system: look for the backup table; a panic ends in a reboot."""

NIX_SYSTEM = {Architecture.AMD64: "x86_64-linux", Architecture.ARM64: "aarch64-linux"}
"""What Nix calls an architecture."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects that a system consists of."""

    root: StorePath
    etc: StorePath
    linux: StorePath
    linux_version: str
    initrd: StorePath
    agent: StorePath

    def paths(self) -> tuple[StorePath, ...]:
        """All of them."""
        return (self.root, self.etc, self.linux, self.initrd, self.agent)


def make_toplevel(
    name: str,
    system: System,
    architecture: Architecture,
    parts: Parts,
    ownerships: Iterable[Ownership],
    root: Path,
    given: bytes = b"",
    schedule: JsonInput = None,
    one_shot: OneShot = OneShot.FIRMWARE,
) -> Folder:
    """The tree of a toplevel.

    Args:
        name: of the system.
        system: machine and system file, merged.
        architecture: of the host.
        parts: what it refers to.
        ownerships: unusual owners and modes, of the root and of generated files.
        root: where ``parts.root`` lies on the build machine.
        given: what the generation has in folders that persist.
        schedule: of the host, if it has one.
        one_shot: what remembers a trial, on this host.
    """
    return folder(
        {
            "boot.json": File(print_bootspec(_bootspec(name, system, architecture, parts))),
            "init": Symlink(INIT),
            "root": Symlink(str(parts.root)),
            "etc": Symlink(str(parts.etc)),
            "modules": Symlink(f"{parts.linux}/modules"),
            "agent": Symlink(str(parts.agent)),
            "metadata": File(normalise.print_ownerships(ownerships)),
            "persist": File(_persist(name, system, root)),
            "health.json": File(print_json(_health(system))),
            "update.json": File(print_json(_update(system, one_shot))),
            **({"given": File(given)} if given else {}),
            **({"schedule.json": File(print_json(schedule))} if schedule else {}),
        }
    )


def _bootspec(name: str, system: System, architecture: Architecture, parts: Parts) -> BootSpec:
    return BootSpec(
        name=name,
        system=NIX_SYSTEM[architecture],
        label=f"{name} (Linux {parts.linux_version})",
        kernel=f"{parts.linux}/vmlinuz",
        kernel_parameters=(*ALWAYS, *system.kernel.parameters),
        initrd=f"{parts.initrd}/initrd",
    )


def _persist(name: str, system: System, root: Path) -> bytes:
    made = [secrets.FOLDER] if secrets.needed(root, system.files, system.units) else []
    shared = [f"shared {path}\n" for path in dict.fromkeys([*system.persist.shared, *made])]
    own = [f"systems/{name} {path}\n" for path in system.persist.paths]
    return "".join([*shared, *own]).encode()


def _health(system: System) -> JsonInput:
    return {
        "timeout_seconds": system.health.timeout,
        "stable_seconds": system.health.stable,
        "retries": system.health.retries,
        "checks": [
            {**_condition(check), "timeout_seconds": check.timeout}
            for check in system.health.checks
        ],
    }


def _update(system: System, one_shot: OneShot) -> JsonInput:
    return {
        "receive": system.update.receive,
        "trial_timeout_seconds": system.update.trial_timeout,
        "trial_attempts": system.update.trial_attempts,
        "always_attempts": system.update.always_attempts,
        **({} if system.update.automatic else {"automatic": False}),
        **({"window": system.update.window} if system.update.window else {}),
        **({"needs_firmware": False} if one_shot is OneShot.DISK else {}),
    }


def _condition(check: Check) -> Mapping[str, JsonInput]:
    match check:
        case UnitCheck():
            return {"kind": "unit", "unit": check.unit}
        case FailedUnitsCheck():
            return {"kind": "failed-units", "at_most": check.failed_units}
        case TcpCheck():
            return {"kind": "tcp", "port": check.tcp}
        case HttpCheck():
            return _page(check)
        case CommandCheck():
            return {"kind": "command", "command": list(check.command)}
        case FileCheck():
            return {"kind": "file", "path": check.file, "max_age_seconds": check.max_age}
        case FreeCheck():
            return {"kind": "free", "path": check.free, "at_least_bytes": check.at_least}
        case _:
            assert_never(check)


def _page(check: HttpCheck) -> Mapping[str, JsonInput]:
    return {"kind": "http", "port": check.http, "path": check.path, "status": check.status}
