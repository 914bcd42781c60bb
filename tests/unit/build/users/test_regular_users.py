"""People: who they are on a device, beside those whom packages have made."""

from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.build.users.accounts import Accounts, UnknownAccount
from reconix.build.users.regular_users import with_regular_users
from reconix.config.schema.system import User


@pytest.fixture
def root(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/var/lib/mosquitto:/bin/false\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nadm:x:4:\noperator:x:37:\nmosquitto:x:101:\n")
    return Accounts.read(tmp_path)


NUMBERS = {"ann": 31415, "bob": 27182, "operator": 16180}


def test_a_person_has_his_number_a_group_and_a_home(root: Accounts) -> None:
    accounts = with_regular_users(root, {"ann": User(groups=("adm",)), "bob": User()}, NUMBERS)
    assert (accounts.uid("ann"), accounts.gid("ann")) == (31415, 31415)
    assert accounts.home("ann") == "/home/ann"
    assert b"adm:x:4:ann\n" in accounts.files()["group"]


def test_who_is_there_already_stays_who_he_is(root: Accounts) -> None:
    assert with_regular_users(root, {"root": User()}, {}) == root


def test_a_person_may_be_in_the_group_of_another_who_comes_later(root: Accounts) -> None:
    accounts = with_regular_users(root, {"ann": User(groups=("bob",)), "bob": User()}, NUMBERS)
    assert f"bob:x:{NUMBERS['bob']}:ann\n".encode() in accounts.files()["group"]


def test_a_group_that_is_there_already_is_the_persons_own(root: Accounts) -> None:
    accounts = with_regular_users(root, {"operator": User()}, NUMBERS)
    assert [group.gid for group in accounts.groups if group.name == "operator"] == [37]
    assert accounts.users[-1].gid == accounts.gid("operator") == 37
    assert accounts.uid("operator") == NUMBERS["operator"]


def test_nobody_has_a_password(root: Accounts) -> None:
    accounts = with_regular_users(root, {"ann": User()}, NUMBERS)
    lines = accounts.files()["shadow"].decode().splitlines()
    for line in enough(lines, at_least=2, what="accounts"):
        assert line.split(":")[1] == "*"


def test_an_unknown_group_is_an_error_that_names_it(root: Accounts) -> None:
    with pytest.raises(UnknownAccount, match="'wheel'"):
        with_regular_users(root, {"ann": User(groups=("wheel",))}, NUMBERS)
