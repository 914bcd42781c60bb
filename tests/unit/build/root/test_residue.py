"""What was made while a root was built is found, without a second build to compare with."""

import base64
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconix.build.root import residue
from reconix.build.root.residue import Build

BUILD = Build("build-machine-7", began=1_782_950_000, ended=1_782_952_000)
"""On 2 July 2026."""
CHANCE = random.Random(7)
RANDOM = CHANCE.randbytes(32)
KEY = b"-----BEGIN PRIVATE KEY-----\nMIIE\n"


def found(root: Path, files: Mapping[str, bytes], *, private: bool = True) -> dict[str, bool]:
    """What is found in these files: by path, whether it must not stay."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    seen = residue.find(root, set(files) if private else set(), BUILD)
    return {each.path: each.is_secret for each in seen}


@pytest.mark.parametrize(
    ("path", "content", "must_go"),
    [
        ("etc/a/own.pem", b"certificate\n" + KEY, True),
        ("var/lib/a/key.pem", KEY.replace(b"PRIV", b"EC PRIV"), True),
        ("usr/local/etc/id_ed25519", KEY.replace(b"PRIV", b"OPENSSH PRIV"), True),
        ("etc/a/key", CHANCE.randbytes(128), True),
        ("etc/a/cookie", base64.b64encode(RANDOM), False),
        ("etc/a/password", b"password = " + RANDOM.hex().encode() + b"\n", False),
        ("var/lib/db/17/main/PG_VERSION", b"17\n", False),
        ("var/lib/app/app.db", b"SQLite format 3\0more", False),
        ("etc/mailname", b"build-machine-7\n", False),
        ("etc/made", b"# made on 2026-07-02\n", False),
        ("etc/date", b"# Thu Jul  2 00:13:20 UTC 2026\n", False),
        ("etc/letter", b"Made on 2 July 2026 by a script\n", False),
        ("etc/second", b"since = 1782951234\n", False),
        ("var/lib/ldap.ldif", b"createTimestamp: 20260702001320Z\n", False),
    ],
)
def test_what_no_second_build_would_make_again_is_found(
    tmp_path: Path, path: str, content: bytes, must_go: bool
) -> None:
    assert found(tmp_path, {path: content}) == {path: must_go}


@pytest.mark.parametrize(
    "content",
    [
        b"# A long_variable_name_of_a_program = /usr/lib/x86_64-linux-gnu/lib-1.2.3.so\n",
        b"host: build-machine-77\nsee also my.build-machine-7\n",
        b"averyveryverylongidentifier = X1\nANOTHERVERYLONGIDENTIFIER12345\n",
        b"# made on 2025-07-02, 12 July 2026, Jul 22 2026\n",
        b"number = 1782959999, 11782951234\n",
        b"",
    ],
)
def test_ordinary_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    assert found(tmp_path, {"etc/app.conf": content}) == {}


def test_what_everybody_may_read_is_no_secret(tmp_path: Path) -> None:
    assert found(tmp_path, {"etc/noise": CHANCE.randbytes(128)}, private=False) == {}


def test_a_file_that_a_package_lists_is_the_same_in_each_build(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info/app.list"
    info.parent.mkdir(parents=True)
    info.write_text("/.\n/etc\n/etc/example.pem\n")
    assert found(tmp_path, {"etc/example.pem": KEY}) == {}


def test_a_database_is_told_once_and_not_looked_into(tmp_path: Path) -> None:
    inner = {f"var/lib/db/main/base/{n}": CHANCE.randbytes(128) for n in range(3)}
    files = {"var/lib/db/main/PG_VERSION": b"17\n", **inner}
    assert found(tmp_path, files) == {"var/lib/db/main/PG_VERSION": False}


def test_links_are_not_followed_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(KEY)
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/link").symlink_to(tmp_path / "outside")
    assert list(residue.find(tmp_path / "root", (), BUILD)) == []


def test_what_names_a_key_that_is_taken_out_is_told(tmp_path: Path) -> None:
    files = {
        "etc/app/own.pem": KEY,
        "etc/app/app.conf": b"key = /etc/app/own.pem\n",
        "etc/other.conf": b"key = /etc/app/own.pem.old\n",
        "usr/lib/systemd/system/app.service": b"[Service]\nExecStart=/app /etc/app/own.pem\n",
    }
    found(tmp_path, files)
    (key,) = residue.find(tmp_path, (), BUILD)
    readers = "/usr/lib/systemd/system/app.service, /etc/app/app.conf"
    assert key.what.endswith(f"nothing makes it on the device, and named in {readers}")
