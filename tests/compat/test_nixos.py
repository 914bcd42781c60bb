"""Closures of the real Nix become systems, unchanged: by path, by flake, by specialisation."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.nixos_shape import PROGRAMS, Shape, nix_environment

from reconix.base.architecture import Architecture
from reconix.base.process import run
from reconix.build.nixos import (
    BadToplevel,
    LockMismatch,
    NixFailed,
    lock_systems,
    take_systems,
)
from reconix.config.lock.document import parse_lock, print_lock
from reconix.config.lock.hosts import HostLock, Lock
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import Nixos
from reconix.config.schema.project import Project
from reconix.nix.chroot import ChrootStore
from reconix.store.verify import verify_all

Need = Callable[..., None]


class Box:
    """A project with one system that Nix builds, and the Nix that does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: Mapping[str, str] = nix_environment(folder)
        modules = {"virtio_blk": b"a module\n"}
        self.shape = Shape.make(folder / "flake", kernel=b"a kernel\n" * 99, modules=modules)
        self.store = ChrootStore(folder / "ours")

    def configuration(self, nixos: Nixos) -> Configuration:
        place = self.folder / "hosts/box"
        systems = {"appliance": nixos}
        host = Host("box", place, "box", Architecture.AMD64, Machine(), {}, systems)
        return Configuration(self.folder, Project(name="box"), {"box": host})

    def flake(self) -> Configuration:
        wanted = Nixos(flake=str(self.shape.folder), attribute="toplevel", all_specialisations=True)
        return self.configuration(wanted)

    def lock(self, configuration: Configuration) -> Lock:
        bare = Lock({"box": HostLock("amd64", (), (), (), (), {})})
        locked = lock_systems(self.store, configuration, bare)
        return parse_lock(print_lock(locked), source="test")


@pytest.fixture
def box(tmp_path: Path, need: Need, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    need(*PROGRAMS)
    made = Box(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    made.store.close()


def test_a_closure_of_nix_is_taken_in_unchanged(box: Box) -> None:
    toplevel = box.shape.build(box.environment)
    wanted = Nixos(path=str(toplevel), all_specialisations=True)
    configuration = box.configuration(wanted)
    lock = box.lock(configuration)
    systems = take_systems(box.store, configuration.hosts["box"], lock.hosts["box"])
    assert [system.name for system in systems] == ["appliance", "appliance-quiet"]
    assert systems[0].toplevel == toplevel
    said = run("nix", "path-info", "-r", str(toplevel)).decode().split()
    assert [str(path) for path in box.store.closure(toplevel)] == sorted(said)
    with ChrootStore(box.folder / "nix") as theirs:
        assert theirs.closure_of(toplevel) == box.store.closure_of(toplevel)
    assert verify_all(box.store.store_dir, box.store.closure_of(toplevel).objects) == []


def test_a_flake_gives_what_nix_build_gives(box: Box) -> None:
    """The expressions are the same; so are the paths, since what they are made from is."""
    configuration = box.flake()
    lock = box.lock(configuration)
    locked = lock.hosts["box"].nix["appliance"]
    assert locked.asked == "../../flake#toplevel"
    assert locked.toplevel == box.shape.build(box.environment)
    systems = take_systems(box.store, configuration.hosts["box"], lock.hosts["box"])
    quiet = systems[1]
    assert quiet.spec.init == f"{quiet.toplevel}/init"
    assert quiet.spec.kernel_parameters[:2] == ("gpt", "panic=10")
    init = (box.store.path(quiet.toplevel) / "init").read_text()
    assert f"{quiet.toplevel} runs quietly" in init
    assert print_lock(box.lock(configuration)) == print_lock(lock)


def test_what_our_store_has_lost_comes_from_nix_again(box: Box) -> None:
    configuration = box.flake()
    lock = box.lock(configuration)
    host = configuration.hosts["box"]
    with ChrootStore(box.folder / "another") as empty:
        systems = take_systems(empty, host, lock.hosts["box"])
        assert empty.closure_of(systems[0].toplevel) == box.store.closure_of(systems[0].toplevel)
    shutil.rmtree(box.folder / "nix")
    assert take_systems(box.store, host, lock.hosts["box"]) == systems


def test_a_flake_that_has_changed_is_built_as_locked_or_not_at_all(box: Box) -> None:
    configuration = box.flake()
    lock = box.lock(configuration)
    (box.shape.folder / "kernel").write_bytes(b"another kernel\n")
    host = configuration.hosts["box"]
    (kept, _) = take_systems(box.store, host, lock.hosts["box"])
    assert kept.toplevel == lock.hosts["box"].nix["appliance"].toplevel
    with (
        ChrootStore(box.folder / "another") as empty,
        pytest.raises(LockMismatch, match="the flake gives /nix/store/"),
    ):
        take_systems(empty, host, lock.hosts["box"])


def test_what_nix_does_not_have_is_named(box: Box) -> None:
    missing = "/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gateway"
    with pytest.raises(NixFailed, match="nixos-system-gateway is not in our store"):
        box.lock(box.configuration(Nixos(path=missing)))
    configuration = box.flake()
    wrong = replace(configuration.hosts["box"].nixos["appliance"], attribute="nothing")
    with pytest.raises(NixFailed, match="attribute"):
        box.lock(box.configuration(wrong))


def test_an_ordinary_path_of_nix_is_no_system(box: Box) -> None:
    toplevel = box.shape.build(box.environment)
    needed = run("nix", "path-info", "-r", str(toplevel)).decode().split()
    tools = next(path for path in needed if path.endswith("-tools"))
    with pytest.raises(BadToplevel, match=r"no boot\.json"):
        box.lock(box.configuration(Nixos(path=tools)))
