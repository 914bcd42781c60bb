"""Units: the links that systemctl would make."""

from pathlib import Path

import pytest

from reconix.build.units import enabling
from reconix.build.units.enabling import (
    AlwaysActive,
    NeedsLink,
    NotInstallable,
    UnknownUnit,
    check_private,
)
from reconix.build.units.unit_files import Install, UnitFiles
from reconix.config.schema.system import Kernel, Persist, Services, System
from reconix.store.tree import File, Symlink

NGINX = "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\nAlias=www.service\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shipped = tmp_path / "usr/lib/systemd/system"
    shipped.mkdir(parents=True)
    (shipped / "nginx.service").write_text(NGINX)
    (shipped / "static.service").write_text("[Service]\nExecStart=/bin/sleep 9\n")
    (shipped / "getty@.service").write_text("[Install]\nWantedBy=getty.target\n")
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "nginx.service").symlink_to("/usr/lib/systemd/system/nginx.service")
    return tmp_path


def test_install_sections_are_read_wherever_they_stand() -> None:
    assert Install.parse(NGINX) == Install(("multi-user.target",), aliases=("www.service",))
    assert Install.parse("[Unit]\nWantedBy=x.target\n") == Install()


def test_an_enabled_unit_is_linked_from_what_wants_it(root: Path) -> None:
    made = enabling.links(Services(enable=("nginx.service",)), [], {}, root)
    there = Symlink("/usr/lib/systemd/system/nginx.service")
    assert made == {
        "systemd/system/multi-user.target.wants/nginx.service": there,
        "systemd/system/www.service": there,
    }


def test_an_instance_is_linked_to_its_template(root: Path) -> None:
    made = enabling.links(Services(enable=("getty@tty1.service",)), [], {}, root)
    assert made == {
        "systemd/system/getty.target.wants/getty@tty1.service": Symlink(
            "/usr/lib/systemd/system/getty@.service"
        )
    }


def test_a_disabled_unit_loses_the_link_that_its_package_made(root: Path) -> None:
    made = enabling.links(Services(disable=("nginx.service",)), [], {}, root)
    assert made == {"systemd/system/multi-user.target.wants/nginx.service": Symlink("/dev/null")}


def test_what_is_disabled_is_not_enabled_by_another_unit_that_names_it(root: Path) -> None:
    own = {"own.service": File(b"[Install]\nWantedBy=a.target\nAlso=nginx.service\n")}
    made = enabling.links(Services(disable=("nginx.service",)), own, own, root)
    assert "systemd/system/a.target.wants/own.service" in made
    assert made["systemd/system/multi-user.target.wants/nginx.service"] == Symlink("/dev/null")


def test_a_template_of_ones_own_waits_for_who_names_an_instance(root: Path) -> None:
    own = {"own@.service": File(b"[Install]\nWantedBy=a.target\n")}
    assert enabling.links(Services(), own, own, root) == {}
    made = enabling.links(Services(enable=("own@x.service",)), own, own, root)
    assert list(made) == ["systemd/system/a.target.wants/own@x.service"]


def test_a_unit_may_be_upheld(root: Path) -> None:
    own = {"own.service": File(b"[Install]\nUpheldBy=a.service\n")}
    made = enabling.links(Services(), own, own, root)
    assert list(made) == ["systemd/system/a.service.upholds/own.service"]


def test_a_unit_that_its_package_has_masked_is_unmasked_when_it_is_enabled(root: Path) -> None:
    """As hostapd comes in Debian."""
    (root / "etc/systemd/system/nginx.service").symlink_to("/dev/null")
    made = enabling.links(Services(enable=("nginx.service",)), [], {}, root)
    there = Symlink("/usr/lib/systemd/system/nginx.service")
    assert made["systemd/system/nginx.service"] == there
    assert made["systemd/system/multi-user.target.wants/nginx.service"] == there


