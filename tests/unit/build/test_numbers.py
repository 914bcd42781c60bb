"""The number of a user follows from his name, whoever else there is."""

from hypothesis import given
from hypothesis import strategies as st

from reconix.build.accounts import Account, Accounts, Group
from reconix.build.normalise import Ownership
from reconix.build.numbers import FIRST, LAST, Renumbering, choose

NAMES = st.sets(st.from_regex(r"[a-z_][a-z0-9-]{0,20}", fullmatch=True), max_size=200)


def account(name: str, number: int) -> Account:
    return Account(name, number, number, "", "/nonexistent", "/usr/sbin/nologin")


@given(NAMES)
def test_every_name_has_a_number_of_its_own_in_the_range(names: set[str]) -> None:
    numbers = choose(names)
    assert numbers.keys() == names
    assert len(set(numbers.values())) == len(names)
    assert all(FIRST <= number <= LAST for number in numbers.values())


def test_a_package_more_changes_nobody_elses_number() -> None:
    before = choose(["messagebus", "mosquitto", "sshd", "systemd-network"])
    after = choose(["_chrony", "messagebus", "mosquitto", "sshd", "systemd-network", "www-cache"])
    assert {name: after[name] for name in before} == before


def test_files_follow_their_owners() -> None:
    accounts = Accounts(
        (account("root", 0), account("mosquitto", 101), account("operator", 1000)),
        (Group("root", 0), Group("mosquitto", 103), Group("operator", 1000)),
    )
    renumbering = Renumbering.of(accounts)
    number = choose(["mosquitto"])["mosquitto"]
    assert renumbering.ownership(Ownership("var/lib/m", 0o750, 101, 103)) == Ownership(
        "var/lib/m", 0o750, number, number
    )
    assert renumbering.ownership(Ownership("etc/o", 0o600, 0, 1000)).group == 1000
    after = renumbering.accounts(accounts)
    assert (after.uid("mosquitto"), after.gid("mosquitto")) == (number, number)
    assert (after.uid("root"), after.uid("operator")) == (0, 1000)


def test_a_user_whose_group_has_another_name_keeps_it() -> None:
    accounts = Accounts((Account("reader", 105, 110, "", "/", "/bin/sh"),), (Group("log", 110),))
    after = Renumbering.of(accounts).accounts(accounts)
    assert after.users[0].gid == after.gid("log") == choose(["log", "reader"])["log"]
