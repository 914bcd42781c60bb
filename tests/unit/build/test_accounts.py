"""Accounts: those of the root, and people; never a password."""

from pathlib import Path

import pytest

from reconix.build.accounts import Accounts, UnknownAccount
from reconix.config.schema.system import User


@pytest.fixture
def root(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/var/lib/mosquitto:/bin/false\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nadm:x:4:\nmosquitto:x:101:\n")
    return Accounts.read(tmp_path)


def test_accounts_of_the_root_are_printed_as_they_were_read(root: Accounts, tmp_path: Path) -> None:
    assert root.files()["passwd"] == (tmp_path / "passwd").read_bytes()
    assert root.files()["group"] == (tmp_path / "group").read_bytes()


def test_a_person_gets_a_free_number_a_group_and_a_home(root: Accounts) -> None:
    accounts = root.with_users({"ann": User(groups=("adm",)), "bob": User()})
    assert accounts.uid("ann") == 1000
    assert accounts.uid("bob") == 1001
    assert accounts.home("ann") == "/home/ann"
    assert b"adm:x:4:ann\n" in accounts.files()["group"]


def test_who_is_there_already_stays_who_he_is(root: Accounts) -> None:
    assert root.with_users({"root": User()}) == root


def test_nobody_has_a_password(root: Accounts) -> None:
    accounts = root.with_users({"ann": User()})
    for line in accounts.files()["shadow"].decode().splitlines():
        assert line.split(":")[1] == "*"


def test_an_unknown_group_is_an_error_that_names_it(root: Accounts) -> None:
    with pytest.raises(UnknownAccount, match="'wheel'"):
        root.with_users({"ann": User(groups=("wheel",))})