def test_a_unit_given_as_a_file_can_be_enabled_and_starts_only_then(root: Path) -> None:
    own = {"own.service": File(b"[Install]\nWantedBy=a.target\n")}
    assert enabling.links(Services(), [], own, root) == {}
    made = enabling.links(Services(enable=("own.service",)), [], own, root)
    there = Symlink("/etc/systemd/system/own.service")
    assert made == {"systemd/system/a.target.wants/own.service": there}


def test_a_name_that_only_the_device_knows_is_an_error(root: Path) -> None:
    own = {"own.service": File(b"[Install]\nWantedBy=on-%H.target\n")}
    with pytest.raises(NotInstallable, match="only the device knows"):
        enabling.links(Services(), own, own, root)


def test_links_of_a_root_never_lead_out_of_it(root: Path) -> None:
    """An absolute link means the device, not the machine that builds."""
    outside = root.parent / "outside.service"
    outside.write_text(NGINX)
    (root / "usr/lib/systemd/system/bad.service").symlink_to(outside)
    with pytest.raises(UnknownUnit):
        enabling.links(Services(enable=("bad.service",)), [], {}, root)


def test_a_masked_unit_can_never_start(root: Path) -> None:
    made = enabling.links(Services(mask=("nginx.service",)), [], {}, root)
    assert made == {"systemd/system/nginx.service": Symlink("/dev/null")}


def test_own_units_start_as_they_say(root: Path) -> None:
    own = {"own.service": File(b"[Install]\nRequiredBy=a.target\n")}
    made = enabling.links(Services(), own, own, root)
    assert made == {
        "systemd/system/a.target.requires/own.service": Symlink("/etc/systemd/system/own.service")
    }


def test_an_unknown_unit_is_an_error_that_names_it(root: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"apache2\.service"):
        enabling.links(Services(enable=("apache2.service",)), [], {}, root)


def test_a_unit_that_nothing_would_start_is_an_error(root: Path) -> None:
    with pytest.raises(NotInstallable, match=r"static\.service"):
        enabling.links(Services(enable=("static.service",)), [], {}, root)


@pytest.mark.parametrize(
    "unit", ["nginx.service", "getty@tty1.service", "own.service", "other.service", "a.mount"]
)
def test_a_check_may_wait_for_what_there_is(root: Path, unit: str) -> None:
    own = {"own.service": File(b"[Install]\nAlias=other.service\n")}
    enabling.check_known([unit], own, root)


def test_a_check_that_waits_for_nothing_names_the_nearest(root: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"waits for ngnix\.service") as failure:
        enabling.check_known(["ngnix.service"], {}, root)
    assert failure.value.hint == "did you mean nginx.service?"


def test_a_check_on_a_unit_that_is_active_whatever_happens_is_an_error(root: Path) -> None:
    """As postgresql.service of Debian."""
    folder = root / "usr/lib/systemd/system"
    (folder / "db.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    (folder / "db@.service").write_text("[Service]\nExecStart=/usr/bin/db\n")
    files = UnitFiles({}, root)
    with pytest.raises(AlwaysActive, match=r"db\.service") as failure:
        enabling.check_not_always_active(["db.service"], files)
    assert "db@<name>.service" in (failure.value.hint or "")
    enabling.check_not_always_active(["db@main.service", "nginx.service", "static.service"], files)


def test_what_persists_where_a_package_needs_a_link_is_an_error(root: Path) -> None:
    text = "[Service]\nStateDirectory=app\n"
    (root / "usr/lib/systemd/system/app.service").write_text(text)
    system = System(kernel=Kernel(package="x"), persist=Persist(paths=("/var/lib/app",)))
    check_private(system, UnitFiles({}, root))
    drop_in = {"app.service.d/x.conf": File(b"[Service]\nDynamicUser=yes\n")}
    with pytest.raises(NeedsLink, match=r"app\.service has DynamicUser") as caught:
        check_private(system, UnitFiles(drop_in, root))
    assert "/var/lib/private/app" in caught.value.hint
    check_private(system, UnitFiles({"app.service": Symlink("/dev/null"), **drop_in}, root))
