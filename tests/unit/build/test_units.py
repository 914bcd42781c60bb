"""Units: the links that systemctl would make."""

from pathlib import Path

import pytest

from reconix.build import units
from reconix.build.units import Install, NotInstallable, UnknownUnit
from reconix.config.schema.system import Services
from reconix.store.tree import Symlink

NGINX = "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\nAlias=www.service\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shipped = tmp_path / "usr/lib/systemd/system"
    shipped.mkdir(parents=True)
    (shipped / "nginx.service").write_text(NGINX)
    (shipped / "static.service").write_text("[Service]\nExecStart=/bin/true\n")
    (shipped / "getty@.service").write_text("[Install]\nWantedBy=getty.target\n")
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "nginx.service").symlink_to("/usr/lib/systemd/system/nginx.service")
    return tmp_path


def test_install_sections_are_read_wherever_they_stand() -> None:
    assert Install.parse(NGINX) == Install(("multi-user.target",), (), ("www.service",))
    assert Install.parse("[Unit]\nWantedBy=x.target\n") == Install()


def test_an_enabled_unit_is_linked_from_what_wants_it(root: Path) -> None:
    made = units.links(Services(enable=("nginx.service",)), {}, root)
    there = Symlink("/usr/lib/systemd/system/nginx.service")
    assert made == {
        "systemd/system/multi-user.target.wants/nginx.service": there,
        "systemd/system/www.service": there,
    }


def test_an_instance_is_linked_to_its_template(root: Path) -> None:
    made = units.links(Services(enable=("getty@tty1.service",)), {}, root)
    assert made == {
        "systemd/system/getty.target.wants/getty@tty1.service": Symlink(
            "/usr/lib/systemd/system/getty@.service"
        )
    }


def test_a_disabled_unit_loses_the_link_that_its_package_made(root: Path) -> None:
    made = units.links(Services(disable=("nginx.service",)), {}, root)
    assert made == {"systemd/system/multi-user.target.wants/nginx.service": Symlink("/dev/null")}


def test_a_masked_unit_can_never_start(root: Path) -> None:
    made = units.links(Services(mask=("nginx.service",)), {}, root)
    assert made == {"systemd/system/nginx.service": Symlink("/dev/null")}


def test_own_units_start_as_they_say(root: Path) -> None:
    made = units.links(Services(), {"own.service": b"[Install]\nRequiredBy=a.target\n"}, root)
    assert made == {
        "systemd/system/a.target.requires/own.service": Symlink("/etc/systemd/system/own.service")
    }


def test_an_unknown_unit_is_an_error_that_names_it(root: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"apache2\.service"):
        units.links(Services(enable=("apache2.service",)), {}, root)


def test_a_unit_that_nothing_would_start_is_an_error(root: Path) -> None:
    with pytest.raises(NotInstallable, match=r"static\.service"):
        units.links(Services(enable=("static.service",)), {}, root)


@pytest.mark.parametrize(
    "unit", ["nginx.service", "getty@tty1.service", "own.service", "other.service", "a.mount"]
)
def test_a_check_may_wait_for_what_there_is(root: Path, unit: str) -> None:
    units.check_known([unit], {"own.service": b"[Install]\nAlias=other.service\n"}, root)


def test_a_check_that_waits_for_nothing_names_the_nearest(root: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"waits for ngnix\.service") as failure:
        units.check_known(["ngnix.service"], {}, root)
    assert failure.value.hint == "did you mean nginx.service?"
