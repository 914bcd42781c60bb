"""A whole device on plain files: a disk with its real partition table, a store, a firmware.

The disk is a sparse file, the system partition a folder, the variables of the firmware a folder of
files. ``boot`` does what the firmware, the boot loader and the initrd do, by reading what they
read: the one-shots, which are forgotten before they are used; the partition table; the slot, whose
content must be exactly the image of an installed generation; the store, whose images and contents
must be whole.
"""

import io
import shutil
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic

from tests.crash.initrd_functions import Functions
from tests.turned_clock import TurnedClock

from reconix.base.digests import Digest
from reconix.base.documents import JsonInput, print_json
from reconix.base.files import read_bounded, remove_tree
from reconix.base.process import run
from reconix.boot import bootspec, fat
from reconix.boot.bootspec import BootSpec, print_bootspec
from reconix.boot.disk import DiskFile
from reconix.boot.loaders.loader import BootSystem
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot, system_of_entry
from reconix.boot.oneshots.load_option import parse_load_option, parse_text, print_text
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables
from reconix.boot.slots import write_slot
from reconix.boot.tables import Slot, SlotTables, read_selection
from reconix.boot.tree import BootTree
from reconix.boot.trial import read_state
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, holds
from reconix.device.paths import Paths
from reconix.device.select.start import Started, start
from reconix.device.state.lock import exclusive_rw
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.nix.install import install
from reconix.store.generation import Generation, InstalledSystem, parse_generation
from reconix.store.images.nodes import ImageFile, find
from reconix.store.images.verity import VerityHash
from reconix.store.manifest import Manifest
from reconix.store.paths import STORE_DIR, StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Folder, Node, Symlink, folder

HOST = "gateway"
MIB = 1 << 20
SLOT_BYTES = 34 * MIB
SYSTEMS = ("default", "mqtt")
BY_DISK: JsonInput = {"receive": True, "trial_timeout_seconds": 300, "needs_firmware": False}
"""The policy of a system whose trial asks for no variable of the firmware."""
HEALTHY: JsonInput = {"timeout_seconds": 60, "checks": []}


