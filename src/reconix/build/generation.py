"""The generation: all systems of a host and the boot tree, as one store path.

    <hash>-generation-<host>/
        generation.json        what is in it, and the hash of its slot image
        trust.json             whose updates a device takes that runs it
        boot                   → the boot tree
        systems/<name>         → the toplevel of each system

The slot image is computed here once, to know its hash and to find out at build time that a kernel
has outgrown the slot. The agent computes it again from the boot tree when it writes the slot.

The kernel's command line names the images of the systems, and so does ``generation.json``
(``build/measured.py``). A device computes them again from what it receives.

Tested by ``tests/compat/test_build.py``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.documents import JsonInput, print_json
from reconix.base.files import read_bounded
from reconix.boot import bootspec, fat
from reconix.boot.bootspec import BootSpec
from reconix.boot.loaders.loader import BootLoader, BootSystem
from reconix.build.measured import Measured
from reconix.config.schema.hosts import Host
from reconix.config.schema.project import TrustRoot, Updates
from reconix.device import trust_store
from reconix.device.trust_store import TrustPolicy
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import VERSION, Integrity
from reconix.store.paths import STORE_DIR, StorePath
from reconix.store.tree import File, Folder, Symlink, folder
from reconix.transfer.trust.keys import KeySet, PublicKey


@dataclass(frozen=True, slots=True)
class BuiltSystem:
    """A system whose toplevel is in the store, and how it is started."""

    name: str
    toplevel: StorePath
    spec: BootSpec


@dataclass(frozen=True, slots=True)
class _ImagedSystem:
    """A system with the images that it will have on devices."""

    built: BuiltSystem
    images: tuple[Digest, ...]

    def boot(self, integrity: Integrity) -> BootSystem:
        """The choice that a boot loader has."""
        return BootSystem(self.built.name, self.built.spec, self.images, integrity)

    @property
    def described(self) -> dict[str, JsonInput]:
        """What ``generation.json`` says of it."""
        images = [digest.hex() for digest in self.images]
        return {"toplevel": str(self.built.toplevel), "images": images}


@dataclass(frozen=True, slots=True)
class SlotContent:
    """A boot tree in the store and the image that a slot gets from it."""

    tree: StorePath
    image: fat.FatImage


def add_generation(
    store: ChrootStore,
    host: Host,
    systems: Iterable[BuiltSystem],
    loader: BootLoader,
    measured: Measured | None = None,
) -> StorePath:
    """Add boot tree and generation of a host to the store.

    Args:
        store: has the toplevels.
        host: as configured.
        systems: all of them.
        loader: says which files a slot has.
        measured: what is known of the store already.

    Raises:
        SlotTooSmall: the boot tree does not fit into a slot.
    """
    found = _imaged(measured or Measured(store), systems)
    content = _add_boot_tree(store, host, found.values(), loader)
    tree = _tree(host, found, content)
    toplevels = [system.built.toplevel for system in found.values()]
    return store.add_files(tree, f"generation-{host.name}", [content.tree, *toplevels])


def _imaged(measured: Measured, systems: Iterable[BuiltSystem]) -> Mapping[str, _ImagedSystem]:
    """Systems with their images, by name and sorted."""
    return {
        system.name: _ImagedSystem(system, measured.system(system.toplevel).images)
        for system in sorted(systems, key=lambda each: each.name)
    }


def read_system(store: ChrootStore, name: str, toplevel: StorePath) -> BuiltSystem:
    """A system that starts as its toplevel says.

    Raises:
        BadDocument, BadBootSpec: it does not say how.
    """
    content = read_bounded(store.path(toplevel) / "boot.json", bootspec.MAX_BYTES)
    return BuiltSystem(name, toplevel, bootspec.parse_bootspec(content, toplevel=str(toplevel)))


def _add_boot_tree(
    store: ChrootStore, host: Host, systems: Collection[_ImagedSystem], loader: BootLoader
) -> SlotContent:
    choices = [system.boot(host.machine.disk.integrity) for system in systems]
    files = loader.boot_tree(
        choices, default=host.machine.boot.default, content=lambda path: _file(store, path)
    )
    image = fat.image(files, host.machine.boot.slot_size)
    nodes = {file.path: File(b"".join(file.chunks())) for file in files.files}
    toplevels = [system.built.toplevel for system in systems]
    tree = store.add_files(folder(nodes), f"boot-{host.name}", toplevels)
    return SlotContent(tree, image)


def _file(store: ChrootStore, place: str) -> Path:
    """Where a file of an object lies here, by its path on the device."""
    return store.store_dir / Path(place).relative_to(STORE_DIR)


def key_set(trust: TrustRoot) -> KeySet | None:
    """The keys that a project names, as devices trust them; nothing if it names none.

    Raises:
        BadKey: they make no sense together.
    """
    texts = trust.texts()
    if not texts:
        return None
    return KeySet.of(
        map(PublicKey.parse, texts),
        version=trust.key_set,
        threshold=trust.threshold,
        revoked=[PublicKey.parse(text).value for text in trust.revoked],
    )


def trust_policy(trust: TrustRoot, updates: Updates) -> TrustPolicy:
    """What devices are told about updates.

    Raises:
        BadKey: the keys make no sense together.
    """
    return TrustPolicy(
        key_set(trust),
        trust.require_signature,
        updates.url,
        updates.download_limit,
        updates.certificates(),
        updates.proxy,
    )


def _tree(host: Host, systems: Mapping[str, _ImagedSystem], content: SlotContent) -> Folder:
    document: dict[str, JsonInput] = {
        "version": VERSION,
        "host": host.name,
        "architecture": host.architecture.value,
        "default": host.machine.boot.default,
        "systems": {name: system.described for name, system in systems.items()},
        "boot": str(content.tree),
        "slot": {
            "image_sha256": content.image.digest().hex(),
            "image_size_bytes": content.image.size_bytes,
            "slot_size_bytes": content.image.slot_size_bytes,
        },
    }
    if host.machine.disk.integrity is not Integrity.NONE:
        document["integrity"] = host.machine.disk.integrity.value
    return folder(
        {
            "generation.json": File(print_json(document)),
            trust_store.FILE_NAME: File(trust_policy(host.trust, host.updates).print()),
            "boot": Symlink(str(content.tree)),
            **{
                f"systems/{name}": Symlink(str(system.built.toplevel))
                for name, system in systems.items()
            },
        }
    )
