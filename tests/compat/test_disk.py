"""Disk images against the programs that others use to look at disks."""

import ast
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.compat.test_images import SHOW, as_root
from tests.image_trees import Row
from tests.project_files import enough

from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot.bootspec import BootSpec, print_bootspec
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot
from reconix.boot.tables import SlotTables
from reconix.boot.trial import parse_state
from reconix.build.generation import BuiltSystem, add_generation, read_system
from reconix.config.schema.hosts import Host
from reconix.config.schema.machine import Boot, Disk, Machine
from reconix.image.disk import Layout, make_disk
from reconix.image.ext4 import DoesNotFit, system_format
from reconix.image.layout import Sizes, needed_bytes, plan
from reconix.image.new_files import NewFile, new_folder
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import read_device_generation
from reconix.nix.install import install
from reconix.store.generation import Integrity, read_generation
from reconix.store.images.nodes import Metadata, contents
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.sidecar import Sidecar, print_sidecar
from reconix.store.tree import File, Node, Symlink, folder

Need = Callable[..., None]
MIB = 1 << 20
SLOT_BYTES = 34 * MIB
LOADER = SystemdBoot(Program.AMD64, b"loader")
SIZES = Sizes(slots=3, slot_bytes=SLOT_BYTES, system_bytes=32 * MIB, data_bytes=16 * MIB)
PROGRAMS = ("sgdisk", "fsck.fat", "mcopy", "mkfs.ext4", "debugfs", "e2fsck")
HOST = Host(
    "gateway",
    Path("/project/hosts/gateway"),
    "gateway",
    Architecture.AMD64,
    Machine(boot=Boot(slot_size=SLOT_BYTES)),
    {},
    {},
)
PAGE = b"the same page in each system, longer than what an image holds itself\n" * 99
DESCRIBED = {"bin/su": Metadata(0o4755), "var/page": Metadata(0o640, 33, 42, 1_700_000_000)}
"""What a Nix tree cannot say of a root."""


@pytest.fixture
def store(tmp_path: Path, need: Need) -> Iterator[ChrootStore]:
    need(*PROGRAMS)
    with ChrootStore(tmp_path / "store") as store:
        yield store


def system(store: ChrootStore, name: str, extra: Mapping[str, Node]) -> BuiltSystem:
    """A system with a root that a sidecar describes."""
    files: dict[str, Node] = {
        "var/page": File(PAGE),
        "bin/su": File(b"program" * 99, executable=True),
        "bin/sh": Symlink("su"),
        "empty": File(b""),
        **extra,
    }
    root = store.add_files(folder(files), "debian-root")
    sidecar = Sidecar(root, tuple((name.encode(), found) for name, found in DESCRIBED.items()))
    described = store.add_files(File(print_sidecar(sidecar)), sidecar.name, [root])
    kernel = store.add_files(folder({"vmlinuz": File(b"kernel" * 999)}), "linux")
    spec = BootSpec(name, "x86_64-linux", name, f"{kernel}/vmlinuz", ("gpt",), None)
    tree: dict[str, Node] = {
        "boot.json": File(print_bootspec(spec)),
        "root": Symlink(str(root)),
        "page": File(PAGE),
        "sidecars/root": Symlink(str(described)),
    }
    toplevel = store.add_files(folder(tree), f"system-{name}", [root, kernel, described])
    return read_system(store, name, toplevel)


def add(store: ChrootStore, **extra: Node) -> StorePath:
    """A generation of two systems, of which the first has some files more."""
    systems = [system(store, "default", extra), system(store, "mqtt", {"other": File(PAGE[1:])})]
    return add_generation(store, HOST, systems, LOADER)


@pytest.fixture
def generation(store: ChrootStore) -> StorePath:
    return add(store)


@pytest.fixture
def image(store: ChrootStore, generation: StorePath, tmp_path: Path) -> Path:
    path = tmp_path / "gateway.img"
    make_disk(store, generation, Layout(SIZES), path)
    return path


