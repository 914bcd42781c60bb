"""What never stays."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.device_trees import Tree, make

from reconix.build.minify import rules
from reconix.build.minify.rules import Facts

GENERATOR = "systemd/system-generators/systemd-sysv-generator"
OF_FSTAB = "systemd/system-generators/systemd-fstab-generator"
UNITS = "usr/lib/systemd/system"


def taken(
    folder: Path,
    path: str,
    asked: Iterable[str] = (),
    also: Tree | None = None,
    drivers: frozenset[str] | None = None,
    **above: Tree,
) -> str:
    """The name of the rule that takes a path, if one does."""
    files = make(folder, {path: "x", **(also or {})}, **above)
    found = rules.never(Facts(frozenset(asked), files, drivers), ())
    return found[path].name if path in found else ""


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("usr/share/doc/x/copyright", "documents"),
        ("usr/share/man/man1/x.1.gz", "documents"),
        ("usr/share/locale/de/LC_MESSAGES/x.mo", "translations"),
        ("usr/lib/systemd/catalog/x.catalog", "translations"),
        ("usr/share/bash-completion/completions/x", "completions"),
        ("usr/lib/x86_64-linux-gnu/libx.a", "development"),
        ("usr/bin/dpkg-deb", "package manager"),
        ("var/lib/dpkg/info/x.list", "package manager"),
        ("var/lib/dpkg/status", ""),
        ("etc/init.d/x", "scripts for System V"),
        ("etc/cron.daily/x", "scripts for cron"),
        ("etc/logrotate.d/x", "settings of logrotate"),
        ("usr/lib/udev/hwdb.bin", "names of hardware"),
        ("usr/bin/systemd-hwdb", "names of hardware"),
        ("usr/lib/udev/rules.d/70-memory.rules", "names of hardware"),
        ("usr/lib/udev/dmi_memory_id", "names of hardware"),
        ("usr/lib/systemd/systemd-initctl", "scripts for System V"),
        (f"{UNITS}/sockets.target.wants/systemd-initctl.socket", "scripts for System V"),
        ("usr/lib/systemd/systemd-fsck", "file systems of fstab"),
        (f"{UNITS}/systemd-growfs@.service", "file systems of fstab"),
        ("usr/bin/systemd-sysext", "extensions of the system"),
        (f"{UNITS}/sockets.target.wants/systemd-sysext.socket", "extensions of the system"),
        ("usr/lib/systemd/systemd-hibernate-resume", "swap"),
        (f"{UNITS}/sysinit.target.wants/systemd-hibernate-clear.service", "swap"),
        ("usr/sbin/unix_update", "changing passwords under SELinux"),
        ("usr/sbin/unix_chkpwd", ""),
        ("usr/lib/udev/scsi_id", ""),
        ("usr/lib/udev/rules.d/x.rules", ""),
        ("usr/lib/x86_64-linux-gnu/gconv/X.so", "character sets"),
        ("usr/share/zoneinfo/Europe/Paris", "time zones"),
        ("usr/sbin/agetty", "log-in on a console"),
        ("usr/sbin/swapon", "swap"),
        ("etc/skel/.profile", "skeletons of homes"),
        ("usr/lib/python3.13/test/x.py", "tests and tools of Python"),
        ("usr/lib/python3.13/json/tool.py", ""),
        ("usr/bin/doc", ""),
        ("usr/share/docs/x", ""),
    ],
)
def test_a_rule_is_about_its_files_only(path: str, rule: str, tmp_path: Path) -> None:
    assert taken(tmp_path, path) == rule


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("usr/bin/dpkg", "dpkg"),
        ("usr/lib/udev/hwdb.bin", "usbutils"),
        ("usr/share/zoneinfo/UTC", "tzdata"),
        ("usr/lib/gconv/X.so", "locales"),
        ("usr/share/locale/de/x.mo", "locales"),
        ("usr/share/bash-completion/x", "bash-completion"),
        ("usr/include/x.h", "gcc"),
    ],
)
def test_who_asks_for_the_package_has_its_files(path: str, asked: str, tmp_path: Path) -> None:
    assert taken(tmp_path / "without", path)
    assert not taken(tmp_path / "with", path, [asked])


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("etc/cron.daily/x", "usr/sbin/cron"),
        ("etc/logrotate.d/x", "usr/sbin/logrotate"),
        ("etc/init.d/x", f"usr/lib/{GENERATOR}"),
        ("usr/lib/systemd/systemd-fsck", f"usr/lib/{OF_FSTAB}"),
        ("usr/sbin/unix_update", "etc/selinux/config"),
    ],
)
def test_what_a_program_reads_stays_where_that_is(path: str, other: str, tmp_path: Path) -> None:
    assert taken(tmp_path / "without", path)
    assert not taken(tmp_path / "with", path, also={other: ""})


def test_scripts_for_system_v_go_where_their_generator_is_masked(tmp_path: Path) -> None:
    masked = {GENERATOR: "> /dev/null"}
    assert taken(tmp_path, "etc/init.d/x", also={f"usr/lib/{GENERATOR}": ""}, etc=masked)


@pytest.mark.parametrize(
    ("path", "driver"),
    [
        ("usr/lib/udev/scsi_id", "scsi_mod"),
        ("usr/lib/udev/ata_id", "libata"),
        ("usr/lib/udev/cdrom_id", "cdrom"),
        ("usr/lib/udev/rules.d/60-cdrom_id.rules", "sr_mod"),
        ("usr/lib/udev/mtd_probe", "mtd"),
        ("usr/lib/udev/v4l_id", "videodev"),
        ("usr/lib/udev/fido_id", "hid"),
        ("usr/lib/systemd/systemd-rfkill", "rfkill"),
        (f"{UNITS}/systemd-rfkill.socket", "rfkill"),
        (f"{UNITS}/systemd-backlight@.service", "backlight"),
    ],
)
def test_what_is_for_devices_goes_where_no_driver_is_for_them(
    path: str, driver: str, tmp_path: Path
) -> None:
    assert taken(tmp_path / "a", path, drivers=frozenset({"virtio_blk"}))
    assert not taken(tmp_path / "b", path, drivers=frozenset({"virtio_blk", driver}))
    assert not taken(tmp_path / "c", path), "nobody has said which devices there are"


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("systemd-fsck@dev-sda1.service", "usr/lib/systemd/systemd-fsck"),
        ("sysinit.target.wants/systemd-sysext.service", "usr/bin/systemd-sysext"),
    ],
)
def test_what_a_unit_of_the_configuration_starts_stays(
    unit: str, path: str, tmp_path: Path
) -> None:
    assert not taken(tmp_path, path, etc={f"systemd/system/{unit}": "[Service]\n"})


@pytest.mark.parametrize(
    ("etc", "goes"),
    [
        ({"systemd/system/getty.target.wants/getty@tty2.service": "> /x"}, False),
        ({"systemd/system/serial-getty@ttyS0.service": "[Service]\n"}, False),
        ({"systemd/system/serial-getty@ttyS0.service.d/x.conf": "[Service]\n"}, False),
        ({"systemd/system/getty@tty1.service": "> /dev/null"}, True),
        ({"issue": "x"}, True),
    ],
)
def test_a_console_stays_where_the_configuration_has_one(
    etc: Tree, *, goes: bool, tmp_path: Path
) -> None:
    assert bool(taken(tmp_path, "usr/sbin/agetty", etc=etc)) == goes


@pytest.mark.parametrize(
    ("fstab", "goes"),
    [("", True), ("# none of swap here\n", True), ("/dev/x none swap sw\n", False)],
)
def test_programs_for_swap_stay_where_fstab_says_something(
    fstab: str, *, goes: bool, tmp_path: Path
) -> None:
    assert bool(taken(tmp_path, "usr/sbin/swapon", etc={"fstab": fstab})) == goes


def test_what_is_kept_is_not_taken_and_other_objects_never_are(tmp_path: Path) -> None:
    files = make(tmp_path, {"usr/share/doc/a": "", "usr/share/doc/b": ""}, etc={"skel/x": ""})
    found = rules.never(Facts(frozenset(), files), {"usr/share/doc/b"})
    assert [*found] == ["usr/share/doc/a"]


def test_each_rule_says_why_and_each_condition_what_it_is() -> None:
    assert len({rule.name for rule in rules.ALL}) == len(rules.ALL)
    for rule in rules.ALL:
        assert rule.because
        assert rule.because[0].islower()
        assert bool(rule.unless_text) == (rule.unless is not rules.unconditional), rule.name


@pytest.mark.parametrize("program", ["usr/lib/postgresql/17/bin/postgres", "usr/bin/php8.4"])
def test_zones_stay_where_a_program_does_not_start_without(program: str, tmp_path: Path) -> None:
    assert not taken(tmp_path, "usr/share/zoneinfo/UTC", also={program: ""})
