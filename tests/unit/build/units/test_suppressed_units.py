"""What a built system does without, and what makes each of it needed after all."""

from pathlib import Path

import pytest

from reconix.build.units import suppressed_units
from reconix.config.schema.system import File, Kernel, Persist, Services, System, Unit

KERNEL = Kernel(package="linux-image-cloud-amd64")
PLAIN = System(kernel=KERNEL)
PAGE = Path(__file__).parents[4] / "docs/suppressed-units.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As Debian's packages leave it: each folder has what is always there."""
    for path in (
        "usr/lib/systemd/system/dropbear.service",
        "etc/init.d/dropbear",
        "usr/lib/binfmt.d/python3.13.conf",
        "etc/modules-load.d/modules.conf",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def names(system: System, root: Path) -> set[str]:
    return {path.rpartition("/")[2] for path in suppressed_units.masked(system, root)}


def test_a_plain_system_does_without_all_of_it(root: Path) -> None:
    assert names(PLAIN, root) == {name for each in suppressed_units.ALL for name in each.names}


def test_readers_find_each_with_its_reason() -> None:
    page = suppressed_units.print_markdown()
    assert PAGE.read_text() == page, "run `make docs`"
    for each in suppressed_units.ALL:
        assert each.because in page
        assert each.unless is None or each.unless.text in page
        assert [name for name in each.names if f"`{name}`" not in page] == []


KEPT_BY_CONFIGURATION = {
    "systemd-fstab-generator": System(kernel=KERNEL, files={"fstab": File(text="")}),
    "systemd-remount-fs.service": System(kernel=KERNEL, files={"fstab": File(text="")}),
    "systemd-debug-generator": System(
        kernel=Kernel(package="linux", parameters=("systemd.debug_shell",))
    ),
    "systemd-network-generator.service": System(
        kernel=Kernel(package="linux", parameters=("ip=dhcp",))
    ),
    "systemd-sysv-generator": System(kernel=KERNEL, files={"init.d/own": File(text="")}),
    "systemd-random-seed.service": System(
        kernel=KERNEL, persist=Persist(shared=("/var/lib/systemd",))
    ),
    "systemd-networkd-persistent-storage.service": System(
        kernel=KERNEL, persist=Persist(paths=("/var/lib",))
    ),
    "systemd-journal-flush.service": System(
        kernel=KERNEL, persist=Persist(paths=("/var/log/journal",))
    ),
    "systemd-binfmt.service": System(kernel=KERNEL, files={"binfmt.d/own.conf": File(text="")}),
    "systemd-modules-load.service": System(kernel=Kernel(package="linux", modules=("loop",))),
    "sys-kernel-config.mount": System(
        kernel=KERNEL, services=Services(keep=("sys-kernel-config.mount",))
    ),
    "systemd-rc-local-generator": System(kernel=KERNEL, files={"rc.local": File(text="")}),
    "systemd-hibernate-resume-generator": System(
        kernel=Kernel(package="linux", parameters=("resume=/dev/vda9",))
    ),
    "systemd-ssh-generator": System(
        kernel=KERNEL, services=Services(keep=("systemd-ssh-generator",))
    ),
    "modprobe@drm.service": System(
        kernel=KERNEL, units={"a.service": Unit(text="[Unit]\nWants=modprobe@drm.service\n")}
    ),
    "getty-static.service": System(
        kernel=KERNEL, files={"systemd/system/getty-static.service.d/a.conf": File(text="")}
    ),
    "getty@tty1.service": System(kernel=KERNEL, services=Services(enable=("getty@tty1.service",))),
    "apt-daily.timer": System(kernel=KERNEL, units={"apt-daily.timer": Unit(text="")}),
}


@pytest.mark.parametrize("name", KEPT_BY_CONFIGURATION)
def test_what_the_configuration_needs_stays(name: str, root: Path) -> None:
    assert name not in names(KEPT_BY_CONFIGURATION[name], root)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("etc/init.d/old", "systemd-sysv-generator"),
        ("usr/lib/binfmt.d/qemu-arm.conf", "systemd-binfmt.service"),
        ("usr/lib/modules-load.d/own.conf", "systemd-modules-load.service"),
    ],
)
def test_what_a_package_needs_stays(path: str, name: str, root: Path) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
    assert name not in names(PLAIN, root)


def test_modules_may_be_named_where_debian_named_them_before(root: Path) -> None:
    assert "systemd-modules-load.service" not in names(
        System(kernel=KERNEL, files={"modules": File(text="loop\n")}), root
    )
    (root / "etc/modules").write_text("# none\n")
    assert "systemd-modules-load.service" in names(PLAIN, root)
    (root / "etc/modules").write_text("loop\n")
    assert "systemd-modules-load.service" not in names(PLAIN, root)


def test_what_a_unit_of_a_package_cannot_do_without_stays_with_what_that_needs(root: Path) -> None:
    units = root / "usr/lib/systemd/system"
    mount, load = "sys-kernel-config.mount", "modprobe@configfs.service"
    (units / mount).write_text(f"[Unit]\nRequires={load}\n")
    assert {mount, load} <= names(PLAIN, root)
    (units / "target.service").write_text(f"[Unit]\nRequires={mount}\n")
    assert not {mount, load} & names(PLAIN, root)


def test_a_folder_beside_the_one_that_is_kept_is_not_kept(root: Path) -> None:
    system = System(kernel=KERNEL, persist=Persist(paths=("/var/lib/systemd-x",)))
    assert "systemd-random-seed.service" in names(system, root)
