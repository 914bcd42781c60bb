"""Toplevels of NixOS as systems of a generation: made-up store paths in real stores."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.documents import JsonInput
from reconix.boot.bootspec import BadBootSpec
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot
from reconix.build.generation import BuiltSystem, add_generation, read_system
from reconix.build.nixos import BadToplevel, LockMismatch, asked, read_toplevel, take_systems
from reconix.config.lock.hosts import HostLock, NixLock
from reconix.config.schema.hosts import Host
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import Nixos
from reconix.nix.chroot import Arrival, ChrootStore
from reconix.nix.database import PathInfo
from reconix.nix.images import read_device_generation
from reconix.nix.install import install
from reconix.store import tree as trees
from reconix.store.closure import StoreObject, print_closure
from reconix.store.generation import MAX_BYTES, parse_generation
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send

PARAMETERS: list[JsonInput] = ["console=ttyS0", "panic=10", "loglevel=4"]


class Nix:
    """Puts objects into a store under the names that Nix might have given them."""

    def __init__(self, store: ChrootStore) -> None:
        self.store = store

    def path(self, name: str) -> StorePath:
        """An input-addressed name: it does not follow from what is in the object."""
        letters = "0123456789abcdfghijklmnpqrsvwxyz"
        digest = Digest.of(name.encode()).value
        return StorePath("".join(letters[byte % 32] for byte in digest), name)

    def add(self, name: str, tree: Node, references: Iterable[StorePath] = ()) -> StorePath:
        path = self.path(name)
        written = io.BytesIO()
        trees.dump(tree, written.write)
        nar = written.getvalue()
        item = StoreObject(path, Digest.of(nar), len(nar), tuple(sorted(references)))
        self.store.receive_all([Arrival(PathInfo(item), trees.events(tree))])
        return path

    def document(self, path: StorePath, **other: JsonInput) -> dict[str, JsonInput]:
        return {
            "org.nixos.bootspec.v1": {
                "init": f"{path}/init",
                "initrd": f"{self.path('initrd')}/initrd",
                "kernel": f"{self.path('linux-6.1')}/bzImage",
                "kernelParams": PARAMETERS,
                "label": "NixOS",
                "system": "x86_64-linux",
                "toplevel": str(path),
                **other,
            }
        }

    def toplevel(
        self,
        name: str = "nixos-system-box",
        specialisations: Mapping[str, str] | None = None,
        **other: JsonInput,
    ) -> StorePath:
        """A toplevel; specialisations by name, each with the name of its toplevel."""
        kernel = self.add("linux-6.1", folder({"bzImage": File(b"kernel" * 99)}))
        initrd = self.add("initrd", folder({"initrd": File(b"initrd" * 99)}))
        inner = {key: self.toplevel(value) for key, value in (specialisations or {}).items()}
        path = self.path(name)
        document = self.document(path, **other)
        document["org.nixos.specialisation.v1"] = {
            key: self.document(value) for key, value in inner.items()
        }
        content: dict[str, Node] = {
            "boot.json": File(json.dumps(document).encode()),
            "init": File(b"#!/bin/sh\n", executable=True),
            "kernel": Symlink(f"{kernel}/bzImage"),
        }
        return self.add(name, folder(content), [path, kernel, initrd, *inner.values()])

    def host(self, **nixos: Nixos) -> Host:
        folder = Path("/project/hosts/box")
        return Host("box", folder, "box", Architecture.AMD64, Machine(), {}, nixos)

    def lock(self, **toplevels: StorePath) -> HostLock:
        nix = {
            name: NixLock(str(path), path, Digest.of(print_closure(self.store.closure_of(path))))
            for name, path in toplevels.items()
        }
        return HostLock("amd64", (), (), (), (), {}, nix)

    def take(self, toplevel: StorePath, nixos: Nixos | None = None) -> list[BuiltSystem]:
        host = self.host(appliance=nixos or Nixos(path=str(toplevel)))
        return take_systems(self.store, host, self.lock(appliance=toplevel))


@pytest.fixture
def nix(tmp_path: Path) -> Iterator[Nix]:
    with ChrootStore(tmp_path / "store") as store:
        yield Nix(store)


def test_a_toplevel_is_a_system_as_it_is_with_our_kernel_parameters(nix: Nix) -> None:
    toplevel = nix.toplevel()
    (system,) = nix.take(toplevel)
    assert (system.name, system.toplevel) == ("appliance", toplevel)
    assert system.spec.init == f"{toplevel}/init"
    line = ("gpt", "panic=10", "console=ttyS0", "loglevel=4")
    assert system.spec.kernel_parameters == line
    assert system.spec.kernel == f"{nix.path('linux-6.1')}/bzImage"


def test_each_specialisation_can_be_a_system(nix: Nix) -> None:
    toplevel = nix.toplevel(specialisations={"quiet": "nixos-quiet", "loud": "nixos-loud"})
    assert [each.name for each in nix.take(toplevel)] == ["appliance"]
    every = nix.take(toplevel, Nixos(path=str(toplevel), all_specialisations=True))
    assert [(each.name, each.toplevel.name) for each in every] == [
        ("appliance", "nixos-system-box"),
        ("appliance-loud", "nixos-loud"),
        ("appliance-quiet", "nixos-quiet"),
    ]
    (one,) = nix.take(toplevel, Nixos(path=str(toplevel), specialisation="quiet"))
    assert (one.name, one.toplevel.name) == ("appliance", "nixos-quiet")
    assert one.spec.init == f"{one.toplevel}/init"


def test_a_specialisation_that_is_not_there_is_named_with_those_that_are(nix: Nix) -> None:
    toplevel = nix.toplevel(specialisations={"quiet": "nixos-quiet"})
    with pytest.raises(BadToplevel, match="no specialisation 'silent'") as failure:
        nix.take(toplevel, Nixos(path=str(toplevel), specialisation="silent"))
    assert failure.value.hint == "it has: quiet"


def test_names_and_paths_of_systems_are_told_apart(nix: Nix) -> None:
    toplevel = nix.toplevel(specialisations={"No_Network": "nixos-other"})
    with pytest.raises(BadToplevel, match="'appliance-No_Network' cannot be the name"):
        nix.take(toplevel, Nixos(path=str(toplevel), all_specialisations=True))
    host = nix.host(one=Nixos(path=str(toplevel)), two=Nixos(path=str(toplevel)))
    with pytest.raises(BadToplevel, match="box:two is the same as one"):
        take_systems(nix.store, host, nix.lock(one=toplevel, two=toplevel))
    other = nix.toplevel("nixos-too", specialisations={"b": "nixos-b"})
    host = replace(
        nix.host(a=Nixos(path=str(other), all_specialisations=True)),
        nixos={
            "a": Nixos(path=str(other), all_specialisations=True),
            "a-b": Nixos(path=str(toplevel)),
        },
    )
    with pytest.raises(BadToplevel, match="box:a-b is used for two systems"):
        take_systems(nix.store, host, nix.lock(**{"a": other, "a-b": toplevel}))


def test_a_system_for_another_processor_is_refused(nix: Nix) -> None:
    with pytest.raises(BadToplevel, match="built for aarch64-linux, but the host is x86_64-linux"):
        nix.take(nix.toplevel(system="aarch64-linux"))


def test_what_has_changed_under_its_name_is_refused(nix: Nix) -> None:
    toplevel = nix.toplevel()
    lock = nix.lock(appliance=toplevel)
    changed = replace(lock.nix["appliance"], closure=Digest.of(b"another"))
    with pytest.raises(LockMismatch, match="has other content"):
        take_systems(
            nix.store,
            nix.host(appliance=Nixos(path=str(toplevel))),
            replace(lock, nix={"appliance": changed}),
        )


def test_what_is_no_toplevel_is_refused(nix: Nix) -> None:
    with pytest.raises(BadToplevel, match=r"no boot\.json"):
        read_toplevel(nix.store, nix.add("hello", File(b"hello")))
    outside = f"{nix.path('elsewhere')}/bzImage"
    with pytest.raises(BadToplevel, match="elsewhere/bzImage, which is not in its closure"):
        read_toplevel(nix.store, nix.toplevel("a", kernel=outside))
    missing = f"{nix.path('linux-6.1')}/vmlinuz"
    with pytest.raises(BadToplevel, match="vmlinuz, which is not a file"):
        read_toplevel(nix.store, nix.toplevel("b", kernel=missing))
    with pytest.raises(BadToplevel, match="names /sbin/init, which is not in its closure"):
        read_toplevel(nix.store, nix.toplevel("c", init="/sbin/init"))
    with pytest.raises(BadBootSpec, match="is that of"):
        read_toplevel(nix.store, nix.toplevel("d", toplevel=f"{nix.path('e')}"))


def test_links_to_the_kernel_are_followed_within_the_store(nix: Nix) -> None:
    toplevel = nix.toplevel(kernel=f"{nix.path('nixos-system-box')}/kernel")
    (system,) = nix.take(toplevel)
    assert system.spec.kernel == f"{nix.path('linux-6.1')}/bzImage"
    loop = nix.path("loop")
    nix.add("loop", folder({"k": Symlink(f"{loop}/k")}), [loop])
    with pytest.raises(BadToplevel):
        read_toplevel(nix.store, nix.toplevel("f", kernel=f"{loop}/k"))


def test_a_flake_of_the_project_is_asked_for_in_the_same_words_everywhere() -> None:
    host = Host("box", Path("/a/p/hosts/box"), "box", Architecture.AMD64, Machine(), {})
    here = Nixos(flake="/a/p/nixos", attribute="toplevel")
    assert asked(host, here) == "../../nixos#toplevel"
    assert asked(host, Nixos(flake="path:/b", attribute="x.y")) == "path:/b#x.y"
    assert asked(host, Nixos(path="/nix/store/x")) == "/nix/store/x"


def debian(nix: Nix) -> BuiltSystem:
    """A system of our own, as far as a generation is concerned."""
    linux = nix.store.add_files(folder({"vmlinuz": File(b"debian")}), "linux")
    spec = {
        "system": "x86_64-linux",
        "label": "default",
        "kernel": f"{linux}/vmlinuz",
        "kernelParams": [],
        "init": "@toplevel@/init",
        "toplevel": "@toplevel@",
    }
    content = json.dumps({"org.nixos.bootspec.v1": spec}).encode()
    path = nix.store.add_files(folder({"boot.json": File(content)}), "system-default", [linux])
    return read_system(nix.store, "default", path)


def test_an_update_brings_a_system_of_nix_to_a_device_that_has_none(
    nix: Nix, tmp_path: Path
) -> None:
    toplevel = nix.toplevel(specialisations={"quiet": "nixos-quiet"})
    host, ours = nix.host(), debian(nix)
    every = nix.take(toplevel, Nixos(path=str(toplevel), all_specialisations=True))
    loader = SystemdBoot(Program.AMD64, b"loader")
    before = add_generation(nix.store, host, [ours], loader)
    after = add_generation(nix.store, host, [*every, ours], loader)
    registry = Registry(tmp_path / "device")
    install(read_device_generation(nix.store, before), registry)
    stream = io.BytesIO()
    send.create(nix.store, [before], after, stream.write)
    stream.seek(0)
    receive(stream.read, registry, host="box", architecture="amd64")
    content = registry.read(after, "generation.json", limit_bytes=MAX_BYTES)
    found = parse_generation(content, after)
    assert [each.name for each in found.systems] == [
        "appliance",
        "appliance-quiet",
        "default",
    ]
    assert found.system("appliance").toplevel == toplevel
    assert registry.read(toplevel, "init", limit_bytes=99) == b"#!/bin/sh\n"
    names = ("loader", "entries", "appliance.conf")
    images = ",".join(digest.hex() for digest in found.system("appliance").images)
    line = f"options init={toplevel}/init reconix.images={images} gpt panic=10 console=ttyS0"
    assert line in registry.read(found.boot, *names, limit_bytes=9999).decode()
