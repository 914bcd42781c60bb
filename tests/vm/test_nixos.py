"""A toplevel that the real Nix built boots as one system of a host whose others are Debian's.

It is made with ``nix-build`` from the expressions in ``tests/data/nixos``, of the shape that NixOS
gives it: its own initrd finds the store, its own init says from which store path it was started.
The kernel is the one that Debian's systems of the same host use.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.nixos_shape import PROGRAMS, Shape, nix_environment
from tests.vm.project import MACHINE

from reconix.base.documents import Fields
from reconix.base.process import CommandFailed, run
from reconix.build.boot.linux import Modules
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import Generation, read_generation
from reconix.store.paths import StorePath
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

Need = Callable[..., None]


@dataclass(frozen=True)
class Project:
    """A project with one Debian system, to which one of Nix is added."""

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path) -> "Project":
        (folder / "hosts/box/systems").mkdir(parents=True)
        (folder / "reconix.toml").write_text('name = "nixos-test"\n')
        (folder / "hosts/box/machine.toml").write_text(MACHINE)
        (folder / "hosts/box/systems/default.toml").write_text("")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        return cls(folder, nix_environment(folder))

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def reconix(self, *words: str) -> Fields:
        """Run the command as a user would, and give its answer."""
        code = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
        options = ("--project", str(self.folder), "--store", str(self.store))
        environment = {
            "NIX_CONFIG": self.environment["NIX_CONFIG"],
            "NIX_REMOTE": self.environment["NIX_REMOTE"],
        }
        said = run(
            *(sys.executable, "-c", code, *options, *words, "--json"), environment=environment
        )
        return Fields.parse(said, source="reconix")

    def generation(self, built: Fields) -> Generation:
        with ChrootStore(self.store) as store:
            return read_generation(store.store_dir, StorePath.parse(built.text("generation")))

    def shape(self, generation: Generation) -> Shape:
        """What Nix shall build, with kernel and modules of the Debian system."""
        with ChrootStore(self.store) as store:
            toplevel = generation.system("default").toplevel
            linux = next(p for p in store.closure(toplevel) if p.name.startswith("linux-"))
            (versions,) = (store.path(linux) / "modules").iterdir()
            modules = Modules.read(versions)
            order = modules.in_load_order(
                ["virtio_pci", "virtio_blk", "ext4", "erofs", "loop", "overlay"]
            )
            return Shape.make(
                self.folder / "nixos",
                kernel=(store.path(linux) / "vmlinuz").read_bytes(),
                modules={name: modules.content(name) for name in order},
            )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.make(tmp_path_factory.mktemp("project"))


@contextlib.contextmanager
def booted(project: Project, image: Path) -> Iterator[Machine]:
    folder = project.folder / "vm"
    folder.mkdir()
    overlay(image, folder / "disk.qcow2")
    guest = Guest(
        firmware.prepare(folder / "variables"),
        disks=(Disk(folder / "disk.qcow2", DiskFormat.QCOW2),),
        forwards=(Forward(22, 0),),
        memory_mib=512,
    )
    with running(guest, folder, accelerator.choose(folder / "accelerator")) as machine:
        yield machine


def start_once(machine: Machine, login: Login, system: str) -> None:
    try:
        machine.ssh(login, "reconix-device", "boot", system, "--now")
    except CommandFailed as error:
        assert error.status == 255, error  # the connection may end before the command does


def running_system(machine: Machine, login: Login) -> str:
    said = machine.ssh(login, "reconix-device", "status", "--json")
    return Fields.parse(said, source="status").object("booted").text("system")


@pytest.mark.vm
@pytest.mark.archive
def test_a_toplevel_of_nix_boots_beside_systems_of_debian(project: Project, need: Need) -> None:
    need(*PROGRAMS, "mmdebstrap", "qemu-system-x86_64", "ssh")
    project.reconix("lock")
    before = project.generation(project.reconix("build"))
    toplevel = project.shape(before).build(project.environment)
    (project.folder / "hosts/box/systems/appliance.toml").write_text(
        f'nix = {{ path = "{toplevel}", all_specialisations = true }}\n'
    )
    assert project.reconix("lock").object("toplevels").text("box:appliance") == str(toplevel)
    image = project.reconix("image")
    after = project.generation(image)
    assert [each.name for each in after.systems] == ["appliance", "appliance-quiet", "default"]
    assert after.system("default") == before.system("default"), "what Nix adds changes nothing else"
    with booted(project, Path(image.text("image"))) as machine:
        login = Login(project.folder / "key")
        machine.wait_for_ssh(login, seconds=BOOT_SECONDS)
        start_once(machine, login, "appliance")
        machine.console.wait(f"NixOS-shaped: {toplevel} runs as it is", seconds=BOOT_SECONDS)
        names = ",".join(digest.hex() for digest in after.system("appliance").images)
        told = f" init={toplevel}/init reconix.images={names} gpt panic=10 console=ttyS0 loglevel=4"
        machine.console.wait(told, seconds=5)
        machine.wait_for_ssh(login, seconds=BOOT_SECONDS)
        assert running_system(machine, login) == "default"
        start_once(machine, login, "appliance-quiet")
        quiet = after.system("appliance-quiet").toplevel
        machine.console.wait(f"NixOS-shaped: {quiet} runs quietly", seconds=BOOT_SECONDS)
