"""What is known of a system that is asked about."""

from dataclasses import replace

import pytest
from tests.installed_packages import add_generation, locked

from reconix.base.errors import UsageError
from reconix.build import recipes
from reconix.build.pins import Pins
from reconix.composition.subject import HostSubject, SystemSubject
from reconix.nix.chroot import ChrootStore


def of_an_older_release(store: ChrootStore) -> None:
    """Have a generation with roots that no recipe of this release leads to."""
    Pins(store.root, "test", "gw").add(add_generation(store))
    recipes.forget(store, "debian-root")


def test_the_root_of_a_system_is_known_by_its_recipe(host: HostSubject, built: ChrootStore) -> None:
    roots = [host.system(name).root(built) for name in ("default", "mail")]
    assert None not in roots and roots[0] != roots[1]
    assert host.system("mail").root(None) is None


def test_a_kept_generation_with_the_same_packages_has_the_root(
    host: HostSubject, built: ChrootStore
) -> None:
    before = host.roots(built, "default", "mail")
    of_an_older_release(built)
    assert host.roots(built, "default", "mail") == before


def test_another_version_of_a_package_is_another_root(
    host: HostSubject, built: ChrootStore
) -> None:
    of_an_older_release(built)
    mail = host.lock.systems["mail"]
    others = tuple(locked("tool", "3") if each.name == "tool" else each for each in mail.packages)
    systems = {**host.lock.systems, "mail": replace(mail, packages=others)}
    changed = replace(host, lock=replace(host.lock, systems=systems))
    assert SystemSubject(changed, "mail").root(built) is None
    assert SystemSubject(changed, "default").root(built) is not None


def test_a_system_that_nix_builds_is_asked_about_elsewhere(host: HostSubject) -> None:
    nixos = replace(host.host, nixos={"appliance": None})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="gw:appliance is built by Nix") as failure:
        replace(host, host=nixos).system("appliance")
    assert "reconix store why" in failure.value.hint
