"""A pack is an EROFS file system, compressed, with the names of a pool, and always the same."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.image.pack import CLUSTER_BYTES, make_pack
from reconix.store.images.verity import digest
from reconix.store.pool import Pool

Need = Callable[..., None]
NOISE = bytes(byte for at in range(9000) for byte in at.to_bytes(3, "big")[::-1])


def contents() -> list[bytes]:
    """Small and large ones, below, at and above what is compressed together."""
    text = b"a line of text, as there are many of\n" * 9000
    sizes = (65, 4096, 4097, CLUSTER_BYTES, CLUSTER_BYTES + 1, len(text))
    return [*(text[:size] for size in sizes), NOISE, bytes(CLUSTER_BYTES * 3)]


@pytest.fixture
def places(need: Need, tmp_path: Path) -> Mapping[bytes, Path]:
    need("mkfs.erofs", "fsck.erofs")
    (tmp_path / "source").mkdir()
    return {digest(content): _file(tmp_path, content) for content in contents()}


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "source" / f"{len(list((tmp_path / 'source').iterdir()))}"
    path.write_bytes(content)
    path.chmod(0o444)
    return path


def make(places: Mapping[bytes, Path], work: Path) -> Path:
    work.mkdir()
    make_pack(places, work / "pack", work)
    assert list(work.iterdir()) == [work / "pack"]
    return work / "pack"


def test_a_pack_has_the_contents_under_the_names_of_a_pool(
    places: Mapping[bytes, Path], tmp_path: Path
) -> None:
    pack = make(places, tmp_path / "work")
    into = tmp_path / "extracted"
    run("fsck.erofs", f"--extract={into}", pack)
    pool = Pool(into)
    assert set(pool.digests()) == set(places)
    assert list(pool.strangers()) == []
    for content in contents():
        pool.verify(digest(content), len(content))


def test_it_is_smaller_than_what_is_in_it(places: Mapping[bytes, Path], tmp_path: Path) -> None:
    pack = make(places, tmp_path / "work")
    assert pack.stat().st_size < sum(map(len, contents())) / 5


def test_the_kernel_reads_it_and_only_root_may(
    places: Mapping[bytes, Path], tmp_path: Path
) -> None:
    pack = make(places, tmp_path / "work")
    if os.geteuid() != 0:
        pytest.skip("only root can mount it")
    (tmp_path / "mnt").mkdir()
    look = "stat -c '%a %u %g %Y' . * | sort -u; cat */* | wc -c"
    script = f"mount -t erofs -o loop,ro {pack} {tmp_path}/mnt && cd {tmp_path}/mnt && {look}"
    said = run("unshare", "--mount", "sh", "-ec", script).decode()
    assert said.split("\n")[:2] == ["700 0 0 1", f"{sum(map(len, contents()))}"]


def test_the_same_contents_give_the_same_bytes(
    places: Mapping[bytes, Path], tmp_path: Path
) -> None:
    """Whenever, in whichever order and from whichever files they are made."""
    other = {}
    for found, place in sorted(places.items(), reverse=True):
        other[found] = tmp_path / f"copy of {place.name}"
        shutil.copyfile(place, other[found])
        other[found].chmod(0o444)
    first, second = make(places, tmp_path / "first"), make(other, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()


def test_what_is_in_the_build_store_stays_as_it_is(
    places: Mapping[bytes, Path], tmp_path: Path
) -> None:
    make(places, tmp_path / "work")
    assert {path.stat().st_nlink for path in places.values()} == {1}
    assert [path.read_bytes() for path in places.values()] == contents()
