"""The generated files of a system, laid over those of its Debian root.

They are an object of their own, so that a changed port does not make a new root. Everything here is
a pure function of the configuration and, for users and units, of the root: no disk is written, the
result is a tree in memory and what is to be said about the owners and modes in it.

Tested by ``tests/unit/build/etc/test_generated_files.py``; what systemd makes of them, by
``tests/vm/``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.build.agent.units import KEPT_MOUNTS
from reconix.build.etc import authorities, authorized_keys, configured_files, resolv_conf
from reconix.build.etc.file_metadata import Below
from reconix.build.etc.networks import make_networks, unmanaged
from reconix.build.on_device import caches, databases, secrets
from reconix.build.root.described import Packages
from reconix.build.templates import DATA, fill
from reconix.build.units import (
    credentials,
    enabling,
    suppressed_units,
    update_timers,
    volumes,
    wifi,
)
from reconix.build.units.unit_files import FOLDER, UnitFiles
from reconix.build.users import subordinate_ids
from reconix.build.users.accounts import Accounts
from reconix.config.schema.containers import container_unit
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.software import Secret
from reconix.config.schema.system import Services, System
from reconix.store.sidecar import Entries
from reconix.store.tree import File, Folder, Symlink, folder

AGENT_PLACE = "reconix/reconix-device.pyz"

Files = dict[str, File | Symlink]

_GENERATOR = (DATA / "containers-generator").read_bytes()
_COMMAND_NOT_FOUND = "profile.d/reconix-removed.sh"
_KEPT = File(b"# Nothing unmounts it before the last program.\n[Unit]\nDefaultDependencies=no\n")


@dataclass(frozen=True, slots=True)
class Etc:
    """The content of ``/etc`` that we generate, and its owners and modes."""

    tree: Folder
    metadata: Entries


def make_etc(
    system: System,
    *,
    hostname: str,
    accounts: Accounts,
    packages: Packages,
    agent: str,
    agent_units: Mapping[str, str],
) -> Etc:
    """Generate the files of one system.

    Args:
        system: machine and system file, merged.
        hostname: of the device.
        accounts: everybody on the system.
        packages: the Debian root, with the numbers of this host.
        agent: the path of the agent's program, on the device.
        agent_units: the units that run it, by name.

    Raises:
        UnknownAccount, UnknownUnit, NotInstallable: the configuration names what does not exist.
    """
    root = packages.root
    made = secrets.needed(root, system.files, system.units)
    stores = list(databases.needed(root))
    own = {
        **own_units(system, agent_units),
        **secrets.make_units(made),
        **databases.make_units(stores),
    }
    generated = generated_units(system, own)
    _check_units(system, generated, root)
    files: Files = {
        **_identity(hostname),
        **{name: File(content) for name, content in accounts.files().items()},
        **{f"{FOLDER}/{name}": File(content) for name, content in own.items()},
        **enabling.links(_services(system), own, generated, root),
        **_kernel_settings(system),
        **_defaults(),
        **_networks(system, root),
        **credentials.make_files(secrets_in_etc(system)),
        **wifi.make_files(system),
        **{path: Symlink("/dev/null") for path in suppressed_units.masked(system, root)},
        **resolv_conf.files(system, root),
        **authorities.files(system.certificates.authorities, root),
        **authorized_keys.files(system.users, accounts, root),
        **subordinate_ids.files(system.users, accounts, root),
        **secrets.make_files(made, system.files),
        **databases.make_files(stores),
        **_command_not_found(system),
        AGENT_PLACE: Symlink(agent),
    }
    configured = system.files_below_etc
    files |= {path: configured_files.written(file) for path, file in configured.items()}
    tree = folder(files)
    below = Below(packages, "etc", configured_files.metadata(configured, accounts))
    return Etc(tree, below.describe(tree))


def _check_units(system: System, generated: Files, root: Path) -> None:
    files = UnitFiles(generated, root)
    enabling.check_known(checked_units(system), generated, root)
    enabling.check_not_always_active(checked_units(system), files)
    for name, secret in sorted(secrets_in_etc(system).items()):
        because = f"secrets.{name} is for"
        enabling.check_known(secret.units, generated, root, because=because)
    enabling.check_private(system, files)


def secrets_in_etc(system: System) -> dict[str, Secret]:
    """The secrets, for units that are not of containers: those are not in ``/etc``."""
    return {
        name: replace(secret, units=_without_containers(secret.units, system))
        for name, secret in system.secrets.items()
    }


def _without_containers(units: Iterable[str], system: System) -> tuple[str, ...]:
    of_containers = {container_unit(name) for name in system.containers}
    return tuple(unit for unit in units if unit not in of_containers)


def own_units(system: System, agent_units: Mapping[str, str]) -> dict[str, bytes]:
    """The units that no package brings, by name."""
    return {
        **{name: unit.read() for name, unit in system.units.items()},
        **{name: text.encode() for name, text in agent_units.items()},
        **volumes.make_mounts(system.volumes),
        **update_timers.make_units(system.update),
        **wifi.make_units(system),
        **caches.make_units(system.files, _sources(system)),
    }


def _sources(system: System) -> Mapping[str, Path]:
    return {place: tree.source for place, tree in system.trees.items()}


def generated_units(system: System, own: Mapping[str, bytes]) -> Files:
    """All that the configuration has among the units, by path: drop-ins and files included."""
    under = f"{FOLDER}/"
    listed = {p.removeprefix(under): f for p, f in system.files.items() if p.startswith(under)}
    return {
        **{name: File(content) for name, content in own.items()},
        **{path: configured_files.written(file) for path, file in listed.items()},
    }


def units_of_ones_own(system: System) -> dict[str, list[str]]:
    """What the configuration says of services, by name: units and drop-ins, in order.

    What packages say in theirs is not among it.
    """
    own = {name: unit.read() for name, unit in system.units.items()}
    texts: dict[str, list[str]] = {}
    for path, node in sorted(generated_units(system, own).items()):
        unit, _, name = path.partition("/")
        is_drop_in = unit.endswith(".d") and name.endswith(".conf")
        if isinstance(node, File) and (is_drop_in or not name):
            text = node.content.decode(errors="replace")
            texts.setdefault(unit.removesuffix(".d"), []).append(text)
    return {unit: found for unit, found in texts.items() if unit.endswith(".service")}


def checked_units(system: System) -> list[str]:
    """The units that health checks wait for, but for those of containers."""
    asked = (check.unit for check in system.health.checks if isinstance(check, UnitCheck))
    return [*_without_containers(asked, system)]


def _services(system: System) -> Services:
    """What the configuration enables, and what the rest of it requires."""
    needed = ["systemd-networkd.service"] if system.network else []
    asked = system.services
    idle = [wifi.OF_THE_PACKAGE] if system.wifi and wifi.OF_THE_PACKAGE not in asked.enable else []
    return replace(asked, enable=(*needed, *asked.enable), disable=tuple({*asked.disable, *idle}))


def _identity(hostname: str) -> Files:
    return {
        "hostname": File(f"{hostname}\n".encode()),
        "hosts": File(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {hostname}\n".encode()),
        "machine-id": File(b""),  # the script of the initrd lays the device's own over it
        "fstab": File(b"# Everything is mounted by the initrd.\n"),
        # Nothing has to be updated at boot: /usr and /etc come from one build.
        ".updated": File(b"TIMESTAMP_NSEC=1000000000\n"),
    }


def _command_not_found(system: System) -> Files:
    """What bash says of a command that minify took."""
    if not system.minify.is_trapped:
        return {}
    return {_COMMAND_NOT_FOUND: File(fill("removed.sh").encode())}


def _defaults() -> Files:
    return {
        f"{suppressed_units.GENERATORS}/reconix-containers": File(_GENERATOR, executable=True),
        f"{FOLDER}/default.target": Symlink("/usr/lib/systemd/system/multi-user.target"),
        **{f"{FOLDER}/{name}.mount.d/reconix.conf": _KEPT for name in KEPT_MOUNTS},
        "systemd/journald.conf.d/reconix.conf": File(
            b"[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n"
        ),
        "systemd/system.conf.d/reconix.conf": File(
            b"[Manager]\nRuntimeWatchdogSec=60s\nRebootWatchdogSec=2min\n"
            b"DefaultTimeoutStopSec=15s\n"
        ),
    }


def _networks(system: System, root: Path) -> Files:
    described = make_networks(system.network).items()
    return {
        **{f"systemd/network/{name}": File(text) for name, text in described},
        **_waiting_for_networks(system),
        **unmanaged(system.network, root),
    }


def _waiting_for_networks(system: System) -> Files:
    """How long units that want to be online wait for it: less than a trial waits for them.

    Without a cable the time runs out, and units that do not need a network start all the same.
    """
    program = "/usr/lib/systemd/systemd-networkd-wait-online"
    lines = f"[Service]\nExecStart=\nExecStart={program} --timeout={system.health.timeout // 2}\n"
    place = f"{FOLDER}/systemd-networkd-wait-online.service.d/reconix.conf"
    return {place: File(lines.encode())} if system.network else {}


def _kernel_settings(system: System) -> Files:
    files: Files = {}
    if system.sysctl:
        lines = "".join(f"{key} = {value}\n" for key, value in sorted(system.sysctl.items()))
        files["sysctl.d/90-reconix.conf"] = File(lines.encode())
    if system.kernel.modules:
        names = "".join(f"{name}\n" for name in system.kernel.modules)
        files["modules-load.d/reconix.conf"] = File(names.encode())
    return files
