"""Secrets of packages: made by the device itself, by the real programs, once, and kept."""

import stat
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.project_files import enough

from reconix.base.process import run, succeeds
from reconix.build.on_device import secrets
from reconix.build.on_device.secrets import FOLDER, Secret
from reconix.build.root import normalise
from reconix.store.tree import File

PROGRAMS = {"openssh": "ssh-keygen", "ssl-cert": "openssl", "ejabberd": "openssl", "munge": "head"}
BY_NAME = {secret.name: secret for secret in secrets.ALL}


def written(path: str) -> str:
    node = secrets.make_files(list(secrets.ALL), ())[path]
    assert isinstance(node, File)
    return node.content.decode()


def make(secret: Secret, device: Path, before: str = "") -> bool:
    """Run the script of a unit, as if below ``device``."""
    script = written(f"reconix/secrets/{secret.name}").replace(FOLDER, f"{device}{FOLDER}")
    return succeeds("sh", "-ec", before + script)


def place(secret: Secret, device: Path) -> None:
    """What a start does when the secret is kept already."""
    lines = [f"{line}\n" for line in written("tmpfiles.d/reconix-secrets.conf").splitlines()]
    ours = [line for line in lines if f"{FOLDER}/{secret.name}/" in line]
    here = "".join(ours).replace("ssl-cert -", "root -").replace("munge munge", "root root")
    settings = device.with_name("placed.conf")
    settings.write_text(here.replace("root ejabberd", "root root"))
    run("systemd-tmpfiles", "--create", f"--root={device}", settings)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_device_makes_each_and_finds_it_where_the_package_has_it(
    name: str, tmp_path: Path, need: Need
) -> None:
    need(PROGRAMS[name], "systemd-tmpfiles")
    secret, device = BY_NAME[name], tmp_path / "device"
    device.mkdir()
    assert make(secret, device)
    place(secret, device)
    for copy in enough(secret.copies, at_least=1, what="copies"):
        path = device / copy.path.lstrip("/")
        assert path.stat().st_size > 60
        assert stat.S_IMODE(path.stat().st_mode) == copy.mode
    made = {path.name for path in (device / FOLDER.lstrip("/") / name).iterdir()}
    assert made == {copy.path.rpartition("/")[2] for copy in secret.copies}


def test_what_makes_a_secret_leaves_nothing_half_when_it_is_cut(tmp_path: Path) -> None:
    munge, kept = BY_NAME["munge"], tmp_path / FOLDER.lstrip("/") / "munge"
    assert not make(munge, tmp_path, before="sync() { exit 1; }\n")
    assert not kept.exists()
    assert make(munge, tmp_path)
    assert [path.name for path in kept.iterdir()] == ["munge.key"]


def test_a_file_that_the_configuration_gives_is_not_replaced(tmp_path: Path, need: Need) -> None:
    need("systemd-tmpfiles")
    device = tmp_path / "device"
    given = device / "etc/munge/munge.key"
    given.parent.mkdir(parents=True)
    given.write_text("ours")
    assert make(BY_NAME["munge"], device)
    place(BY_NAME["munge"], device)
    assert given.read_text() == "ours"


def test_a_file_that_fits_one_of_the_configuration_is_not_ours() -> None:
    """sshd takes no key whose public half is another one's."""
    given = ["ssh/ssh_host_rsa_key", "ssl/certs/ssl-cert-snakeoil.pem"]
    made = secrets.make_files([BY_NAME["openssh"], BY_NAME["ssl-cert"]], given)
    lines = made["tmpfiles.d/reconix-secrets.conf"]
    assert isinstance(lines, File)
    assert b"rsa" not in lines.content
    assert b"snakeoil" not in lines.content
    assert b"ssh_host_ed25519_key.pub" in lines.content


def test_a_unit_makes_a_secret_only_where_it_is_not_kept_yet() -> None:
    (unit,) = secrets.make_units([BY_NAME["openssh"]]).values()
    assert b"ConditionPathExists=!/var/lib/reconix/secrets/openssh\n" in unit
    assert b"Before=sysinit.target systemd-tmpfiles-setup.service\n" in unit


def test_only_what_a_root_has_programs_for_is_made(tmp_path: Path) -> None:
    assert secrets.needed(tmp_path, (), ()) == []
    for name in ("sshd", "munged", "dropbear"):
        (tmp_path / "usr/sbin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/sbin" / name).touch()
    made = secrets.needed(tmp_path, ["munge/munge.key"], ["reconix-host-key.service"])
    assert [secret.name for secret in made] == ["openssh"]


@pytest.mark.parametrize("secret", secrets.ALL, ids=lambda secret: secret.name)
def test_what_a_device_makes_is_no_part_of_a_root(secret: Secret) -> None:
    for copy in enough(secret.copies, at_least=1, what="copies"):
        assert not normalise.keep(copy.path.lstrip("/"), folder=False)
