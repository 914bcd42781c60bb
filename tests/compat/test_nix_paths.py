"""Store paths, against the paths that Nix computes for the same content."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconix.base.digests import Digest
from reconix.base.process import Word
from reconix.nix.chroot import ChrootStore
from reconix.store import nar
from reconix.store.paths import (
    StorePath,
    base32_decode,
    base32_encode,
    content_address,
    fixed_address,
    text_address,
)
from reconix.store.references import SelfBlindDigest

if TYPE_CHECKING:
    from .conftest import Nix

Need = Callable[..., None]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "tree/d").mkdir(parents=True)
    (tmp_path / "tree/d/f").write_bytes(b"content\n")
    (tmp_path / "file").write_bytes(b"content\n")
    return tmp_path


def test_base_32_is_that_of_nix(need: Need, nix: "Nix") -> None:
    need("nix-hash")
    for text in (b"", b"a", b"abc"):
        digest = hashlib.sha256(text).digest()
        said = nix("nix-hash", "--type", "sha256", "--to-base32", digest.hex()).decode().strip()
        assert base32_encode(digest) == said
        assert base32_decode(said, 32) == digest


def test_the_source_rule(need: Need, nix: "Nix", source: Path) -> None:
    need("nix")
    said = nix(
        "nix",
        "--store",
        source / "s",
        "store",
        "add-path",
        source / "tree",
        "--name",
        "n",
    )
    ours = content_address(nar.digest(source / "tree").digest, "n")
    assert str(ours) == said.decode().strip()


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_fixed_outputs_flat_and_recursive(
    need: Need, nix: "Nix", source: Path, algorithm: str
) -> None:
    need("nix-store")
    add: list[Word] = ["nix-store", "--store", source / "s", "--add-fixed"]
    flat = nix(*add, algorithm, source / "file").decode().strip()
    digest = hashlib.new(algorithm, b"content\n").digest()
    assert str(fixed_address(algorithm, digest, "file", recursive=False)) == flat
    recursive = nix(*add, "--recursive", algorithm, source / "tree").decode().strip()
    state = hashlib.new(algorithm)
    nar.dump(source / "tree", state.update)
    assert str(fixed_address(algorithm, state.digest(), "tree", recursive=True)) == recursive


def test_the_text_rule_with_references(need: Need, nix: "Nix", source: Path) -> None:
    need("nix-instantiate")
    expression = """
      let a = builtins.toFile "a" "one"; b = builtins.toFile "b" "two ${a}"; in "${a} ${b}"
    """
    words: list[Word] = [
        "nix-instantiate",
        "--store",
        source / "s",
        "--eval",
        "--read-write-mode",
        "-E",
    ]
    said = json.loads(nix(*words, expression))
    a = text_address(Digest.of(b"one"), "a")
    b = text_address(Digest.of(f"two {a}".encode()), "b", [a])
    assert said == f"{a} {b}"


def test_the_source_rule_with_references_and_itself(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    """Nix rewrites what it built to be named by content; we compute the same names."""
    need("nix", "nix-build", "busybox")
    root = tmp_path / "s"
    (farm,) = nix.build(root, closure_expression, "farm")
    words: list[Word] = [
        "nix",
        "--store",
        root,
        "store",
        "make-content-addressed",
        "--json",
        "-r",
        str(farm),
    ]
    rewrites = json.loads(nix(*words))["rewrites"]
    seen = set()
    with ChrootStore(root) as store:
        for text in rewrites.values():
            path = StorePath.parse(text)
            blind = SelfBlindDigest(path.hash)
            nar.dump(store.path(path), blind.feed)
            others = set(store.info(path).references) - {path}
            itself = path in store.info(path).references
            assert blind.mentions_itself == itself
            ours = content_address(blind.digest(), path.name, others, refers_to_itself=itself)
            assert ours == path
            seen.add((itself, bool(others)))
    assert seen == {(True, False), (False, True), (False, False), (True, True)}
