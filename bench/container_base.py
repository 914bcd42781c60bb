"""What an update of the base of five images costs, beside pulling them again.

Five images of Debian bookworm, each two layers: a base that all have, and what one server needs
besides, with dpkg's list of it as an image has it. One library of the base gets the other version
that archives have of it. The stream is signed; a device that has the old generation receives it,
and is compared. Who pulls gets the layers of all five, as they are built on the new base again.

    python -m bench.container_base [LIBRARY]
"""

import gzip
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.containers import tree
from bench.updates.ours import ARCHITECTURE, HOST, generation
from bench.updates.several import expect_intact

from reconix.base import process
from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.containers.layers.unpack import PackedLayer
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import LINKS_TO_SIDECARS, read_device_generation
from reconix.nix.install import install
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import Symlink, folder
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send
from reconix.transfer.sending.signing import Signer, generate

BASE = (
    *("apt", "bash", "ca-certificates", "coreutils", "dash", "dpkg", "findutils", "grep", "gzip"),
    *("libexpat1", "login", "passwd", "perl-base", "sed", "tar", "util-linux"),
)
SERVERS = ("nginx-light", "redis-server", "mosquitto", "python3-flask", "haproxy")
LIBRARY = "liblzma5"
MAX_BYTES = 50_000
LIMIT_BYTES = 1 << 30

Debs = Mapping[str, Path]


def main() -> int:
    """Measure and print."""
    library = sys.argv[1] if sys.argv[1:] else LIBRARY
    work = Path(tempfile.mkdtemp(prefix="reconix-bench-", dir="/var/tmp"))
    try:
        old, new = (download(work / version, library, version) for version in versions(library))
        base = download(work / "base", *BASE)
        tops = [download(work / name, name) for name in SERVERS]
        with ChrootStore(work / "store") as store:
            layers = [
                write_all(work / f"layers-{number}", {**base, **one}, tops)
                for number, one in enumerate((old, new))
            ]
            return measure(store, layers, work / "device", [*old.values(), *new.values()])
    finally:
        remove_tree(work)


def versions(library: str) -> tuple[str, str]:
    """The oldest and the newest version that archives have."""
    said = process.run("apt-cache", "madison", library).decode().splitlines()
    found = [line.split("|")[1].strip() for line in said if line]
    return found[-1], found[0]


def download(place: Path, *packages: str) -> Debs:
    """Packages with all that they depend on, by name; with a version, one alone."""
    (place / "partial").mkdir(parents=True)
    if len(packages) == 2 and packages[1][0].isdigit():
        process.run("apt-get", "download", "=".join(packages), folder=place)
    else:
        (place / "status").touch()
        places = (f"-oDir::State::status={place}/status", f"-oDir::Cache::archives={place}")
        options = ("-oAPT::Install-Recommends=0", "-oDebug::NoLocking=1", "--download-only", "-y")
        process.run("apt-get", *places, *options, "install", *packages)
    return {each.name.split("_")[0]: each for each in sorted(place.glob("*.deb"))}


def write_all(place: Path, base: Debs, tops: Iterable[Debs]) -> list[PackedLayer]:
    """The base and what each server has besides; with lists of packages."""
    place.mkdir()
    lists = {name: _control(file) for name, file in base.items()}
    layers = [write_layer(place / "base", base, lists)]
    for number, top in enumerate(tops):
        own = {name: file for name, file in top.items() if name not in base}
        more = {name: _control(file) for name, file in own.items()}
        layers.append(write_layer(place / f"top-{number}", own, {**lists, **more}))
    return layers


def write_layer(place: Path, debs: Debs, lists: Mapping[str, str]) -> PackedLayer:
    """The files of packages as one archive, and the list of all that are installed."""
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as archive:
        for _, deb in sorted(debs.items()):
            content = process.run("dpkg-deb", "--fsys-tarfile", deb, limit_bytes=LIMIT_BYTES)
            with tarfile.open(fileobj=io.BytesIO(content)) as source:
                for member in source:
                    archive.addfile(member, source.extractfile(member) if member.isreg() else None)
        status = "\n".join(text for _, text in sorted(lists.items())).encode()
        info = tarfile.TarInfo("./var/lib/dpkg/status")
        info.size = len(status)
        archive.addfile(info, io.BytesIO(status))
    digest = Digest.of_file(place)
    return PackedLayer(digest, digest, place)


def _control(deb: Path) -> str:
    return process.run("dpkg-deb", "--field", deb).decode() + "Status: install ok installed\n"


def measure(
    store: ChrootStore, layers: Iterable[list[PackedLayer]], device: Path, library: list[Path]
) -> int:
    """The stream beside a pull; whether it is as small as it should be, as an exit status."""
    old, new = (system(store, each) for each in layers)
    install(read_device_generation(store, old), Registry(device))
    written, signer = io.BytesIO(), Signer((generate("bench"),))
    sent = send.create(store, [old], new, written.write, sequence=1, signer=signer)
    written.seek(0)
    got = receive(written.read, Registry(device), host=HOST, architecture=ARCHITECTURE)
    assert got == read_device_generation(store, new).manifest
    expect_intact(Registry(device), got)
    *_, last = layers
    pulled = sum(len(gzip.compress(each.file.read_bytes(), 6)) for each in last)
    print(f"{library[0].name} to {library[1].name} in the base of {len(last) - 1} images")
    print(f"a stream {sent.size_bytes:>12,} B (at most {MAX_BYTES:,})")
    print(f"a pull   {pulled:>12,} B")
    return int(sent.size_bytes > MAX_BYTES)


def system(store: ChrootStore, layers: list[PackedLayer]) -> StorePath:
    """A generation whose system has these images and nothing else."""
    base, *tops = layers
    images = [tree(store, [base, top]) for top in tops]
    sidecars = LINKS_TO_SIDECARS.decode()
    links = {f"{number}": Symlink(str(each.path)) for number, each in enumerate(images)}
    said = {f"{sidecars}/{n}": Symlink(str(each.sidecar)) for n, each in enumerate(images)}
    references = [path for each in images for path in (each.path, each.sidecar)]
    top = store.add_files(folder({**links, **said}), "containers-bench", references)
    return generation(store, top)


if __name__ == "__main__":
    sys.exit(main())
