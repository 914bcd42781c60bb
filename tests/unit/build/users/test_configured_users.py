"""Users of the configuration: who they are on a device, beside those whom packages have made."""

from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.build.users import static_ids
from reconix.build.users.accounts import Accounts, UnknownAccount
from reconix.build.users.configured_users import population, with_users
from reconix.config.schema.system import Kernel, System, User


@pytest.fixture
def root(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/var/lib/mosquitto:/bin/false\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nadm:x:4:\noperator:x:37:\nmosquitto:x:101:\n")
    return Accounts.read(tmp_path)


NUMBERS = {"ann": 31415, "bob": 27182, "operator": 16180}


def test_a_person_has_his_number_a_group_and_a_home(root: Accounts) -> None:
    accounts = with_users(root, {"ann": User(groups=("adm",)), "bob": User()}, NUMBERS)
    assert (accounts.uid("ann"), accounts.gid("ann")) == (31415, 31415)
    assert accounts.home("ann") == "/home/ann"
    assert b"adm:x:4:ann\n" in accounts.files()["group"]


def test_who_is_there_already_stays_who_he_is(root: Accounts) -> None:
    assert with_users(root, {"root": User()}, {}) == root


def test_a_person_may_be_in_the_group_of_another_who_comes_later(root: Accounts) -> None:
    accounts = with_users(root, {"ann": User(groups=("bob",)), "bob": User()}, NUMBERS)
    assert f"bob:x:{NUMBERS['bob']}:ann\n".encode() in accounts.files()["group"]


def test_a_group_that_is_there_already_is_the_persons_own(root: Accounts) -> None:
    accounts = with_users(root, {"operator": User()}, NUMBERS)
    assert [group.gid for group in accounts.groups if group.name == "operator"] == [37]
    assert accounts.users[-1].gid == accounts.gid("operator") == 37
    assert accounts.uid("operator") == NUMBERS["operator"]


def test_nobody_has_a_password(root: Accounts) -> None:
    accounts = with_users(root, {"ann": User()}, NUMBERS)
    lines = accounts.files()["shadow"].decode().splitlines()
    for line in enough(lines, at_least=2, what="accounts"):
        assert line.split(":")[1] == "*"


def test_an_unknown_group_is_an_error_that_names_it(root: Accounts) -> None:
    with pytest.raises(UnknownAccount, match="'wheel'"):
        with_users(root, {"ann": User(groups=("wheel",))}, NUMBERS)


def test_who_is_for_services_cannot_log_in_and_has_the_home_that_is_given(root: Accounts) -> None:
    wanted = {"air": User(system=True), "bee": User(system=True, home="/var/lib/bee")}
    accounts = with_users(root, wanted, {"air": 300, "bee": 301})
    assert [str(account) for account in accounts.users[-2:]] == [
        "air:x:300:300::/nonexistent:/usr/sbin/nologin",
        "bee:x:301:301::/var/lib/bee:/usr/sbin/nologin",
    ]
    assert b"air:x:300:\n" in accounts.files()["group"]


def test_who_logs_in_has_the_home_that_is_given(root: Accounts) -> None:
    accounts = with_users(root, {"ann": User(home="/srv/ann")}, NUMBERS)
    assert accounts.home("ann") == "/srv/ann"


def test_numbers_of_users_for_services_are_those_of_packages(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    users = {"air": User(system=True), "ann": User()}
    system = System(kernel=Kernel(package="linux-image"), users=users)
    numbers = static_ids.assign({}, [population(tmp_path, system)])
    assert 100 <= numbers["air"] <= 999 < numbers["ann"]
    assert static_ids.assign({"air": 400}, [population(tmp_path, system)])["air"] == 400