def tables() -> SlotTables:
    return plan("gateway", size_bytes=needed_bytes(SIZES), sizes=SIZES)


def part(image: Path, name: str, into: Path) -> Path:
    """Copy a partition out of the image."""
    found = tables().named(name)
    with image.open("rb") as file:
        file.seek(found.first * SECTOR)
        into.write_bytes(file.read(found.size_bytes))
    return into


def test_a_host_that_asks_for_it_has_hashes_behind_each_content_and_image_and_tells_its_kernels(
    store: ChrootStore, tmp_path: Path
) -> None:
    asked = replace(HOST.machine, disk=Disk(integrity=Integrity.VERITY))
    systems = [system(store, "default", {})]
    path = add_generation(store, replace(HOST, machine=asked), systems, LOADER)
    entry = store.path(read_generation(store.store_dir, path).boot) / "loader/entries/default.conf"
    assert " reconix.verity " in entry.read_text()
    make_disk(store, path, Layout(SIZES), tmp_path / "image")
    place = part(tmp_path / "image", "system", tmp_path / "system")
    run("e2fsck", "-f", "-n", place)
    made = read_device_generation(store, path)
    digests = {digest for tree in made.trees.values() for digest, _ in contents(tree)}
    named = [f"/pool/{digest.hex()[:2]}/{digest.hex()[2:]}" for digest in digests]
    named += [f"/images/{image.entry.sha256.hex()}" for image in made.images]
    assert len(named) > 6
    assert {flags_of(place, name) for name in named} == {0x180000}
    assert flags_of(place, "/reconix/state.json") == 0x80000


def flags_of(place: Path, name: str) -> int:
    said = run("debugfs", "-R", f"stat {name}", place).decode()
    return int(said.partition("Flags: ")[2].split()[0], 16)


def test_the_tables_are_right_and_slot_1_is_selected(image: Path) -> None:
    assert "No problems found" in run("sgdisk", "--verify", image).decode()
    lines = run("sgdisk", "--print", image).decode().splitlines()
    rows = [line.split() for line in lines if line[:4].strip().isdecimal()]
    assert [(row[5], row[-1]) for row in rows] == [
        ("EF00", "slot-1"),
        ("FFFF", "slot-2"),
        ("FFFF", "slot-3"),
        ("8300", "system"),
        ("8300", "data"),
    ]


