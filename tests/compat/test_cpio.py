"""Our cpio archives against GNU cpio."""

from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.build.boot.cpio import Entry, print_archive

Need = Callable[..., None]


def test_gnu_cpio_unpacks_what_we_wrote(need: Need, tmp_path: Path) -> None:
    need("cpio")
    archive = print_archive(
        [
            Entry.folder("bin"),
            Entry.file("bin/tool", b"\x7fELF" * 99 + b"x", executable=True),
            Entry.link("bin/sh", "tool"),
            Entry.file("empty", b""),
        ]
    )
    run("cpio", "--extract", "--quiet", stdin=archive, folder=tmp_path)
    assert (tmp_path / "bin/tool").read_bytes() == b"\x7fELF" * 99 + b"x"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "bin/sh").readlink() == Path("tool")
    assert (tmp_path / "empty").read_bytes() == b""
    listed = run("cpio", "--list", "--verbose", "--quiet", stdin=archive).decode()
    assert len(listed.splitlines()) == 4
    assert all(" root" in line for line in listed.splitlines())
