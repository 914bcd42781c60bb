"""People: who they are on a device, beside those whom packages have made."""

from pathlib import Path

import pytest

from reconix.build.accounts import Accounts, UnknownAccount
from reconix.build.people import with_people
from reconix.config.schema.system import User


@pytest.fixture
def root(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/var/lib/mosquitto:/bin/false\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nadm:x:4:\nmosquitto:x:101:\n")
    return Accounts.read(tmp_path)


def test_a_person_gets_a_free_number_a_group_and_a_home(root: Accounts) -> None:
    accounts = with_people(root, {"ann": User(groups=("adm",)), "bob": User()})
    assert accounts.uid("ann") == 1000
    assert accounts.uid("bob") == 1001
    assert accounts.home("ann") == "/home/ann"
    assert b"adm:x:4:ann\n" in accounts.files()["group"]


def test_who_is_there_already_stays_who_he_is(root: Accounts) -> None:
    assert with_people(root, {"root": User()}) == root


def test_nobody_has_a_password(root: Accounts) -> None:
    accounts = with_people(root, {"ann": User()})
    for line in accounts.files()["shadow"].decode().splitlines():
        assert line.split(":")[1] == "*"


def test_an_unknown_group_is_an_error_that_names_it(root: Accounts) -> None:
    with pytest.raises(UnknownAccount, match="'wheel'"):
        with_people(root, {"ann": User(groups=("wheel",))})