@dataclass
class Machine:
    """One device, and the build store from which it is fed.

    Its time stands still unless somebody waits by it; so a busy test machine is never too late.
    """

    place: Path
    store: ChrootStore
    tables: SlotTables
    boots: int = 0
    generations: dict[str, StorePath] = field(default_factory=dict)
    time: TurnedClock = field(default_factory=lambda: TurnedClock(monotonic()))

    @classmethod
    def make(
        cls,
        place: Path,
        store: ChrootStore,
        *,
        slots: int = 2,
        policy: TrustPolicy | None = None,
        extra: Mapping[str, Node] | None = None,
    ) -> "Machine":
        """A new device, with the generation ``one`` in slot 1, and more files in its systems."""
        sizes = Sizes(slots, SLOT_BYTES, MIB, MIB)
        tables = plan(HOST, size_bytes=(slots * 34 + 8) * MIB, sizes=sizes)
        machine = cls(place, store, tables)
        machine._prepare(machine.generation("one", policy=policy, extra=extra))
        return machine

    # -- its parts ---------------------------------------------------------------------------------

    @property
    def paths(self) -> Paths:
        """Where everything is."""
        return Paths(
            system=self.place / "system",
            root=self.place / "root",
            run=self.place / "run",
            sysfs=self.place / "sys",
            efivars=self.place / "efivars",
            proc=self.place / "proc",
            dev=self.place / "dev",
            data=self.place / "data",
            credentials=self.place / "credentials",
            disk=self.place / "disk",
            shared=False,
        )

    @property
    def variables(self) -> Variables:
        """Of the firmware."""
        return Variables(self.paths.efivars)

    @property
    def device(self) -> Device:
        """As the agent sees it."""
        firmware = Uefi(self.variables, Program.AMD64.value)
        return Device(self.paths, firmware, clock=self.time.clock)

    @property
    def registry(self) -> Registry:
        """The installed generations."""
        return Registry(self.paths.system)

    # -- making generations ------------------------------------------------------------------------

    def generation(
        self,
        name: str,
        *,
        systems: Sequence[str] = SYSTEMS,
        health: JsonInput = HEALTHY,
        extra: Mapping[str, Node] | None = None,
        without_agent: Collection[str] = (),
        program: bytes = b"loader",
        etc: Mapping[str, Folder] | None = None,
        policy: TrustPolicy | None = None,
        only: Collection[str] | None = None,
        like: str = "one",
        containers: Mapping[str, StorePath] | None = None,
        stricter: JsonInput = None,
    ) -> StorePath:
        """Add a generation to the build store; generations of other names have other kernels.

        The systems that ``etc`` has generated files for can take over without a restart. Where
        ``only`` some systems change, the others are those of the generation ``like``. The systems
        of ``containers`` have these objects with containers, and ``stricter`` checks of health.
        """
        changed = systems if only is None else only
        said = {one: name if one in changed else like for one in systems}
        kernels = {each: self._kernel(each) for each in {*said.values()}}
        checks = {
            one: None if one in without_agent else health if one in changed else HEALTHY
            for one in systems
        }
        checks.update({one: stricter for one in containers or {} if stricter is not None})
        parts = {one: self._parts(kernels[said[one]], each) for one, each in (etc or {}).items()}
        tops = {
            one: self._toplevel(
                one,
                said[one],
                kernels[said[one]],
                checks[one],
                {**(extra or {}), **parts.get(one, {}), **_linked(containers, one)},
            )
            for one in systems
        }
        images = self._images(tops)
        specs = [BootSystem(one, self._spec(top), images[one]) for one, top in tops.items()]
        loader = SystemdBoot(Program.AMD64, program)
        files = loader.boot_tree(specs, default=systems[0], content=self._file)
        nodes: dict[str, Node] = {f.path: File(b"".join(f.chunks())) for f in files.files}
        tree = self.store.add_files(folder(nodes), f"boot-{HOST}", tops.values())
        installed = [InstalledSystem(one, tops[one], images[one]) for one in sorted(tops)]
        content = _generation_tree(
            installed, tree, fat.image(files, SLOT_BYTES), systems[0], policy
        )
        made = self.store.add_files(content, f"generation-{HOST}", [tree, *tops.values()])
        self.generations[name] = made
        return made

    def _kernel(self, name: str) -> StorePath:
        content = f"kernel {name}\n".encode() * 999
        return self.store.add_files(folder({"vmlinuz": File(content)}), "linux")

    def _images(self, tops: Mapping[str, StorePath]) -> Mapping[str, tuple[Digest, ...]]:
        trees = DeviceTrees(self.store)
        return {
            one: tuple(image.entry.sha256 for image in system_images(trees, top))
            for one, top in tops.items()
        }

    def _parts(self, kernel: StorePath, etc: Folder) -> dict[str, Node]:
        """The links of a toplevel to what a soft reboot looks at."""
        agent = self.store.add_files(folder({"switch": File(b"")}), "reconix-device")
        return {
            "agent": Symlink(str(agent)),
            "etc": Symlink(str(self.store.add_files(etc, "etc"))),
            "modules": Symlink(f"{kernel}/modules"),
        }

    def _toplevel(
        self,
        system: str,
        name: str,
        kernel: StorePath,
        health: JsonInput,
        extra: Mapping[str, Node],
    ) -> StorePath:
        spec = BootSpec(
            system, "x86_64-linux", f"{system} {name}", f"{kernel}/vmlinuz", ("gpt",), None
        )
        content: dict[str, Node] = {
            "boot.json": File(print_bootspec(spec)),
            "page": File(f"{name}\n".encode()),
            **extra,
        }
        if health is not None:
            content["health.json"] = File(print_json(health))
        links = [content[name] for name in ("agent", "containers", "etc") if name in content]
        parts = [StorePath.parse(link.target) for link in links if isinstance(link, Symlink)]
        return self.store.add_files(folder(content), f"system-{system}", [kernel, *parts])

    def _spec(self, toplevel: StorePath) -> BootSpec:
        content = read_bounded(self.store.path(toplevel) / "boot.json", bootspec.MAX_BYTES)
        return bootspec.parse_bootspec(content, toplevel=str(toplevel))

    def _file(self, path: str) -> Path:
        return self.store.store_dir / Path(path).relative_to(STORE_DIR)

    def stream(self, base: str | None, target: str) -> io.BytesIO:
        """The stream from one generation to another."""
        from reconix.transfer.sending import send  # late: most tests of a device send nothing

        written = io.BytesIO()
        bases = [self.generations[base]] if base else []
        send.create(self.store, bases, self.generations[target], written.write)
        written.seek(0)
        return written

    # -- a new disk --------------------------------------------------------------------------------

    def _prepare(self, first: StorePath) -> None:
        for folder_ in (
            "system/reconix",
            "run",
            "sys",
            "efivars",
            "root",
            "data",
        ):
            (self.place / folder_).mkdir(parents=True)
        (self.place / "proc/sys/kernel/random").mkdir(parents=True)
        (self.place / "proc/locks").symlink_to("/proc/locks")
        with (self.place / "disk").open("wb") as file:
            file.truncate(self.tables.sectors * 512)
        with DiskFile(self.place / "disk") as disk:
            for write in self.tables.writes(Slot(1)):
                disk.write(write.offset, write.content)
        self.install("one")
        with DiskFile(self.place / "disk") as disk:
            slot = PartitionView(disk, self.tables.slot(Slot(1)))
            write_slot(self.image_of(first), slot, self.read(first).slot.digest)

    def install(self, name: str) -> StorePath:
        """Put a generation into the device's store and register it, as an image does."""
        path = self.generations[name]
        install(read_device_generation(self.store, path), self.registry)
        return path

    def read(self, path: StorePath) -> Generation:
        """An installed generation."""
        content = self.registry.read(path, "generation.json", limit_bytes=MIB)
        return parse_generation(content, path)

    def image_of(self, path: StorePath) -> fat.FatImage:
        """The slot image of an installed generation."""
        registry = self.registry
        tree = registry.tree(self.read(path).boot)
        return fat.image(BootTree.of_tree(tree, registry.pool), SLOT_BYTES)

    def saying(self, **policy: JsonInput) -> "Machine":
        """A new device, whose systems say this about updates."""
        said = print_json({"receive": True, "trial_timeout_seconds": 9, **policy})
        place = self.place.with_name("saying")
        return Machine.make(place, self.store, extra={"update.json": File(said)})

    def place_of(self, path: StorePath, *names: str) -> Path:
        """The file of the pool with the content of a file that is not small."""
        found = find(self.registry.tree(path), *map(str.encode, names))
        assert isinstance(found, ImageFile) and not found.is_inline
        return self.registry.pool.path(found.content)

    def copy(self, place: Path) -> "Machine":
        """Another device that is in the same state."""
        run("cp", "-a", "--sparse=always", self.place, place)
        return replace(self, place=place, generations=dict(self.generations))

    def remove(self) -> None:
        """Throw the device away."""
        remove_tree(self.place)

    # -- booting -----------------------------------------------------------------------------------

    def boot(self) -> Started:
        """Start the device and let the agent begin."""
        self.firmware()
        return start(self.device)

    def firmware(self) -> None:
        """Do what comes before the agent: firmware, boot loader, kernel and initrd."""
        self._firmware()
        if not self.begin_trial():
            self._firmware()
            assert self.begin_trial(), "the initrd restarts for ever"

    def begin_trial(self, *, allowed: int = 99) -> bool:
        """The initrd's part in a trial that the disk remembers, cut after so many steps.

        Whether it came to its end; if not, it has restarted the device.
        """
        script = Functions(
            ("fault", "go_back", "begin_trial"),
            ("dd", "touch", "sync", "mount", "reboot"),
            self.paths.run,
            {"SYSTEM": str(self.paths.system)},
            (str(self.place / "disk"),),
        )
        return not self.paths.disk_one_shot.is_dir() or script.run(allowed=allowed)

    def _firmware(self) -> None:
        slot = self._slot_that_boots()
        generation = self.check_slot(slot)
        system = self._system_that_boots(generation)
        self.boots += 1
        shutil.rmtree(self.paths.run)
        self.paths.run.mkdir()
        started = generation.system(system)
        images = ",".join(digest.hex() for digest in started.images)
        guid = str(self.tables.slot(slot).guid).lower()
        self.variables.set("LoaderDevicePartUUID", LOADER, print_text(guid))
        (self.paths.proc / "cmdline").write_text(
            f"initrd=x init={started.toplevel}/init reconix.images={images} gpt panic=10\n"
        )
        self.paths.boot_id.write_text(f"boot-{self.boots}\n")

    def settle(self) -> Started:
        """Boot until the device does not restart by itself any more."""
        for _ in range(8):
            started = self.boot()
            if not started.restart:
                return started
        raise AssertionError("the device restarts for ever")

    def finish(self, name: str) -> None:
        """After an accident: boot, and bring the update to its end without another one."""
        goal = self.generations[name]
        started = self.settle()
        self.check_committed()
        if started.booted.slot == self.selected and started.booted.generation != goal:
            with exclusive_rw(self.paths):
                apply(self.device, goal)
            self.settle()
        with exclusive_rw(self.paths):
            confirm(self.device)
        assert self.boot().booted.generation == goal

    def _slot_that_boots(self) -> Slot:
        chosen = self.variables.get("BootNext", GLOBAL)
        self.variables.remove("BootNext", GLOBAL)
        if chosen:  # a name without a value is none: efivarfs makes a variable by writing it
            (number,) = struct.unpack("<H", chosen)
            option = self.variables.get(f"Boot{number:04X}", GLOBAL)
            assert option is not None
            guid = parse_load_option(option).partition
            return next(n for n in self.tables.numbers if self.tables.slot(n).guid == guid)
        return self.selected

    def _system_that_boots(self, generation: Generation) -> str:
        entry = self.variables.get("LoaderEntryOneShot", LOADER)
        self.variables.remove("LoaderEntryOneShot", LOADER)
        asked = system_of_entry(parse_text(entry)) if entry else generation.default
        names = [system.name for system in generation.systems]
        return asked if asked in names else generation.default

    @property
    def selected(self) -> Slot:
        """The slot that the partition table selects."""
        with DiskFile(self.place / "disk") as disk:
            return read_selection(disk).slot

    def check_slot(self, slot: Slot) -> Generation:
        """The installed generation that a slot holds, to the byte, with all its objects."""
        for manifest in self.registry.manifests():
            generation = self.read(manifest.root)
            with DiskFile(self.place / "disk") as disk:
                if not holds(PartitionView(disk, self.tables.slot(slot)), generation.slot):
                    continue
            expect_whole(self.registry, manifest)
            return generation
        raise AssertionError(f"slot {slot} would boot and holds no installed generation")

    def check_committed(self) -> Generation:
        """Whatever happens now, the device boots the generation that it says is committed."""
        generation = self.check_slot(self.selected)
        if self.paths.state.exists():
            state = read_state(self.paths.state)
            known = {state.committed.generation, state.trial and state.trial.generation}
            assert str(generation.path) in known
        return generation


