"""What scripts read about containers that an update has changed without a restart."""

import os
from pathlib import Path

import pytest
from tests.placed import with_files

from reconix.base.digests import Digest
from reconix.device.paths import Paths
from reconix.device.state.current_containers import (
    current,
    needs_images,
    point_to,
    read_more_images,
    write_more_images,
)
from reconix.store.pool import BadContent

LONG = b"long enough for the pool\n" * 100
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "run").mkdir()
    return Paths(run=tmp_path / "run")


def test_a_copy_is_what_the_object_is_whatever_the_umask(tmp_path: Path, paths: Paths) -> None:
    registry, path = with_files(tmp_path, {"containers.json": b"{}", "config.json": LONG})
    before = os.umask(0o077)
    try:
        point_to(paths, registry, path)
    finally:
        os.umask(before)
    assert current(paths) == path
    link = paths.changed_containers
    assert (link / "containers.json").read_bytes() == b"{}"
    assert (link / "config.json").read_bytes() == LONG
    assert (link / "config.json").stat().st_mode & 0o777 == 0o644
    assert link.stat().st_mode & 0o777 == 0o755


def test_what_is_altered_is_not_given_out(tmp_path: Path, paths: Paths) -> None:
    registry, path = with_files(tmp_path, {"config.json": LONG})
    (content,) = registry.pool.digests()
    place = registry.pool.path(content)
    place.chmod(0o600)
    place.write_bytes(LONG.replace(b"enough", b"ENOUGH"))
    with pytest.raises(BadContent, match="altered"):
        point_to(paths, registry, path)
    assert current(paths) is None
    place.write_bytes(LONG)
    point_to(paths, registry, path)
    assert (paths.changed_containers / "config.json").read_bytes() == LONG


def test_the_copy_before_is_kept_and_none_before_that(tmp_path: Path, paths: Paths) -> None:
    older, before = (paths.container_objects / f"{letter * 32}-containers" for letter in "ab")
    for place in (older, before):
        place.mkdir(parents=True)
        (place / "containers.json").touch()
    paths.changed_containers.symlink_to(before)
    registry, path = with_files(tmp_path, {"containers.json": b"{}"})
    point_to(paths, registry, path)
    assert (older.is_dir(), before.is_dir(), current(paths)) == (False, True, path)


def test_a_link_of_somebody_else_is_none(paths: Paths) -> None:
    paths.containers.mkdir()
    paths.changed_containers.symlink_to("/etc")
    assert current(paths) is None


def test_images_are_those_that_the_system_was_not_started_with(paths: Paths) -> None:
    assert read_more_images(paths) == ()
    (paths.run / "images").write_text(f"{ONE.hex()}\n")
    more = needs_images(paths, [ONE, TWO])
    write_more_images(paths, more)
    assert read_more_images(paths) == (TWO,)
    assert paths.more_images.read_text() == f"{TWO.hex()}\n"
    write_more_images(paths, ())
    assert not paths.more_images.exists()
