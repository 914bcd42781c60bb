"""A package file without compression is the same package, as the real programs read it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.build.root.unpacked_members import repack

CONTROL = "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: b\n"


@pytest.mark.parametrize("compression", ["xz", "zstd", "gzip", "none"])
def test_a_package_is_the_same_without_compression(
    compression: str, tmp_path: Path, need: Callable[..., None]
) -> None:
    need("dpkg-deb", "ar")
    tree, deb, ours = tmp_path / "tree", tmp_path / "a.deb", tmp_path / "b.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    (tree / "file").write_bytes(b"odd" * 33333)
    run("dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", tree, deb)
    repack(deb, ours)
    assert run("ar", "t", ours).decode().split() == ["debian-binary", "control.tar", "data.tar"]
    for option in ("--fsys-tarfile", "--ctrl-tarfile", "--field"):
        assert run("dpkg-deb", option, ours) == run("dpkg-deb", option, deb)
    assert run("ar", "p", ours, "debian-binary") == b"2.0\n"


def test_what_is_no_package_is_refused(tmp_path: Path, need: Callable[..., None]) -> None:
    need("dpkg-deb")
    (tmp_path / "a.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(CommandFailed):
        repack(tmp_path / "a.deb", tmp_path / "b.deb")
