"""What services test before they start is run in both roots, cut off from this machine."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_trees import Tree, write
from tests.heard import Heard

from reconix.base import progress
from reconix.base.process import find
from reconix.build.minify import start_tests
from reconix.build.minify.start_tests import StartTest
from reconix.build.software.device_files import Part
from reconix.build.software.programs import BrokenPrograms

UNIT = """\
[Service]
ExecStartPre=-/bin/mkdir /run/x
ExecStartPre=/usr/bin/air -t
ExecStartPre=/usr/bin/air -t %n
ExecStart=/usr/bin/air
"""
ROOT: Tree = {
    "bin": "> usr/bin",
    "usr/lib/systemd/system/air.service": UNIT,
    "usr/share/air/types": "",
    "etc/of-the-root": "",
}


@pytest.fixture
def program(need: Callable[..., None]) -> Path:
    """A program that needs no library."""
    need("busybox")
    found = find("busybox")
    assert found is not None
    return found


def roots(folder: Path, program: Path, script: str) -> tuple[Path, Path, list[Part]]:
    """A minimal root that has no types, the full one, and settings above them."""
    folder.chmod(0o755)
    both = []
    for name in ("minimal", "full"):
        root = write(folder / name, {**ROOT, "usr/bin/air": f"#!/bin/sh\n{script}\n"})
        shutil.copy(program, root / "usr/bin/sh")
        both.append(root)
    (both[0] / "usr/share/air/types").unlink()
    return both[0], both[1], [Part("/etc", write(folder / "etc", {"air.conf": "types"}))]


def test_only_plain_commands_that_test_something_are_run(tmp_path: Path) -> None:
    root = write(tmp_path / "root", ROOT)
    found = [StartTest("air.service", ("/usr/bin/air", "-t"))]
    assert start_tests.start_tests((), root) == found
    own = write(tmp_path / "etc", {"systemd/system/air.service": "[Service]\nExecStart=/x\n"})
    assert start_tests.start_tests([own], root) == []


def test_a_file_that_settings_name_and_that_went_is_an_error(tmp_path: Path, program: Path) -> None:
    script = 'read name < /etc/air.conf; : < /etc/of-the-root && : < "/usr/share/air/$name"'
    with pytest.raises(BrokenPrograms, match=r"/usr/bin/air fails before air\.service.*types"):
        start_tests.check(*roots(tmp_path, program, script))


@pytest.mark.parametrize("script", ["exit 3", "exit 0", ": > /usr/share/air/types"])
def test_what_both_do_is_no_error_and_changes_nothing(
    tmp_path: Path, program: Path, script: str
) -> None:
    minimal, full, above = roots(tmp_path, program, script)
    start_tests.check(minimal, full, above)
    assert not (minimal / "usr/share/air/types").exists()


def test_layers_that_cannot_be_put_together_are_told(tmp_path: Path, program: Path) -> None:
    minimal, full, above = roots(tmp_path, program, "exit 0")
    heard = Heard()
    progress.listen(heard)
    try:
        start_tests.check(minimal, full, [*above, Part("", tmp_path / "none")])
    finally:
        progress.listen(progress.Silent())
    (note,) = heard.notes
    assert note.startswith("cannot run what air.service tests before it starts: ")


def test_it_is_alone(tmp_path: Path, program: Path) -> None:
    script = "test ! -e /usr/share/air/types || exit 0; exec sh -c 'test -e /dev/vda -o -e /proc/1'"
    with pytest.raises(BrokenPrograms):
        start_tests.check(*roots(tmp_path, program, script))


def test_one_that_does_not_end_is_ended(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_tests, "_SECONDS", 1)
    mark = f"air-{tmp_path.name}-{os.getpid()}"
    script = f"test -e /usr/share/air/types || exec sh -c 'while :; do :; done' {mark}"
    with pytest.raises(BrokenPrograms, match="fails before"):
        start_tests.check(*roots(tmp_path, program, script))
    deadline = time.monotonic() + 10
    while is_running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(mark)


def is_running(mark: str) -> bool:
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in each.read_bytes():
                return True
    return False