def test_slot_1_holds_the_boot_tree_and_the_promised_hash(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    slot = part(image, "slot-1", tmp_path / "slot")
    run("fsck.fat", "-n", slot)
    described = read_generation(store.store_dir, generation)
    content = slot.read_bytes()[: described.slot.size_bytes]
    assert Digest.of(content) == described.slot.digest
    out = tmp_path / "out"
    out.mkdir()
    run("mcopy", "-s", "-i", slot, "::*", out)
    tree = store.path(described.boot)
    files = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    for path in enough(files, at_least=3, what="files of the boot tree"):
        assert (out / path.relative_to(tree)).read_bytes() == path.read_bytes()


def system_of(image: Path, tmp_path: Path) -> Path:
    """What debugfs sees on the system partition."""
    out = tmp_path / "out"
    out.mkdir()
    system = part(image, "system", tmp_path / "system")
    run("e2fsck", "-f", "-n", system)
    run("debugfs", "-R", f"rdump / {out}", system)
    (out / "lost+found").rmdir()
    return out


def listing(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Kind and mode of everything, and the content of files."""
    return {
        str(path.relative_to(folder)): (
            stat.filemode(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def test_the_system_partition_holds_what_a_device_has_that_received_the_generation(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    found = listing(system_of(image, tmp_path))
    device = tmp_path / "device"
    install(read_device_generation(store, generation), Registry(device))
    _, content = found.pop("reconix/state.json")
    assert found == listing(device)
    state = parse_state(content, source="state")
    assert (state.committed.slot, state.committed.generation) == (1, str(generation))


def test_each_content_is_on_the_system_partition_once_and_only_root_may_read_it(
    image: Path, tmp_path: Path
) -> None:
    found = listing(system_of(image, tmp_path))
    files = {name: entry for name, entry in found.items() if name.startswith(("pool", "images"))}
    assert {name.partition("/")[0] for name in found} == {"pool", "images", "reconix"}
    assert {mode for mode, _ in files.values()} == {"drwx------", "-r--------"}
    contents = [content for name, (_, content) in found.items() if name.startswith("pool/")]
    assert contents.count(PAGE) == contents.count(PAGE[1:]) == 1
    assert found["reconix/layout"] == ("-rw-r--r--", b"2\n")


MOUNT = """
set -e
cd "$1"
mkdir -p system layers store
mount -t ext4 -o "ro,loop,offset=$2" disk system
layers=
for image in $3; do
    mkdir "layers/$image"
    mount -t erofs -o loop,ro "system/images/$image" "layers/$image"
    layers="$layers${layers:+:}layers/$image"
done
mount -t overlay -o "ro,metacopy=on,redirect_dir=follow,lowerdir=$layers::system/pool" overlay store
exec "$4" -I -S -c "$5" store
"""


def shown(image: Path, images: Sequence[Digest], folder: Path) -> list[Row]:
    """What the kernel shows of a store whose images are these."""
    folder.mkdir()
    (folder / "disk").symlink_to(image)
    offset = str(tables().named("system").first * SECTOR)
    names = " ".join(digest.hex() for digest in images)
    words = ("unshare", "--mount", "sh", "-c", MOUNT, "sh", folder, offset, names)
    said = run(*words, sys.executable, SHOW, limit_bytes=1 << 26).decode()
    return [Row(*ast.literal_eval(line)) for line in said.splitlines()][1:]


def promised(store: ChrootStore, toplevel: StorePath) -> Iterator[Row]:
    """What the build store and its sidecars say that a device shows, without our trees."""
    for each in store.closure(toplevel):
        if not each.name.endswith(".sidecar"):
            root = store.path(each)
            for path in sorted([root, *root.rglob("*")]):
                if path.name != "sidecars" and path.parent.name != "sidecars":
                    yield row(f"/{path.relative_to(store.store_dir)}", path)


def row(name: str, path: Path) -> Row:
    found = path.lstat()
    metadata = Metadata(stat.S_IMODE(found.st_mode))
    metadata = DESCRIBED.get(name.partition("-debian-root/")[2], metadata)
    target, content, kind = b"", b"", "folder"
    if path.is_symlink():
        target, kind = os.fsencode(path.readlink()), "link"
    elif path.is_file():
        content, kind = path.read_bytes(), "file"
    size = len(target or content)
    return Row(name.encode(), kind, *metadata[:4], size, target, content, ())


@as_root
def test_the_kernel_shows_each_system_as_build_store_and_sidecars_describe_it(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path, need: Need
) -> None:
    need("unshare", "losetup")
    for each in read_generation(store.store_dir, generation).systems:
        found = shown(image, each.images, tmp_path / each.name)
        wanted = enough(sorted(promised(store, each.toplevel)), at_least=12, what="nodes")
        assert sorted(found) == wanted
    owners = {row.path.partition(b"-debian-root/")[2]: (row.mode, row.user) for row in found}
    assert (owners[b"bin/su"], owners[b"var/page"]) == ((0o4755, 0), (0o640, 33))


def test_compressed_contents_are_in_a_pack_and_all_else_is_the_same(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path, need: Need
) -> None:
    need("mkfs.erofs", "fsck.erofs")
    packed = tmp_path / "packed.img"
    make_disk(store, generation, Layout(SIZES, compress=True), packed)
    plain = listing(system_of(image, tmp_path))
    (tmp_path / "packed").mkdir()
    found = listing(system_of(packed, tmp_path / "packed"))
    ((name, (mode, content)),) = [row for row in found.items() if row[0].startswith("packs/")]
    assert name == f"packs/{Digest.of(content).hex()}"
    assert mode == "-r--------"
    rest = {row[0]: row[1] for row in found.items() if row[0].partition("/")[0] != "packs"}
    assert rest == {row[0]: row[1] for row in plain.items() if not row[0].startswith("pool/")}
    (tmp_path / "pack").write_bytes(content)
    run("fsck.erofs", f"--extract={tmp_path}/pool", tmp_path / "pack")
    pool = {f"pool/{path}": text for path, (_, text) in listing(tmp_path / "pool").items()}
    wanted = {path: text for path, (_, text) in plain.items() if path.startswith("pool/")}
    assert pool == wanted


def test_a_packed_disk_has_inodes_for_as_many_files_as_another_one(need: Need) -> None:
    need("mkfs.ext4")
    files = new_folder({f"{number}": NewFile(b"x") for number in range(1000)})
    plain = system_format(files, 16 * MIB).inodes
    assert system_format(new_folder({}), 16 * MIB, packed=1000).inodes == plain


def test_the_data_partition_holds_what_one_device_has_of_its_own_and_nothing_else_differs(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.img"
    make_disk(store, generation, Layout(SIZES, data={"identity.json": NewFile(b"{}")}), own)
    data = part(own, "data", tmp_path / "data")
    run("e2fsck", "-f", "-n", data)
    assert run("debugfs", "-R", "cat /identity.json", data) == b"{}"
    for name in ("slot-1", "system"):
        one, other = part(image, name, tmp_path / "one"), part(own, name, tmp_path / "other")
        assert Digest.of(one.read_bytes()) == Digest.of(other.read_bytes())


def test_an_image_with_secrets_is_for_its_owner_alone_and_so_are_they_on_the_device(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.img"
    secrets = new_folder({"mqtt": NewFile(b"hunter2", 0o600)}, mode=0o700)
    make_disk(store, generation, Layout(SIZES, data={"secrets": secrets}), own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(image.stat().st_mode) & 0o044
    data = part(own, "data", tmp_path / "data")
    run("e2fsck", "-f", "-n", data)
    assert run("debugfs", "-R", "cat /secrets/mqtt", data) == b"hunter2"
    for path, mode in (("/secrets", "0700"), ("/secrets/mqtt", "0600")):
        told = run("debugfs", "-R", f"stat {path}", data).decode()
        assert f"Mode:  {mode}" in told
        assert re.search(r"User: +0 +Group: +0 ", told)


def test_the_data_partition_is_empty_and_clean(image: Path, tmp_path: Path) -> None:
    data = part(image, "data", tmp_path / "data")
    run("e2fsck", "-f", "-n", data)
    listed = run("debugfs", "-R", "ls -p /", data).decode().split()
    assert sorted(line.split("/")[5] for line in listed) == [".", "..", "lost+found"]


def test_the_same_generation_gives_the_same_bytes(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    time.sleep(1.1)
    other = tmp_path / "elsewhere/other.img"
    other.parent.mkdir()
    before = os.umask(0o077)
    try:
        make_disk(store, generation, Layout(SIZES), other)
    finally:
        os.umask(before)
    assert Digest.of_file(image) == Digest.of_file(other)
    assert image.stat().st_blocks * 512 < image.stat().st_size / 2


def test_a_store_that_is_too_large_is_refused_and_nothing_is_left(
    store: ChrootStore, tmp_path: Path
) -> None:
    large = add(store, blob=File(os.urandom(2 * MIB)))
    small = Sizes(slots=2, slot_bytes=SLOT_BYTES, system_bytes=1 * MIB, data_bytes=1 * MIB)
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(DoesNotFit, match="system"):
        make_disk(store, large, Layout(small), folder / "gateway.img")
    assert list(folder.iterdir()) == []
