"""Archives, byte for byte against ``nix-store --dump``, ``--restore`` and ``nix nar ls``."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconix.base.documents import Json
from reconix.base.process import run
from reconix.store import nar, tree
from reconix.store.nar import FileBegin, FolderBegin, Link, Listed
from reconix.store.tree import File, Folder, Node, Symlink

Need = Callable[..., None]
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30
).filter(lambda name: name not in (".", ".."))
LEAVES = st.builds(File, st.binary(max_size=200), st.booleans()) | st.builds(
    Symlink,
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
)
NODES: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(NAMES, inner, max_size=6).map(
        lambda found: Folder(tuple(sorted(found.items(), key=lambda item: item[0].encode())))
    ),
    max_leaves=25,
)
PATIENT = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def dump(root: Path) -> bytes:
    ours = bytearray()
    nar.dump(root, ours.extend)
    return bytes(ours)


@given(node=NODES)
@PATIENT
def test_archive_equals_that_of_nix(need: Need, node: Node) -> None:
    need("nix-store")
    folder = Path(tempfile.mkdtemp())
    tree.write(node, folder / "t")
    theirs = run("nix-store", "--dump", folder / "t")
    assert dump(folder / "t") == theirs
    nar.restore(io.BytesIO(theirs).read, folder / "back")
    assert dump(folder / "back") == theirs
    run("nix-store", "--restore", folder / "their-back", stdin=dump(folder / "t"))
    assert dump(folder / "their-back") == theirs
    described = bytearray()
    tree.dump(node, described.extend)
    assert bytes(described) == theirs
    _open(folder)
    shutil.rmtree(folder)


def _open(root: Path) -> None:
    for path, _, _ in os.walk(root):
        Path(path).chmod(0o700)


def test_a_real_tree_has_the_archive_and_the_hash_of_nix(need: Need) -> None:
    need("nix-store", "nix-hash")
    root = Path(os.__file__).parent / "email"
    assert dump(root) == run("nix-store", "--dump", root)
    theirs = run("nix-hash", "--type", "sha256", root).decode().strip()
    assert nar.digest(root).digest.hex() == theirs


@pytest.mark.parametrize("size_bytes", [0, 1, 7, 8, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1])
def test_a_file_at_each_border_of_our_buffers(need: Need, size_bytes: int, tmp_path: Path) -> None:
    need("nix-store")
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(os.urandom(size_bytes))
    assert dump(tmp_path) == run("nix-store", "--dump", tmp_path)
    assert dump(tmp_path / "a") == run("nix-store", "--dump", tmp_path / "a")


def test_names_and_targets_that_are_no_text(need: Need, tmp_path: Path) -> None:
    need("nix-store")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"")
    (tmp_path / os.fsdecode(b"\xc3")).symlink_to(os.fsdecode(b"\xfe"))
    assert dump(tmp_path) == run("nix-store", "--dump", tmp_path)


def test_a_listing_tells_what_nix_tells(need: Need, tmp_path: Path) -> None:
    need("nix")
    content = tree.folder(
        {
            "a/run": File(b"12345", executable=True),
            "a/t": File(b"1"),
            "l": Symlink("a/t"),
        }
    )
    tree.write(content, tmp_path / "t")
    (tmp_path / "t.nar").write_bytes(dump(tmp_path / "t"))
    words = [
        "--extra-experimental-features",
        "nix-command",
        "nar",
        "ls",
        "--json",
        "-R",
    ]
    said = json.loads(run("nix", *words, tmp_path / "t.nar", "/"))
    ours = list(nar.listing(io.BytesIO(dump(tmp_path / "t")).read))
    assert ours == list(_flatten(said, b""))


def _flatten(value: Json, path: bytes) -> list[Listed]:
    assert isinstance(value, dict)
    if value["type"] == "regular":
        size = value.get("size", 0)
        assert isinstance(size, int)
        return [Listed(path, FileBegin(size, executable=bool(value.get("executable"))))]
    if value["type"] == "symlink":
        return [Listed(path, Link(str(value["target"]).encode()))]
    found = [Listed(path, FolderBegin())]
    inner = value["entries"]
    assert isinstance(inner, dict)
    for name, node in sorted(inner.items()):
        found += _flatten(node, b"/".join(part for part in (path, name.encode()) if part))
    return found
