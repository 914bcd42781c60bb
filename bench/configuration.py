"""How long it takes to read and check a project of twenty hosts with ten systems each.

The bar is half a second, for everything: a mistake is told before anybody looks away. Everything is
the configuration, the lock, and what the store knows of the locked packages.
"""

import tempfile
import time
from pathlib import Path

from reconix.base.digests import Digest
from reconix.build import cached_recipes, recipes
from reconix.build.inspect.preflight import Preflight
from reconix.config.load import Loaded, load_with_places
from reconix.config.lock.document import parse_lock, print_lock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.nix.chroot import ChrootStore

HOSTS, SYSTEMS, PACKAGES = 20, 10, 120
EXAMPLE = Path(__file__).parents[1] / "examples" / "gateway"
SHARED = EXAMPLE / "hosts" / "gateway"


def write_project(folder: Path) -> None:
    """Write the example, many times over."""
    (folder / "keys").mkdir()
    (folder / "keys/operator.pub").write_text("ssh-ed25519 AAAA bench\n")
    (folder / "reconix.toml").write_bytes((EXAMPLE / "reconix.toml").read_bytes())
    for host in range(HOSTS):
        systems = folder / f"hosts/host-{host}/systems"
        systems.mkdir(parents=True)
        (systems.parent / "machine.toml").write_bytes((SHARED / "machine.toml").read_bytes())
        (systems / "default.toml").touch()
        for system in range(1, SYSTEMS):
            text = (SHARED / "systems/mqtt.toml").read_bytes()
            (systems / f"system-{system}.toml").write_bytes(text)


def package(name: str) -> LockedPackage:
    """One that was never anywhere."""
    digest, path = Digest.of(name.encode()), f"pool/main/{name}.deb"
    return LockedPackage(name, "1.0-1", "amd64", 1, digest, "debian", path, "20260101T000000Z")


def make_lock(loaded: Loaded) -> Lock:
    """A lock that fits: each system has a set of packages of its own."""
    common = tuple(package(f"package-{number}") for number in range(PACKAGES))
    kernel, tool = (package("linux-image-6.12.1-amd64"),), (package("tool"),)
    return Lock(
        {
            name: HostLock(
                "amd64",
                ("trixie",),
                ("main",),
                tool,
                tool,
                {
                    each: SystemLock(
                        tuple(sorted(set(system.packages))),
                        (*common, package(f"of-{each}")),
                        system.kernel.package,
                        kernel,
                    )
                    for each, system in host.systems.items()
                },
            )
            for name, host in loaded.configuration.hosts.items()
        }
    )


def fill(store: ChrootStore, lock: Lock) -> None:
    """What builds of all hosts would leave; equal roots are one."""

    def root(into: Path) -> None:
        (into / "usr/lib/systemd/system").mkdir(parents=True)
        (into / "etc").mkdir()
        (into / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (into / "etc/group").write_text("root:x:0:\n")
        for unit in (
            "dropbear",
            "mosquitto",
            "systemd-networkd",
            *(f"unit-{number}" for number in range(300)),
        ):
            (into / f"usr/lib/systemd/system/{unit}.service").write_text("[Service]\n")

    for host in lock.hosts.values():
        for system in host.systems.values():
            recipes.realise(store, cached_recipes.root_recipe(system, host), root)
            recipes.realise(
                store, cached_recipes.linux_recipe(system), lambda into: into.write_bytes(b"")
            )


def check(folder: Path) -> int:
    """What ``reconix check`` does with a project; the number of systems."""
    loaded = load_with_places(folder)
    lock = parse_lock((folder / "reconix.lock").read_bytes(), source="reconix.lock")
    with ChrootStore(folder / "store") as store:
        preflight = Preflight(store)
        for name, host in loaded.configuration.hosts.items():
            assert not [*preflight.of(host, lock.hosts[name], loaded.systems[name])]
    return sum(len(host.systems) for host in loaded.configuration.hosts.values())


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project)
        lock = make_lock(load_with_places(project))
        (project / "reconix.lock").write_bytes(print_lock(lock))
        with ChrootStore(project / "store") as store:
            fill(store, lock)
        for run in ("first", "second"):
            began = time.perf_counter()
            count = check(project)
            milliseconds = (time.perf_counter() - began) * 1000
            print(f"{count} systems, {run} time  {milliseconds:6.0f} ms (bar: 500 ms)")


if __name__ == "__main__":
    main()