def _linked(containers: Mapping[str, StorePath] | None, system: str) -> dict[str, Node]:
    found = (containers or {}).get(system)
    return {"containers": Symlink(str(found))} if found else {}


def expect_whole(registry: Registry, manifest: Manifest) -> None:
    """Each image and each content of an installed generation is there, and what its name says."""
    assert manifest.images
    for entry in manifest.images:
        assert sha256(registry.image_path(entry.sha256).read_bytes()).digest() == entry.sha256.value
        for digest, size_bytes in registry.contents_of(entry):
            content = registry.pool.path(digest).read_bytes()
            assert len(content) == size_bytes and VerityHash(content).digest() == digest


def _generation_tree(
    systems: Collection[InstalledSystem],
    tree: StorePath,
    image: fat.FatImage,
    default: str,
    policy: TrustPolicy | None,
) -> Folder:
    document = {
        "version": 2,
        "host": HOST,
        "architecture": "amd64",
        "default": default,
        "systems": {
            each.name: {
                "toplevel": str(each.toplevel),
                "images": [digest.hex() for digest in each.images],
            }
            for each in systems
        },
        "boot": str(tree),
        "slot": {
            "image_sha256": image.digest().hex(),
            "image_size_bytes": image.size_bytes,
            "slot_size_bytes": image.slot_size_bytes,
        },
    }
    said: dict[str, Node] = {} if policy is None else {"trust.json": File(policy.print())}
    return folder(
        {"generation.json": File(print_json(document)), "boot": Symlink(str(tree)), **said}
    )
