"""What minify took comes back by an ordinary update, whose stream has what is missing alone."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_trees import Tree, write
from tests.made_generations import generation

from reconix.build.minify import minified
from reconix.build.minify.minified import Inputs
from reconix.build.minify.plan import Wanted
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar
from reconix.store.tree import File, Symlink, folder
from reconix.transfer.sending import send

SS_BYTES = 100_000
OTHERS = 8192
"""The generation and its toplevel have other names in them."""
ROOT: Tree = {
    "usr/lib/systemd/systemd": random.Random(1).randbytes(300_000),
    "usr/bin/ping": random.Random(2).randbytes(200_000),
    "usr/bin/ss": random.Random(3).randbytes(SS_BYTES),
    "usr/bin/nc": random.Random(4).randbytes(400_000),
    "losses": "",
    "var/lib/dpkg/info/tool:amd64.list": "/usr/bin/ss\n",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def minimal(store: ChrootStore, root: StorePath, *keep: str) -> StorePath:
    """A generation whose only system has a minimal root."""
    etc = store.add_files(folder({"conf": File(b"/usr/bin/ping")}), "etc")
    agent = store.add_files(folder({"x": File(b"x")}), "agent")
    inputs = Inputs(root, minified.above(etc, agent, (), ()), Wanted(keep=keep))
    made = minified.minify(store, inputs, Sidecar(root, (), (b"losses",)), "amd64").subject
    links = {"root": Symlink(str(made)), "init": Symlink("/usr/lib/systemd/systemd")}
    return generation(store, store.add_files(folder(links), "system-web", [made]))


def test_a_stream_has_the_missing_file_alone(store: ChrootStore, tmp_path: Path) -> None:
    root = store.add(write(tmp_path / "root", ROOT), "debian-root")
    without, back = minimal(store, root), minimal(store, root, "/usr/bin/ss")
    stream = bytearray()
    sent = send.create(store, [without], back, stream.extend)
    assert SS_BYTES <= sent.header.content_bytes < SS_BYTES + OTHERS
    assert SS_BYTES <= len(stream) < SS_BYTES + OTHERS
