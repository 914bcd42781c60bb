"""Numbers stay what they are, whoever comes or goes: what devices keep belongs to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.build.users.accounts import Account, Accounts, Group
from reconix.build.users.static_ids import (
    FIRST_REGULAR,
    FIRST_SYSTEM,
    LAST_REGULAR,
    LAST_SYSTEM,
    IdChanged,
    IdReserved,
    IdTaken,
    Population,
    Renumbering,
    assign,
    choose,
    of_packages,
)
from reconix.store.images.nodes import Metadata

NAME = st.from_regex(r"[a-z_][a-z0-9-]{0,20}", fullmatch=True)
NAMES, FEW = st.sets(NAME, max_size=200), st.sets(NAME, max_size=10)
BASE = Accounts(
    (
        Account("root", 0, 0, "", "/root", "/bin/sh"),
        Account("www-data", 33, 33, "", "/", "/bin/sh"),
    ),
    (Group("root", 0), Group("www-data", 33), Group("operator", 37), Group("users", 100)),
)


def account(name: str, number: int) -> Account:
    return Account(name, number, number, "", "/nonexistent", "/usr/sbin/nologin")


def root(*names: str) -> Accounts:
    """A root in which packages have made users, in this order, as adduser does."""
    numbers = {name: number for number, name in enumerate(names, start=101)}
    users = tuple(account(name, number) for name, number in numbers.items())
    groups = tuple(Group(name, number) for name, number in numbers.items())
    return Accounts((*BASE.users, *users), (*BASE.groups, *groups))


def system(*packages: str, **people: int | None) -> Population:
    return Population(root(*packages), people)


@given(NAMES)
def test_every_name_has_a_number_of_its_own_in_the_range(names: set[str]) -> None:
    numbers = choose(names, FIRST_SYSTEM, LAST_SYSTEM)
    assert numbers.keys() == names
    assert len(set(numbers.values())) == len(names)
    assert all(FIRST_SYSTEM <= number <= LAST_SYSTEM for number in numbers.values())


def test_a_package_more_changes_nobody_elses_number() -> None:
    before = of_packages(root("messagebus", "mosquitto", "sshd", "systemd-network"))
    after = of_packages(root("_chrony", "messagebus", "mosquitto", "sshd", "systemd-network", "x"))
    assert {name: after[name] for name in before} == before


@given(FEW, FEW, FEW, FEW)
def test_once_given_a_number_never_moves_and_never_goes_to_another(
    packages: set[str], people: set[str], more_packages: set[str], more_people: set[str]
) -> None:
    known = assign({}, [system(*packages - people, **dict.fromkeys(people))])
    other = system(*more_packages - more_people, **dict.fromkeys(more_people))
    numbers = assign(known, [other])
    assert all(numbers[name] == known[name] for name in numbers.keys() & known.keys())
    everybody = {**known, **numbers}
    assert len(set(everybody.values())) == len(everybody)


@pytest.mark.parametrize(("one", "comes"), [("rabbitmq", "openvpn"), ("dnsmasq", "dhcpcd")])
def test_a_pair_that_wants_one_number_stays_apart_whoever_comes_later(one: str, comes: str) -> None:
    together = assign({}, [system(one, comes)])
    alone = assign({}, [system(one)])
    assert together[one] != alone[one], "they no longer want the same: name another pair"
    assert assign(alone, [system(one, comes)])[one] == alone[one]


def test_the_number_of_a_person_does_not_depend_on_the_others() -> None:
    alone = assign({}, [system(operator=None)])
    assert FIRST_REGULAR <= alone["operator"] <= LAST_REGULAR
    more = assign({}, [system("mosquitto", ann=None, operator=None, zoe=1000)])
    assert more["operator"] == alone["operator"]
    assert more["zoe"] == 1000


def test_a_name_has_one_number_on_all_systems_of_a_host() -> None:
    numbers = assign({}, [system("openvpn", "rabbitmq", ann=None), system("rabbitmq", ann=None)])
    assert numbers == assign({}, [system("rabbitmq", ann=None), system("openvpn")])


def test_what_debian_has_given_for_ever_stays() -> None:
    accounts = root("mosquitto")
    after = Renumbering.of(accounts, of_packages(accounts)).accounts(accounts)
    assert after.gid("users") == 100
    assert (after.uid("www-data"), after.gid("operator")) == (33, 37)
    assert (
        100
        not in choose(
            [f"user{number}" for number in range(890)], FIRST_SYSTEM, LAST_SYSTEM
        ).values()
    )


def test_devices_of_an_earlier_release_keep_even_that() -> None:
    accounts = root()
    numbers = assign({"users": 202}, [Population(accounts, {})])
    assert Renumbering.of(accounts, numbers).accounts(accounts).gid("users") == 202


def test_a_number_that_would_move_is_refused_with_both() -> None:
    with pytest.raises(IdChanged, match=r"ann has ID 1000 .* would get 1500") as caught:
        assign({"ann": 1000}, [system(ann=1500)])
    assert "--number ann=1500" in caught.value.hint
    with pytest.raises(IdChanged, match="operator"):
        assign({}, [system(operator=1001), system(operator=1002)])


@pytest.mark.parametrize(
    ("people", "known", "other"),
    [
        ({"ann": 1500, "bob": 1500}, {}, "ann"),
        ({"ann": 1500}, {"gone": 1500}, "gone"),
        ({"ann": 312}, {"mosquitto": 312}, "mosquitto"),
        ({"ann": 33}, {}, "www-data"),
        ({"ann": 37}, {}, "operator"),
        ({"ann": 0}, {}, "root"),
    ],
)
def test_a_number_that_somebody_has_is_told(
    people: dict[str, int | None], known: dict[str, int], other: str
) -> None:
    with pytest.raises(IdTaken, match=other):
        assign(known, [Population(root("mosquitto"), people)])


def test_a_number_for_somebody_of_debians_is_told() -> None:
    with pytest.raises(IdReserved, match="root has ID 0"):
        assign({}, [system(root=1000)])
    with pytest.raises(IdReserved, match="www-data has ID 33"):
        assign({}, [Population(root(), {"www-data": 1000})])


def test_a_number_for_the_user_of_a_package_counts() -> None:
    assert assign({}, [system("mosquitto", mosquitto=150)])["mosquitto"] == 150


def test_files_follow_their_owners() -> None:
    accounts = Accounts(
        (account("root", 0), account("mosquitto", 101)),
        (Group("root", 0), Group("mosquitto", 103)),
    )
    renumbering = Renumbering.of(accounts, {"mosquitto": 500})
    acl = "0200000001000700ffffffff02000500650000000800050067000000"
    attributes = ((b"system.posix_acl_access", bytes.fromhex(acl)), (b"user.x", b"\2\0\0\0"))
    before = (
        (b"etc/o", Metadata(0o600)),
        (b"usr/bin/su", Metadata(0o4755, 0, 0, 7, attributes)),
        (b"var/lib/m", Metadata(0o750, 101, 103, 9)),
    )
    own, su, moved = renumbering.entries(before)
    assert own == before[0]
    assert moved == (b"var/lib/m", Metadata(0o750, 500, 500, 9))
    list_of_500 = "0200000001000700ffffffff02000500f401000008000500f4010000"
    new = ((b"system.posix_acl_access", bytes.fromhex(list_of_500)), (b"user.x", b"\2\0\0\0"))
    assert su == (b"usr/bin/su", Metadata(0o4755, 0, 0, 7, new))


def test_a_user_whose_group_has_another_name_keeps_it() -> None:
    accounts = Accounts((Account("reader", 105, 110, "", "/", "/bin/sh"),), (Group("log", 110),))
    numbers = of_packages(accounts)
    after = Renumbering.of(accounts, numbers).accounts(accounts)
    assert after.users[0].gid == after.gid("log") == numbers["log"]
