"""Users between the systems of a host."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load, load_with_places


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ("users.ann.uid = 1500", "users.ann.uid = 1501", "is 1501 in two"),
        ("users.ann.uid = 1500", "users.bob.uid = 1500", "in one ann has UID 1500"),
        ("users.ann.uid = 1500", "users.ann.uid = 1500", ""),
        ("users.ann.uid = 1500", "users.ann = {}", ""),
    ],
)
def test_a_user_has_one_number_on_all_systems(
    tmp_path: Path, one: str, two: str, told: str
) -> None:
    write(tmp_path, one=one, two=two)
    if told:
        (problem,) = mistakes(tmp_path)
        assert told in problem.fact
        assert problem.place.file.name == "two.toml"
    else:
        load(tmp_path)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@home"


@pytest.mark.parametrize(
    ("user", "option", "fact"),
    [
        (f'authorized_keys = ["{KEY}"]', "authorized_keys", "air is a system user"),
        ("authorized_keys_files = []", "authorized_keys_files", "air is a system user"),
        ('shell = "/bin/sh"', "shell", "air is a system user"),
        ("uid = 1000", "system", "from 100 to 999"),
    ],
)
def test_a_user_for_services_has_nothing_to_log_in_with(
    tmp_path: Path, user: str, option: str, fact: str
) -> None:
    write(tmp_path, one=f"[users.air]\nsystem = true\n{user}\n")
    (problem,) = mistakes(tmp_path)
    assert problem.key == f"users.air.{option}"
    assert fact in problem.fact
    assert problem.place.line == (2 if option == "system" else 3)


def test_a_user_for_services_may_have_groups_a_number_and_a_home(tmp_path: Path) -> None:
    user = 'system = true\nuid = 120\nhome = "/var/lib/air"\ngroups = ["dialout"]'
    write(tmp_path, one=f"[services]\nenable = ['dropbear.service']\n[users.air]\n{user}\n")
    loaded = load_with_places(tmp_path)
    assert not [each for each in loaded.warnings if "users" in each.key]


def test_a_user_is_for_services_in_all_systems_or_in_none(tmp_path: Path) -> None:
    write(tmp_path, one="users.air.system = true", two="users.air = {}")
    (problem,) = mistakes(tmp_path)
    assert problem.key == "users.air"
    assert "a user who logs in in two, but a system user in one" in problem.fact


def test_root_is_not_for_services(tmp_path: Path) -> None:
    write(tmp_path, one="users.root.system = true")
    (problem,) = mistakes(tmp_path)
    assert problem.key == "users.root.system"
