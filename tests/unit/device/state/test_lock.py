"""One at a time, and writable for nobody else; tested on a real ext4 where tests may mount."""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.device_model import Machine

from reconix.base.process import CommandFailed, run
from reconix.device.state.lock import Busy, NoPrivilege, being_changed, exclusive_rw
from reconix.store.layout import OtherLayout, print_layout

SOURCE = Path(__file__).parents[4] / "src"
PROGRAM = """\
import ctypes, os, sys
if not hasattr(os, "unshare"):  # Python 3.11: the same call, which a device's Python has
    os.CLONE_NEWNS, os.unshare = 0x20000, ctypes.CDLL(None).unshare
    sys.version_info = (3, 12)
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.device.paths import Paths
from reconix.device.state.lock import exclusive_rw

root = Path(sys.argv[2])
def fails(path):
    try:
        path.write_text("no")
    except OSError as error:
        return error.strerror
paths = Paths(system=root / "system", run=root)
with exclusive_rw(paths):
    (paths.home / "written").write_text("yes")
    print(fails(root / "store" / "x"))
    sys.stdout.flush()
    if sys.argv[3:]:
        sys.stdin.read()
print(fails(paths.home / "late"))
"""


def test_a_second_one_is_told_that_somebody_works(machine: Machine) -> None:
    """C1"""
    with exclusive_rw(machine.paths):
        assert being_changed(machine.paths)
        with pytest.raises(Busy), exclusive_rw(machine.paths):
            pass
    assert not being_changed(machine.paths)


def test_w4_what_everybody_can_open_keeps_nobody_from_working(machine: Machine) -> None:
    """`nobody` locks whatever there is for as long as it runs."""
    machine.boot()
    locked = 0
    with exclusive_rw(machine.paths), contextlib.ExitStack() as held:
        for path in [machine.place, *machine.place.rglob("*")]:
            if path.lstat().st_mode & 0o004 and not path.is_symlink():
                descriptor = os.open(path, os.O_RDONLY)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                locked += 1
        others = held.pop_all()
    assert locked > 10
    with others, exclusive_rw(machine.paths):
        assert being_changed(machine.paths)
    assert not being_changed(machine.paths)


def test_nobody_begins_on_a_disk_of_another_layout(machine: Machine) -> None:
    machine.paths.layout.write_text("3\n")
    with pytest.raises(OtherLayout, match="has layout 3"), exclusive_rw(machine.paths):
        pass
    assert not being_changed(machine.paths)


def test_only_root_can_begin(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def refuse(path: str | Path, *flags: int) -> int:
        if path == machine.paths.lock:
            raise PermissionError(13, "Permission denied")
        return really(path, *flags)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NoPrivilege), exclusive_rw(machine.paths):
        pass


def test_who_can_wait_gets_the_lock_when_it_is_free(machine: Machine) -> None:
    holder = subprocess.Popen(
        ["flock", machine.paths.lock, "sh", "-c", "echo held; sleep 1"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with holder, exclusive_rw(machine.paths, wait_seconds=20):
        pass


@pytest.fixture
def mounted(tmp_path: Path, need: Need) -> Iterator[Path]:
    """A system partition, mounted as the initrd mounts it."""
    need("mkfs.ext4")
    (tmp_path / "tree/pool").mkdir(parents=True)
    (tmp_path / "tree/reconix").mkdir()
    (tmp_path / "tree/reconix/layout").write_bytes(print_layout())
    for name in ("system", "store"):
        (tmp_path / name).mkdir()
    image, system, store = (tmp_path / name for name in ("image", "system", "store"))
    image.touch()
    os.truncate(image, 16 << 20)
    run("mkfs.ext4", "-q", "-d", tmp_path / "tree", image)
    try:
        loop = run("losetup", "--find", "--show", image).decode().strip()
    except CommandFailed as error:
        pytest.skip(f"tests may not mount here: {error}")
    try:
        run("mount", "-o", "ro,noatime", loop, system)
        run("mount", "-o", "bind", system / "pool", store)
        run("mount", "-o", "remount,bind,ro", store)
        yield tmp_path
    finally:
        for place in (store, system):
            run("umount", "--lazy", place)
        run("losetup", "--detach", loop)


def test_only_the_agent_can_write(mounted: Path) -> None:
    said = run(sys.executable, "-I", "-S", "-c", PROGRAM, SOURCE, mounted).decode()
    assert said.splitlines() == ["Read-only file system"] * 2
    assert (mounted / "system/reconix/written").read_text() == "yes"


def test_nobody_else_can_write_while_the_agent_works(mounted: Path) -> None:
    words: list[str | Path] = [sys.executable, "-I", "-S", "-c", PROGRAM, SOURCE, mounted, "wait"]
    agent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        with pytest.raises(OSError, match="Read-only"):
            (mounted / "system/reconix/ours").write_text("no")
        agent.communicate()
    assert agent.returncode == 0


def test_an_agent_that_is_killed_does_not_keep_the_next_one_from_working(mounted: Path) -> None:
    """P11"""
    words: list[str | Path] = [sys.executable, "-I", "-S", "-c", PROGRAM, SOURCE, mounted, "wait"]
    agent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        agent.kill()
    said = run(sys.executable, "-I", "-S", "-c", PROGRAM, SOURCE, mounted).decode()
    assert said.splitlines() == ["Read-only file system"] * 2
