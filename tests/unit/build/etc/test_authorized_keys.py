"""Who may log in is what the configuration says, whatever a device has kept."""

import os
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.project_files import enough

from reconix.base.process import run
from reconix.build.etc.authorized_keys import KEYS, LINES, files
from reconix.build.users.accounts import Account, Accounts, Group
from reconix.config.schema.system import User
from reconix.store.tree import File

OLD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== old"
NEW = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5BBBBIA== new"
ANN = Account("ann", os.getuid(), os.getgid(), "", "/home/ann", "/bin/sh")
DATABASE = Account("database", os.getuid(), os.getgid(), "", "/var/lib/database", "/bin/sh")
DAEMON = Account("daemon", 1, 1, "", "/usr/sbin", "/usr/sbin/nologin")
NOBODY = Account("_x", 333, 333, "", "/", "/usr/sbin/nologin")
ACCOUNTS = Accounts((ANN, DATABASE, DAEMON, NOBODY), (Group("ann", os.getgid()),))


def start(device: Path, made: dict[str, File]) -> None:
    """What happens at each start: the generated files are there anew, then systemd-tmpfiles."""
    for path, file in made.items():
        (device / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
        (device / "etc" / path).write_bytes(file.content)
    for name, entries in (("passwd", ACCOUNTS.users), ("group", ACCOUNTS.groups)):
        (device / "etc" / name).write_text("".join(f"{entry}\n" for entry in entries))
    run("systemd-tmpfiles", f"--root={device}", "--create", "--remove", "--boot")


def keys_of(device: Path, account: Account) -> str:
    """What a server reads that looks into the home, as dropbear does."""
    place = device / account.home[1:] / ".ssh/authorized_keys"
    if place.is_symlink():
        return (device / str(place.readlink())[1:]).read_text()
    return place.read_text() if place.exists() else ""


@pytest.fixture
def device(tmp_path: Path, need: Need) -> Path:
    need("systemd-tmpfiles")
    for account in (ANN, DATABASE):
        (tmp_path / account.home[1:]).mkdir(parents=True)
    return tmp_path


def made_for(**users: User) -> dict[str, File]:
    return files(users, ACCOUNTS, Path("/nowhere"))


def test_a_revoked_key_ends_and_a_new_one_works_where_the_home_was_kept(device: Path) -> None:
    start(device, made_for(ann=User(authorized_keys=(OLD,))))
    assert keys_of(device, ANN) == f"{OLD}\n"
    start(device, made_for(ann=User(authorized_keys=(NEW,))))
    assert keys_of(device, ANN) == f"{NEW}\n"


def test_a_copy_that_an_earlier_release_has_made_is_replaced(device: Path) -> None:
    copy = device / "home/ann/.ssh/authorized_keys"
    copy.parent.mkdir()
    copy.write_text(f"{OLD}\n")
    start(device, made_for(ann=User(authorized_keys=(NEW,))))
    assert keys_of(device, ANN) == f"{NEW}\n"


@pytest.mark.parametrize("account", [ANN, DATABASE], ids=lambda account: account.name)
@pytest.mark.parametrize("users", [{}, {"ann": User(), "database": User()}], ids=["gone", "no key"])
def test_who_has_no_key_any_more_cannot_log_in(
    device: Path, users: dict[str, User], account: Account
) -> None:
    for name in ("authorized_keys", "authorized_keys2"):
        kept = device / account.home[1:] / ".ssh" / name
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(f"{OLD}\n")
    start(device, made_for(**users))
    assert not list(kept.parent.iterdir())


def test_a_link_that_leads_elsewhere_is_not_followed(device: Path) -> None:
    hidden = device / "home/ann/hidden"
    hidden.mkdir()
    (hidden / "authorized_keys").write_text(f"{OLD}\n")
    (device / "home/ann/.ssh").symlink_to("hidden")
    start(device, made_for(ann=User(authorized_keys=(NEW,))))
    assert keys_of(device, ANN) == f"{NEW}\n"
    assert (hidden / "authorized_keys").read_text() == f"{OLD}\n"


def test_other_files_beside_the_keys_stay(device: Path) -> None:
    known = device / "home/ann/.ssh/known_hosts"
    known.parent.mkdir()
    known.write_text("x")
    start(device, made_for(ann=User(authorized_keys=(NEW,))))
    assert known.read_text() == "x"


def test_homes_where_nobody_can_write_are_left_alone() -> None:
    lines = made_for(daemon=User(authorized_keys=(NEW,)))[LINES].content.decode()
    assert "/usr/sbin" not in lines
    assert " /.ssh" not in lines
    assert made_for(daemon=User(authorized_keys=(NEW,)))[f"{KEYS}/daemon"].content


def test_the_home_that_a_package_has_made_keeps_its_mode() -> None:
    lines = made_for(database=User(authorized_keys=(NEW,)))[LINES].content.decode().splitlines()
    enough(lines, at_least=1, what="lines")
    assert not [line for line in lines if line.split()[1] == DATABASE.home]


def test_openssh_looks_only_where_the_generation_has_the_keys(tmp_path: Path) -> None:
    sshd = tmp_path / "usr/sbin/sshd"
    sshd.parent.mkdir(parents=True)
    assert "ssh/sshd_config.d/00-reconix.conf" not in files({}, ACCOUNTS, tmp_path)
    sshd.touch()
    said = files({}, ACCOUNTS, tmp_path)["ssh/sshd_config.d/00-reconix.conf"].content
    assert said == b"AuthorizedKeysFile /etc/reconix/authorized_keys/%u\n"
