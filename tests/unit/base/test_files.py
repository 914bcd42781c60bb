import os
import stat
from pathlib import Path

import pytest
from tests.deep_trees import nested

from reconix.base import files
from reconix.base.files import (
    COPY_BYTES,
    TooLarge,
    chunks,
    read_bounded,
    remove_tree,
    rename_durably,
    replacing,
    sync_file_system,
    sync_tree,
    write_durably,
)


def test_a_file_is_read_up_to_its_limit_and_refused_beyond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(TooLarge, match="larger than 4 bytes"):
        read_bounded(path, 4)


def test_chunks_give_all_or_as_much_as_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = os.urandom(COPY_BYTES + 10)
    path.write_bytes(content)
    with path.open("rb") as file:
        assert [len(chunk) for chunk in chunks(file)] == [COPY_BYTES, 10]
    with path.open("rb") as file:
        assert b"".join(chunks(file, COPY_BYTES + 3)) == content[: COPY_BYTES + 3]
        assert file.read() == content[COPY_BYTES + 3 :]


def test_content_is_replaced_whole_with_the_wanted_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_durably(path, b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_failed_replacement_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_leftover_of_a_power_cut_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_bytes(b"left over, and longer than what comes")
    write_durably(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_link_in_place_of_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    (tmp_path / ".file.new").symlink_to(victim)
    with pytest.raises(OSError):
        write_durably(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"safe"


def test_the_content_is_durable_before_the_name_and_the_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the calls is the promise; no file system here can show a lost one."""
    said: list[str] = []
    sync, rename = os.fsync, Path.rename

    def record_sync(descriptor: int) -> None:
        said.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def record_rename(old: Path, new: Path) -> Path:
        said.append(f"rename {old.name} {new.name}")
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "rename", record_rename)
    write_durably(tmp_path / "file", b"new")
    assert said == ["sync .file.new", "rename .file.new file", f"sync {tmp_path.name}"]


def test_a_rename_between_folders_makes_both_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    (old / "file").touch()
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    rename_durably(old / "file", new / "file")
    assert (new / "file").exists()
    assert synced == [new, old]


def test_a_whole_tree_is_synced_children_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").touch()
    (inner / "link").symlink_to("/nowhere")
    said: list[str] = []

    def record(descriptor: int) -> None:
        said.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", record)
    sync_tree(tmp_path)
    assert said == ["file", "inner", tmp_path.name]


def test_a_tree_is_removed_with_read_only_folders_and_without_following_links(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    root = tmp_path / "root"
    (root / "closed").mkdir(parents=True)
    (root / "closed" / "file").touch()
    (root / "closed" / "link").symlink_to(outside)
    (root / "closed").chmod(0o500)
    remove_tree(root)
    assert not root.exists()
    assert (outside / "kept").exists()


@pytest.mark.parametrize(("depth", "name"), [(20, "n" * 255), (1100, "n")])
def test_w4_whatever_was_made_can_be_removed(tmp_path: Path, depth: int, name: str) -> None:
    """Longer than a path, deeper than a stack, deeper than there may be descriptors."""
    with nested(tmp_path / "root", depth=depth, name=name) as root:
        remove_tree(root)
        assert list(tmp_path.iterdir()) == []


def test_more_folders_than_are_kept_in_mind_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_REMEMBERED", 3)
    for number in range(10):
        (tmp_path / f"root/{number}/inner/file").mkdir(parents=True)
    remove_tree(tmp_path / "root")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_moved_meanwhile_leads_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "root/inner"
    (inner / "deep").mkdir(parents=True)
    (inner / "deep/last").touch()
    (tmp_path / "other/deep").mkdir(parents=True)
    clear = files._clear

    def moved(folder: int) -> list[str]:
        if (inner / "deep").exists() and Path(f"/proc/self/fd/{folder}").readlink().name == "deep":
            (inner / "deep").rename(tmp_path / "other/moved")
        return clear(folder)

    monkeypatch.setattr(files, "_clear", moved)
    with pytest.raises(OSError, match="moved"):
        remove_tree(tmp_path / "root")
    assert (tmp_path / "other/deep").is_dir()


def test_what_others_put_in_meanwhile_is_no_work_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").touch()

    def put(_: int) -> list[str]:
        (root / "another").touch()
        return []

    monkeypatch.setattr(files, "_clear", put)
    with pytest.raises(OSError, match="puts something into it"):
        remove_tree(root)


@pytest.mark.parametrize("kind", ["missing", "file", "link"])
def test_a_single_name_is_removed_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "name"
    if kind == "file":
        path.touch()
    if kind == "link":
        path.symlink_to(tmp_path)
    remove_tree(path)
    assert not path.is_symlink() and not path.exists()
    assert tmp_path.exists()


def test_a_file_system_is_synced_by_any_of_its_folders(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    sync_file_system(descriptor)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(descriptor)
