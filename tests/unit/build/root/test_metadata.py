"""What packages say about their files stands beside a root, the same on each day."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.build.root import debian, metadata
from reconix.build.root.metadata import lost, of_member
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import parse_entries

BEGAN = 1_800_000_000.5
CAPABILITY = b"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"


def member(
    mode: int = 0o644,
    *,
    kind: bytes = tarfile.REGTYPE,
    owner: tuple[int, int] = (0, 0),
    mtime: float = 1,
    attributes: Mapping[str, str] | None = None,
) -> tarfile.TarInfo:
    info = tarfile.TarInfo("x")
    info.type, info.mode, info.mtime = kind, mode, mtime
    info.uid, info.gid = owner
    info.pax_headers = {f"SCHILY.xattr.{k}": v for k, v in (attributes or {}).items()}
    return info


@pytest.mark.parametrize(
    ("mtime", "kept"),
    [
        (0, 0),
        (1_700_000_000, 1_700_000_000),
        (BEGAN - 0.25, 1_800_000_000),
        (BEGAN, 1),
        (float(2**31 - 1), 1),
        (1e300, 1),
        (-1, 1),
    ],
)
def test_a_file_has_the_time_of_its_package_and_none_of_the_build(mtime: float, kept: int) -> None:
    assert of_member(member(mtime=mtime), BEGAN).mtime == kept


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_folders_and_links_have_no_time(kind: bytes) -> None:
    assert of_member(member(kind=kind, mtime=1_700_000_000), BEGAN).mtime == 1


def test_owner_and_all_bits_of_the_mode_are_kept() -> None:
    assert of_member(member(0o104754, owner=(1, 999)), BEGAN) == Metadata(0o4754, 1, 999)


def test_attributes_of_packages_are_kept_and_those_of_the_machine_are_not() -> None:
    acl = "\2\0\0\0\1\0\7\0\udcff\udcff\udcff\udcff"
    said = member(
        attributes={
            "security.capability": CAPABILITY.decode(errors="surrogateescape"),
            "security.selinux": "system_u:object_r:tmp_t:s0",
            "system.posix_acl_access": acl,
            "trusted.overlay.opaque": "y",
            "user.a%3Db%253D": "ö\n",
        }
    )
    assert of_member(said, BEGAN).attributes == (
        (b"security.capability", CAPABILITY),
        (b"system.posix_acl_access", b"\2\0\0\0\1\0\7\0\xff\xff\xff\xff"),
        (b"user.a=b%3D", "ö\n".encode()),
    )
    assert list(lost(said)) == []


def test_an_attribute_that_nobody_knows_is_told() -> None:
    said = member(attributes={"security.new": "x", "system.nfs4_acl": "y"})
    assert list(lost(said)) == ["security.new", "system.nfs4_acl"]


def test_what_tar_writes_is_read(tmp_path: Path) -> None:
    """An archive as mmdebstrap makes it: GNU tar, with attributes that are no text."""
    for name in ("etc", "usr", "usr/bin", "usr/lib", "var", "var/lib"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    program, queue = tmp_path / "tree/usr/bin/su", tmp_path / "tree/var/lib/queue"
    program.write_bytes(b"x")
    program.chmod(0o4755)
    (tmp_path / "tree/usr/bin/zz").hardlink_to(program)
    queue.mkdir(mode=0o1777)
    queue.chmod(0o1777)
    (tmp_path / "tree/usr/bin/link").symlink_to("su")
    os.setxattr(program, "user.a", b"\0\xff=\n")
    run("touch", "--no-dereference", "--date=@1500000000", *program.parent.iterdir())
    words = ("--xattrs", "--format=pax", "--numeric-owner", "--owner=0", "--group=0", "--sort=name")
    packed = run(
        "tar", "-c", *words, "--pax-option=delete=atime,delete=ctime", "-C", tmp_path / "tree", "."
    )
    debian.unpack(io.BytesIO(packed), tmp_path / "root")
    content = (tmp_path / "root" / metadata.FILE).read_bytes()
    found = dict(parse_entries(content, source="test"))
    su = Metadata(0o4755, 0, 0, 1_500_000_000, ((b"user.a", b"\0\xff=\n"),))
    assert found == {
        **dict.fromkeys(
            (b"etc", b"usr", b"usr/bin", b"usr/lib", b"var", b"var/lib"), Metadata(0o755)
        ),
        b"usr/bin/su": su,
        b"usr/bin/zz": su,
        b"usr/bin/reconix-device": Metadata(0o755),
        b"usr/lib/modules": Metadata(0o755),
        b"var/.updated": Metadata(0o644),
        b"var/lib/queue": Metadata(0o1777),
    }
