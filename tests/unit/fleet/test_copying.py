"""Files come to a device and from it whole or not at all, and nothing else comes with them."""

import contextlib
import os
import shutil
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from reconix.base.errors import ReconixError
from reconix.fleet.copying import CannotCopy, from_device, to_device
from reconix.fleet.remote import NotReached, Refused, Remote

NEEDED = ("basename", "cat", "dirname", "mktemp", "mv", "rm", "sh", "sleep", "tail")


@pytest.fixture(params=["tar", "python3"])
def there(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home on a device with tar or without, whose ssh is a shell on this machine."""
    home, programs = tmp_path / "device", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    ssh = programs / "ssh"
    device = tmp_path / "device-programs"
    device.mkdir()
    for name in (*NEEDED, *{request.param} - {"python3"}):
        (device / name).symlink_to(shutil.which(name) or name)
    if request.param == "python3":
        (device / "python3").symlink_to(Path(sys.executable).resolve())
    script = 'for last in "$@"; do :; done\ncd "$HOME" && exec sh -c "$last"\n'
    ssh.write_text(f"#!/bin/sh\nHOME='{home}' PATH='{device}'\n{script}")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return home


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


DEVICE = Remote("root@192.0.2.1")


@pytest.mark.parametrize(
    ("target", "place"),
    [("", "a file"), (".", "a file"), ("sub", "sub/a file"), ("sub/", "sub/a file"), ("x", "x")],
)
def test_a_copy_goes_into_a_folder_or_under_the_name_that_it_shall_have(
    target: str, place: str, there: Path, here: Path
) -> None:
    (there / "sub").mkdir()
    (here / "a file").write_text("content")
    to_device(DEVICE, here / "a file", target)
    assert (there / place).read_text() == "content"
    made = [path for path in there.rglob("*") if path.is_file()]
    assert made == [there / place], "nothing of the work is left"


def test_a_folder_comes_with_what_is_in_it_and_goes_back_the_same(there: Path, here: Path) -> None:
    source = here / "tree"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "program").write_bytes(b"\0\xff" * 100_000)
    (source / "deep" / "program").chmod(0o750)
    (source / "link").symlink_to("deep/program")
    to_device(DEVICE, source, "")
    back = from_device(DEVICE, "tree", here / "back")
    assert (back / "deep/program").read_bytes() == b"\0\xff" * 100_000
    assert stat.S_IMODE((back / "deep/program").stat().st_mode) & 0o700 == 0o700
    assert (back / "link").readlink() == Path("deep/program")


def test_what_is_copied_belongs_to_whoever_logs_in_and_not_to_a_number_of_here(
    there: Path, here: Path
) -> None:
    (here / "file").write_text("x")
    if os.geteuid() == 0:
        os.chown(here / "file", 4711, 4711)
    to_device(DEVICE, here / "file", "")
    assert (there / "file").stat().st_uid == os.geteuid()


def test_a_file_of_this_name_is_replaced_and_a_folder_is_left_alone(
    there: Path, here: Path
) -> None:
    (here / "name").write_text("new")
    (there / "name").write_text("old")
    to_device(DEVICE, here / "name", "name")
    assert (there / "name").read_text() == "new"
    (there / "sub" / "name").mkdir(parents=True)
    with pytest.raises(Refused, match="there is a folder sub/name already"):
        to_device(DEVICE, here / "name", "sub")


def test_where_there_is_no_such_folder_it_is_told(there: Path, here: Path) -> None:
    (here / "name").write_text("new")
    with pytest.raises(Refused, match="there is no folder other/"):
        to_device(DEVICE, here / "name", "other/")
    with pytest.raises(Refused, match="there is no missing"):
        from_device(DEVICE, "missing", here)
    with pytest.raises(CannotCopy, match="there is no"):
        to_device(DEVICE, here / "missing", "")
    assert sorted(here.iterdir()) == [here / "name"]


def test_a_large_file_does_not_hide_why_the_device_refused_it(there: Path, here: Path) -> None:
    (here / "large").write_bytes(bytes(8 << 20))
    with pytest.raises(Refused, match="there is no folder other/"):
        to_device(DEVICE, here / "large", "other/")


@pytest.mark.parametrize("target", ["", "new name"])
def test_a_file_comes_into_a_folder_or_under_another_name(
    target: str, there: Path, here: Path
) -> None:
    (there / "a file").write_text("content")
    place = from_device(DEVICE, str(there / "a file"), here / target)
    assert place == here / (target or "a file")
    assert place.read_text() == "content"


def test_a_folder_that_is_here_is_not_mixed_with_another(there: Path, here: Path) -> None:
    (there / "name").mkdir()
    (here / "name").mkdir()
    with pytest.raises(CannotCopy, match="already"):
        from_device(DEVICE, "name", here)


@pytest.mark.parametrize("source", ["", "/", "..", "a/.."])
def test_what_would_have_no_name_is_refused(source: str, here: Path) -> None:
    with pytest.raises(CannotCopy, match="no name"):
        from_device(DEVICE, source, here)


def evil(folder: Path, *members: tarfile.TarInfo) -> None:
    """Let the tar of the device say this."""
    with tarfile.open(folder / "archive", "w") as archive:
        for member in members:
            archive.addfile(member)
    for name in ("tar", "python3"):
        program = folder.parent / "device-programs" / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\nexec cat '{folder}/archive'\n")
        program.chmod(0o755)
    (folder / "name").touch()


def member(name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.mode = kind, mode
    return found


@pytest.mark.parametrize(
    "members",
    [
        [member("./other")],
        [member("./name"), member("./.bashrc")],
        [member("./name/pipe", tarfile.FIFOTYPE)],
        [],
    ],
    ids=["another name", "one more", "a pipe", "nothing"],
)
def test_what_was_not_asked_for_does_not_come(
    members: list[tarfile.TarInfo], there: Path, here: Path
) -> None:
    evil(there, *members)
    with pytest.raises(CannotCopy):
        from_device(DEVICE, "name", here)
    assert list(here.iterdir()) == []


def test_a_path_that_leads_out_is_not_followed(there: Path, here: Path) -> None:
    link = member("./name/link", tarfile.SYMTYPE)
    link.linkname = str(here.parent)
    evil(there, member("./name", tarfile.DIRTYPE, mode=0o755), link, member("./name/link/outside"))
    with contextlib.suppress(ReconixError):
        from_device(DEVICE, "name", here)
    assert not (here.parent / "outside").exists()
    evil(there, member("../../up"))
    with contextlib.suppress(ReconixError):
        from_device(DEVICE, "name", here)
    assert not (here.parent / "up").exists()


def test_what_sets_a_user_is_dropped(there: Path, here: Path) -> None:
    evil(there, member("./name", mode=0o6755))
    assert stat.S_IMODE(from_device(DEVICE, "name", here).stat().st_mode) & 0o7000 == 0


def test_a_device_that_does_not_answer_leaves_nothing(there: Path, here: Path) -> None:
    ssh = there.parent / "programs" / "ssh"
    ssh.write_text("#!/bin/sh\necho no route >&2; exit 255\n")
    with pytest.raises(NotReached, match="no route"):
        from_device(DEVICE, "name", here)
    assert list(here.iterdir()) == []
