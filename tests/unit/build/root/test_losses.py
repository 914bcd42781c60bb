"""What a root is without is told, with its path, at every build."""

import io
import tarfile
from pathlib import Path

from reconix.build.root import debian, losses
from reconix.build.root.losses import Loss

PASSWD = b"root:x:0:0:root:/root:/bin/bash\nmysql:x:27:27::/:/bin/x\n"
GROUP = b"root:x:0:\nshadow:x:42:\nmessagebus:x:43:\nmysql:x:27:\n"


def member(
    name: str,
    mode: int,
    group: int = 0,
    *,
    user: int = 0,
    content: bytes | None = b"x",
    attributes: tuple[str, ...] = (),
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(f"./{name}")
    info.mode, info.uid, info.gid = mode, user, group
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.size = len(content or b"")
    info.pax_headers = {f"SCHILY.xattr.{name}": "value" for name in attributes}
    return info, content or b""


def pipe(name: str) -> tuple[tarfile.TarInfo, bytes]:
    info, _ = member(name, 0o644, content=b"")
    info.type = tarfile.FIFOTYPE
    return info, b""


def unpacked(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A root from an archive with these, and what every root has."""
    folders = ("etc", "usr", "usr/bin", "usr/lib", "var", "var/lib", "var/log")
    every = [
        *(member(name, 0o755, content=None) for name in folders),
        member("etc/passwd", 0o644, content=PASSWD),
        member("etc/group", 0o644, content=GROUP),
        *members,
    ]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in every:
            archive.addfile(info, io.BytesIO(content))
    packed.seek(0)
    debian.unpack(packed, folder / "root")
    return folder / "root"


def test_an_attribute_that_a_device_does_not_get_is_told(tmp_path: Path) -> None:
    root = unpacked(tmp_path, member("usr/bin/env", 0o755, attributes=("security.new",)))
    assert losses.read(root) == (Loss("usr/bin/env", "attribute security.new"),)


def test_what_a_device_gets_is_not_lost(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        member("etc/shadow", 0o640, 42),
        member("usr/bin/sudo", 0o4755),
        member("usr/bin/chage", 0o2755, 42),
        member("usr/bin/ping", 0o755, attributes=("security.capability",)),
        member("usr/lib/dbus-daemon-launch-helper", 0o4754, 43),
        member("usr/lib/plugin", 0o700, user=27, content=None),
        member("usr/lib/traced", 0o755, attributes=("user.note", "security.selinux")),
        member("var/lib/mysql", 0o700, user=27, content=None),
        member("var/log/journal", 0o2755, content=None, attributes=("system.posix_acl_access",)),
        member("tmp", 0o1777, content=None),
    )
    assert losses.read(root) == ()
    assert list(losses.report({"box": root})) == []


def test_systems_that_lost_the_same_are_told_once(tmp_path: Path) -> None:
    root = unpacked(tmp_path, pipe("usr/lib/queue"))
    (line,) = losses.report({"default": root, "mqtt": root, "old": tmp_path})
    assert line == (
        "default, mqtt: not on the device as in its packages:\n  /usr/lib/queue (a pipe)"
    )


def test_a_key_that_was_made_in_the_build_is_taken_out_and_told(tmp_path: Path) -> None:
    key = b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"
    root = unpacked(tmp_path, member("etc/own.pem", 0o600, content=key))
    assert not (root / "etc/own.pem").exists()
    assert b"own.pem" not in (root / "metadata").read_bytes()
    ((path, what),) = [(loss.path, loss.what) for loss in losses.read(root)]
    assert path == "etc/own.pem"
    assert "a private key of the build, taken out" in what


def test_a_unit_that_waits_for_a_first_boot_is_told(tmp_path: Path) -> None:
    text = b"[Unit]\nConditionFirstBoot=yes\n"
    units = "usr/lib/systemd/system"
    folders = [member(name, 0o755, content=None) for name in ("usr/lib/systemd", units)]
    root = unpacked(
        tmp_path,
        *folders,
        member(f"{units}/app-keys.service", 0o644, content=text),
        member(f"{units}/sshd-keygen.service", 0o644, content=text),
        member(f"{units}/app.service", 0o644, content=b"[Unit]\nConditionFirstBoot=no\n"),
    )
    (loss,) = losses.read(root)
    assert loss.path == f"{units}/app-keys.service"
    assert loss.what == "never starts: it waits for a first boot"
