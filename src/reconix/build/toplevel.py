"""The toplevel: the store path that *is* one system.

It holds nothing of its own but names: which root, which generated files, which kernel, and what the
boot loader has to say to start it. The script of the initrd follows these names; the agent reads
the health checks beside them.

    <hash>-system-<name>/
        boot.json     bootspec v1
        init          → /usr/lib/systemd/systemd
        root etc modules agent   → their objects
        sidecars/     → owners, modes and times of such objects, for images; not on the device
        containers    → the object with the containers, if there are any
        trees layers  what is bound, or laid over the root (``software/placed.py``)
        persist       what must outlive a boot
        given         what the generation has in folders that do
        removed       what minify took, if trials look out for it
        health.json   what a trial must pass
        update.json   how the system takes updates
        secrets.json  which secrets its units read, if any
        schedule.json when which system runs, if there is a schedule

Source: Nix RFC 125 (bootspec).
Tested by ``tests/unit/build/test_toplevel.py`` and everything that boots.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.boot.bootspec import BootSpec, print_bootspec
from reconix.build.agent import settings
from reconix.build.boot.device_tree import FILE
from reconix.build.on_device import secrets
from reconix.build.software.placed import NOTHING_PLACED, Placed
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.device.settings import containers, removed
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder

INIT = "/usr/lib/systemd/systemd"

ALWAYS = ("gpt", "panic=10")
"""Kernel parameters of every system: look for the backup table; a panic ends in a reboot."""


@dataclass(frozen=True, slots=True)
class Components:
    """The objects that a system consists of."""

    root: StorePath
    etc: StorePath
    linux: StorePath
    linux_version: str
    initrd: StorePath
    agent: StorePath
    root_sidecar: StorePath
    etc_sidecar: StorePath
    modules: StorePath
    """What has the modules of the kernel: the same object, or one of its own."""
    placed: Placed = NOTHING_PLACED
    containers: StorePath | None = None
    """What has all about containers, and refers to what they are made of."""
    device_tree: StorePath | None = None
    """What has that of the board, if a machine names one."""

    def paths(self) -> tuple[StorePath, ...]:
        """All of them."""
        sidecars = (self.root_sidecar, self.etc_sidecar)
        kernel = dict.fromkeys((self.linux, self.modules))
        own = (self.root, self.etc, *kernel, self.initrd, self.agent)
        some = (path for path in (self.containers, self.device_tree) if path)
        return (*own, *sidecars, *self.placed.objects(), *some)

    def links(self) -> dict[str, Symlink]:
        """Those that each system has, and that to containers."""
        found = {
            "root": str(self.root),
            "etc": str(self.etc),
            "modules": f"{self.modules}/modules",
            "agent": str(self.agent),
            "sidecars/root": str(self.root_sidecar),
            "sidecars/etc": str(self.etc_sidecar),
            **({containers.LINK: str(self.containers)} if self.containers else {}),
        }
        return {name: Symlink(target) for name, target in found.items()}


@dataclass(frozen=True, slots=True)
class Lists:
    """What stands beside the links: the script of the initrd obeys it when it makes the root."""

    persist: bytes
    """What must outlive a boot."""
    given: bytes = b""
    """What the generation has in folders that persist."""
    removed: bytes = b""
    """What minify took; nothing: nobody asks. The agent and a shell read it, not the initrd."""


def make_toplevel(host: Host, name: str, components: Components, lists: Lists) -> Folder:
    """The tree of the toplevel of one system.

    Args:
        host: as configured.
        name: of the system.
        components: what it refers to.
        lists: what stands beside these.
    """
    return folder(
        {
            "boot.json": File(print_bootspec(_bootspec(host, name, components))),
            "init": Symlink(INIT),
            **components.links(),
            **{
                f"sidecars/{name}": Symlink(str(sidecar))
                for name, sidecar in components.placed.sidecars().items()
            },
            **{name: File(content) for name, content in components.placed.lists().items()},
            "persist": File(lists.persist),
            **({"given": File(lists.given)} if lists.given else {}),
            **({removed.NAME: File(lists.removed)} if lists.removed else {}),
            **{file: File(content) for file, content in settings.files(host, name).items()},
        }
    )


def _bootspec(host: Host, name: str, components: Components) -> BootSpec:
    return BootSpec(
        name=name,
        system=host.architecture.nix_system,
        label=f"{name} (Linux {components.linux_version})",
        kernel=f"{components.linux}/vmlinuz",
        kernel_parameters=(*ALWAYS, *host.systems[name].kernel.parameters),
        initrd=f"{components.initrd}/initrd",
        device_tree=f"{components.device_tree}/{FILE}" if components.device_tree else None,
    )


def print_persist(name: str, system: System, root: Path) -> bytes:
    """What must outlive a boot: a folder on ``data`` and a path in the root, a line each.

    Args:
        name: of the system.
        system: machine and system file, merged.
        root: its Debian root, as it lies in the store of the build machine.
    """
    made = [secrets.FOLDER] if secrets.needed(root, system.files, system.units) else []
    shared = [f"shared {path}\n" for path in dict.fromkeys([*system.persist.shared, *made])]
    own = [f"systems/{name} {path}\n" for path in system.persist.paths]
    return "".join([*shared, *own]).encode()
