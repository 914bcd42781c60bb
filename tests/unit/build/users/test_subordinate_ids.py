"""Numbers for those inside of containers."""

import itertools
from pathlib import Path

import pytest

from reconix.build.users import subordinate_ids
from reconix.build.users.accounts import Account, Accounts
from reconix.build.users.static_ids import LAST_REGULAR
from reconix.config.schema.system import User

PEOPLE = {"ann": 1000, "bob": 1001, "last": LAST_REGULAR, "root": 0}


def accounts() -> Accounts:
    return Accounts(
        tuple(Account(name, uid, uid, "", f"/home/{name}", "/x") for name, uid in PEOPLE.items()),
        (),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/newuidmap").touch()
    return tmp_path


def test_each_person_has_numbers_that_nobody_else_has(root: Path) -> None:
    users = {name: User() for name in PEOPLE}
    made = subordinate_ids.files(users, accounts(), root)
    assert made["subuid"] == made["subgid"]
    lines = [line.split(":") for line in made["subuid"].content.decode().splitlines()]
    ranges = sorted((int(first), int(first) + int(count)) for _, first, count in lines)
    assert [name for name, *_ in lines] == ["ann", "bob", "last"], "root needs none"
    assert ranges[0][0] == 100_000
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ranges))
    assert ranges[-1][1] < 1 << 32


def test_numbers_follow_from_the_person_and_not_from_who_else_is_there(root: Path) -> None:
    alone = subordinate_ids.files({"bob": User()}, accounts(), root)["subuid"].content
    together = subordinate_ids.files({"ann": User(), "bob": User()}, accounts(), root)
    assert together["subuid"].content.endswith(alone)


def test_what_packages_have_assigned_stays(root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/subuid").write_text("root:1000000:1000000000\n")
    made = subordinate_ids.files({"ann": User()}, accounts(), root)
    assert made["subuid"].content == b"root:1000000:1000000000\nann:100000:65536\n"


def test_a_system_that_cannot_use_them_has_none(tmp_path: Path) -> None:
    assert subordinate_ids.files({"ann": User()}, accounts(), tmp_path) == {}
