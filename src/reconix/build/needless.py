"""What Debian starts on every machine and a built system does without.

Debian prepares for machines that somebody installs and changes by hand: it looks for partitions to
mount, seeds, credentials, drivers and file formats, and it saves at the end what it wants to find
at the next start. In a built system all that is decided, and ``/var`` is gone with the system. Each
unit costs a program or two, started by systemd, and a device that changes its system in use waits
for every one of them, at the end of the old system and at the beginning of the new.

Each has its reason, and where there is one, what makes it needed after all: then it stays. A unit
that ``services.enable`` names, or ``services.keep``, stays as well. A generator is a program that
systemd starts, early at each start, to find out which units there should be.

For readers the list is in ``docs/decisions/*-needless-units.md``.

Source: systemd.generator(7), bootup(7); the units of systemd 257.
Proven by ``tests/unit/build/test_needless.py`` and everything that boots.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.config.schema.system import System

UNITS = "systemd/system"
GENERATORS = "systemd/system-generators"
_NETWORK_PARAMETERS = {
    *("bond", "bootdev", "bridge", "ifname", "ip", "nameserver", "net.ifname_policy"),
    *("net.ifname-policy", "team", "vlan"),
}
"""Source: systemd-network-generator.service(8)."""
Condition = Callable[[System, Path], bool]


def _never(_system: System, _root: Path) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Needless:
    """Files below ``/etc`` that are not looked at, and why not.

    Attributes:
        names: of units, generators, or other files that can be masked in this way.
        because: why a built system does without.
        unless: when it does not, given the system and its Debian root.
        folder: where they are, below ``/etc``.
    """

    names: tuple[str, ...]
    because: str
    unless: Condition = _never
    folder: str = UNITS


def _keeps(path: str) -> Condition:
    """Whether a folder, or one around it, outlives a restart."""

    def kept(system: System, _root: Path) -> bool:
        return any(
            path == each or path.startswith(f"{each.rstrip('/')}/")
            for each in (*system.persist.shared, *system.persist.paths)
        )

    return kept


def _brings(folder: str, *usual: str) -> Condition:
    """Whether packages or the configuration have files for a program, besides the usual ones."""

    def brought(system: System, root: Path) -> bool:
        places = (root / "usr/lib" / folder, root / "etc" / folder)
        names = {path.name for place in places if place.is_dir() for path in place.iterdir()}
        own = any(path.startswith(f"{folder}/") for path in system.files)
        return own or bool(names - set(usual))

    return brought


def _has_formats(system: System, root: Path) -> bool:
    python = {path.name for path in (root / "usr/lib/binfmt.d").glob("python3*.conf")}
    return _brings("binfmt.d", *python)(system, root)


def _loads_modules(system: System, root: Path) -> bool:
    named = any("modules" in word and "load" in word for word in system.kernel.parameters)
    return (
        bool(system.kernel.modules)
        or named
        or _brings("modules-load.d", "modules.conf")(system, root)
    )


def _has_fstab(system: System, _root: Path) -> bool:
    return "fstab" in system.files


def _is_told_by_the_kernel(system: System, _root: Path) -> bool:
    return any(word.startswith("systemd.") for word in system.kernel.parameters)


def _configures_networks_by_the_kernel(system: System, _root: Path) -> bool:
    return any(
        word.partition("=")[0] in _NETWORK_PARAMETERS or word.startswith("rd.")
        for word in system.kernel.parameters
    )


def _has_old_scripts(system: System, root: Path) -> bool:
    """Whether a program comes with a script for System V and without a unit."""
    scripts, units = root / "etc/init.d", root / "usr/lib/systemd/system"
    if any(path.startswith("init.d/") for path in system.files):
        return True
    return scripts.is_dir() and any(
        not (units / f"{script.name}.service").exists() for script in scripts.iterdir()
    )


ALL = (
    Needless(
        ("systemd-gpt-auto-generator",),
        "the partitions are mounted by the initrd; a slot is not to be mounted at all",
        folder=GENERATORS,
    ),
    Needless(
        ("systemd-fstab-generator",),
        "fstab is empty, volumes are units",
        unless=_has_fstab,
        folder=GENERATORS,
    ),
    Needless(
        ("systemd-debug-generator", "systemd-run-generator"),
        "they follow kernel parameters that begin with `systemd.`",
        unless=_is_told_by_the_kernel,
        folder=GENERATORS,
    ),
    Needless(
        ("systemd-sysv-generator",),
        "each script for System V has a unit of its name",
        unless=_has_old_scripts,
        folder=GENERATORS,
    ),
    Needless(
        (
            "systemd-hibernate-resume-generator",
            "systemd-rc-local-generator",
            "systemd-ssh-generator",
            "systemd-system-update-generator",
            "systemd-tpm2-generator",
        ),
        "nothing hibernates, updates are generations, and there are no such files",
        folder=GENERATORS,
    ),
    Needless(("systemd-remount-fs.service",), "what is mounted has its options", unless=_has_fstab),
    Needless(("tmp.mount",), "/tmp is mounted together with the root, and goes with it"),
    Needless(
        ("systemd-random-seed.service",),
        "the seed that it saves would be gone with /var",
        unless=_keeps("/var/lib/systemd"),
    ),
    Needless(
        ("systemd-networkd-persistent-storage.service",),
        "what it lets networkd save would be gone with /var",
        unless=_keeps("/var/lib/systemd/network"),
    ),
    Needless(
        ("systemd-network-generator.service",),
        "it makes networks of kernel parameters",
        unless=_configures_networks_by_the_kernel,
    ),
    Needless(
        ("systemd-journal-flush.service",),
        "the log is in memory",
        unless=_keeps("/var/log/journal"),
    ),
    Needless(("modprobe@efi_pstore.service",), "the initrd loads it, and mounts what it shows"),
    Needless(
        ("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount"),
        "only compiled files of Python would be made programs",
        unless=_has_formats,
    ),
    Needless(("systemd-modules-load.service",), "none are named", unless=_loads_modules),
    Needless(
        ("sys-fs-fuse-connections.mount", "modprobe@fuse.service"),
        "only who aborts requests of FUSE looks there",
    ),
    Needless(
        ("sys-kernel-config.mount", "modprobe@configfs.service"),
        "only who makes USB devices and the like needs it, and can say so",
    ),
    Needless(("modprobe@drm.service",), "udev loads the driver of a screen"),
    Needless(("systemd-udev-load-credentials.service",), "nobody hands credentials to systemd"),
    Needless(
        ("systemd-tmpfiles-setup-dev-early.service",),
        "no user is made at boot, so the same is done at once by the second of the two",
    ),
    Needless(("systemd-user-sessions.service",), "who has a key may log in at any time"),
    Needless(
        ("systemd-nologin.conf",),
        "it would forbid what systemd-user-sessions allows again",
        folder="tmpfiles.d",
    ),
    Needless(("getty@tty1.service", "getty-static.service"), "there are no passwords to type"),
    Needless(
        ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
        "packages change with the generation, never by themselves",
    ),
)


def masked(system: System, root: Path) -> Iterator[str]:
    """The files below ``/etc`` that are to lead to nothing.

    Args:
        system: machine and system file, merged.
        root: its Debian root.
    """
    wanted = {*system.services.enable, *system.services.keep, *system.units}
    for each in ALL:
        if not each.unless(system, root):
            yield from (f"{each.folder}/{name}" for name in each.names if name not in wanted)
