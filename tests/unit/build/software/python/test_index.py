import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.heard import Heard
from tests.wheel_index import WheelIndex, wheel_index
from tests.wheels import make_wheel

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.build.archive.fetch import WrongContent, cached_path
from reconix.build.archive.retry import DownloadFailed
from reconix.build.software.python.index import Index
from reconix.build.software.python.target import Target
from reconix.build.software.python.wanted import BadEnvironment, Wanted
from reconix.config.lock.wheels import INDEX
from reconix.config.problems import Place

PLACE = Place(Path("requirements.txt"), 7)
MANY = "manylinux_2_28_x86_64"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    with wheel_index(monkeypatch) as index:
        yield index


@pytest.fixture
def heard() -> Iterator[Heard]:
    listener = Heard()
    progress.listen(listener)
    yield listener
    progress.listen(progress.Silent())


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "cache")


def wanted(name: str, *hashes: Digest, version: str = "1.4", file_name: str = "") -> Wanted:
    return Wanted(name, version, hashes, PLACE, file_name=file_name)


def test_wheels_are_fetched_by_hash_and_kept(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    air = server.add("air", make_wheel(tmp_path))
    num_py = server.add("num-py", make_wheel(tmp_path, "num_py", tag=f"cp313-cp313-{MANY}"))
    asked = [wanted("air", air), wanted("num-py", num_py)]
    found = index.get(asked, target)
    assert [(each.name, each.version, each.origin) for each in found] == [
        ("air", "1.4", INDEX),
        ("num-py", "1.4", INDEX),
    ]
    kept = [Digest.of_file(cached_path(index.cache, each.sha256)) for each in found]
    assert kept == [air, num_py]
    assert found[0].size_bytes == (tmp_path / found[0].file_name).stat().st_size
    assert [path.name for path in index.cache.iterdir()] == ["sha256"], "nothing else is left"


def test_what_is_here_is_not_asked_for(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    path = make_wheel(tmp_path)
    air = wanted("air", server.add("air", path), file_name=path.name)
    first = index.get([air], target)
    server.asked.clear()
    assert index.get([air], target) == first
    assert server.asked == []
    cached_path(index.cache, air.hashes[0]).write_bytes(b"damaged")
    assert index.get([air], target) == first
    assert server.asked != []


def test_of_several_files_with_a_pinned_hash_the_best_is_taken(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    tags = [
        "py3-none-any",
        f"cp313-cp313-{MANY}",
        "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_42_x86_64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_28_aarch64",
        "cp313-cp313-musllinux_1_2_x86_64",
    ]
    hashes = [server.add("air", make_wheel(tmp_path, tag=tag)) for tag in tags]
    (found,) = index.get([wanted("air", *hashes)], target)
    assert found.file_name == f"air-1.4-cp313-cp313-{MANY}.whl"
    (found,) = index.get([wanted("air", hashes[2], *hashes[4:])], target)
    assert "manylinux_2_17" in found.file_name
    arm = Target((3, 13), "3.13.5", 41, "aarch64")
    (found,) = index.get([wanted("air", *hashes)], arm)
    assert found.file_name.endswith("aarch64.whl")


def test_the_python_that_runs_here_does_not_matter(
    server: WheelIndex, index: Index, tmp_path: Path
) -> None:
    """Neither for tags nor for what a distribution says that it needs."""
    hashes = [
        server.add("air", make_wheel(tmp_path, tag=f"cp399-cp399-{MANY}", python=">=3.99")),
        server.add("air", make_wheel(tmp_path, tag="py3-none-any", python="<3.99")),
    ]
    future = Target((3, 99), "3.99.0", 41, "x86_64")
    (found,) = index.get([wanted("air", *hashes)], future)
    assert found.file_name.startswith("air-1.4-cp399")


def sdist(folder: Path) -> Path:
    path = folder / "air-1.4.tar.gz"
    path.write_bytes(b"source")
    return path


@pytest.mark.parametrize("tag", [None, "cp312-cp312-manylinux_2_28_x86_64", f"cp313-cp313-{MANY}5"])
def test_what_has_no_fitting_wheel_is_told_at_its_line(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target, tag: str | None
) -> None:
    path = make_wheel(tmp_path, tag=tag) if tag else sdist(tmp_path)
    six = server.add("six", make_wheel(tmp_path, "six"))
    with pytest.raises(BadEnvironment) as failure:
        index.get([wanted("six", six), wanted("air", server.add("air", path))], target)
    (problem,) = failure.value.problems
    assert (problem.place, "air==1.4" in problem.fact) == (PLACE, True)
    assert "pip wheel --no-deps --wheel-dir wheels 'air==1.4'" in problem.hint


def test_what_the_index_does_not_know_is_told(server: WheelIndex, index: Index) -> None:
    target = Target((3, 13), "3.13.5", 41, "x86_64")
    with pytest.raises(BadEnvironment, match="pip finds no wheel of none"):
        index.get([wanted("none", Digest.of(b""))], target)


def test_a_wrong_file_is_refused(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    path = make_wheel(tmp_path)
    server.add("air", path)
    other = Digest.of(b"another file")
    server.hashes = {path.name: other.hex()}
    with pytest.raises(WrongContent, match="not what the lock pins"):
        index.get([wanted("air", other)], target)
    assert not cached_path(index.cache, other).exists()


def test_a_withdrawn_wheel_is_taken_and_told(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target, heard: Heard
) -> None:
    path = make_wheel(tmp_path)
    digest = server.add("air", path)
    server.withdrawn = {path.name: "loses data"}
    assert len(index.get([wanted("air", digest)], target)) == 1
    assert heard.notes == ["warning: the index has withdrawn air 1.4: loses data"]


def test_a_wheel_at_an_address_is_fetched_there(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    path = make_wheel(tmp_path)
    digest = server.add("elsewhere", path)
    origin = f"{server.url}/files/{path.name}"
    (found,) = index.get([Wanted("air", "1.4", (digest,), PLACE, origin)], target)
    assert found.origin == origin
    assert server.asked == [f"/files/{path.name}"]


def test_what_calls_itself_something_else_is_refused(
    server: WheelIndex, index: Index, tmp_path: Path, target: Target
) -> None:
    path = make_wheel(tmp_path, "other")
    origin = f"{server.url}/files/{path.name}"
    digest = server.add("other", path)
    with pytest.raises((WrongContent, DownloadFailed)):
        index.get([Wanted("air", "1.4", (digest,), PLACE, origin)], target)


def test_an_index_that_cannot_be_reached_is_told(
    index: Index, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wheel_index(monkeypatch) as gone:
        pass
    origin = f"{gone.url}/files/air-1.4-py3-none-any.whl"
    with pytest.raises(DownloadFailed, match="pip could not fetch the wheels"):
        index.get([Wanted("air", "1.4", (Digest.of(b""),), PLACE, origin)], target)


def test_settings_that_choose_or_silence_do_not_count(
    server: WheelIndex,
    index: Index,
    tmp_path: Path,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "constraints.txt").write_text("air==2\n")
    monkeypatch.setenv("PIP_CONSTRAINT", os.fspath(tmp_path / "constraints.txt"))
    monkeypatch.setenv("PIP_QUIET", "3")
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    digest = server.add("air", make_wheel(tmp_path))
    assert len(index.get([wanted("air", digest)], target)) == 1
    with pytest.raises(BadEnvironment, match="pip finds no wheel of none"):
        index.get([wanted("none", digest)], target)


def test_a_python_before_its_release_is_asked_for_by_number(
    server: WheelIndex, index: Index, tmp_path: Path
) -> None:
    digest = server.add("air", make_wheel(tmp_path, tag=f"cp314-cp314-{MANY}"))
    early = Target((3, 14), "3.14.0rc2", 41, "x86_64")
    assert len(index.get([wanted("air", digest)], early)) == 1
