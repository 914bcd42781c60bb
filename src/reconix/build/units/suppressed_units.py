"""What Debian starts on every machine and a built system does without.

Debian prepares for machines that somebody installs and changes by hand: it looks for partitions to
mount, seeds, credentials, drivers and file formats, and it saves at the end what it wants to find
at the next start. In a built system all that is decided, and ``/var`` is gone with the system. Each
unit costs a program or two, started by systemd, and a device that changes its system in use waits
for every one of them, at the end of the old system and at the beginning of the new.

Each has its reason, and where there is one, what makes it needed after all: then it stays. What the
configuration names stays as well, in ``services.enable``, ``services.keep``, as a unit or with a
drop-in, and so does what another unit cannot do without. A generator is a program that
systemd starts, early at each start, to find out which units there should be.

For readers the list is in ``docs/decisions/*-needless-units.md``.

Source: systemd.generator(7), bootup(7); the units of systemd 257.
Tested by ``tests/unit/build/units/test_suppressed_units.py`` and everything that boots.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.units.unit_files import FOLDER as UNITS
from reconix.build.units.unit_files import SHIPPED
from reconix.config.schema.system import System

GENERATORS = "systemd/system-generators"
_REQUIRE = ("Requires", "Requisite", "BindsTo")
_NETWORK_PARAMETERS = {
    *("bond", "bootdev", "bridge", "ifname", "ip", "nameserver", "net.ifname_policy"),
    *("net.ifname-policy", "team", "vlan"),
}
"""Source: systemd-network-generator.service(8)."""
Condition = Callable[[System, Path], bool]


def _never(_system: System, _root: Path) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Suppression:
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
        or "modules" in system.files
        or _says_something(root / "etc/modules")
        or _brings("modules-load.d", "modules.conf")(system, root)
    )


def _says_something(file: Path) -> bool:
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def _has_rc_local(system: System, root: Path) -> bool:
    return "rc.local" in system.files or (root / "etc/rc.local").exists()


def _hibernates(system: System, _root: Path) -> bool:
    return any(word.startswith("resume") for word in system.kernel.parameters)


def _has_fstab(system: System, root: Path) -> bool:
    return "fstab" in system.files or _is_told_by_the_kernel(system, root)


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
    Suppression(
        ("systemd-gpt-auto-generator",),
        "the partitions are mounted by the initrd; a slot is not to be mounted at all",
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-fstab-generator",),
        "fstab is empty, volumes are units",
        unless=_has_fstab,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-debug-generator", "systemd-run-generator"),
        "they follow kernel parameters that begin with `systemd.`",
        unless=_is_told_by_the_kernel,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-sysv-generator",),
        "each script for System V has a unit of its name",
        unless=_has_old_scripts,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-hibernate-resume-generator",),
        "nothing hibernates",
        unless=_hibernates,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-rc-local-generator",),
        "there is no rc.local",
        unless=_has_rc_local,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-ssh-generator", "systemd-tpm2-generator"),
        "nobody logs in from the machine that a virtual device runs on; nothing waits for a TPM",
        unless=_is_told_by_the_kernel,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-system-update-generator",),
        "updates are generations",
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-remount-fs.service",), "what is mounted has its options", unless=_has_fstab
    ),
    Suppression(("tmp.mount",), "/tmp is mounted together with the root, and goes with it"),
    Suppression(
        ("systemd-random-seed.service",),
        "the seed that it saves would be gone with /var",
        unless=_keeps("/var/lib/systemd"),
    ),
    Suppression(
        ("systemd-networkd-persistent-storage.service",),
        "what it lets networkd save would be gone with /var",
        unless=_keeps("/var/lib/systemd/network"),
    ),
    Suppression(
        ("systemd-network-generator.service",),
        "it makes networks of kernel parameters",
        unless=_configures_networks_by_the_kernel,
    ),
    Suppression(
        ("systemd-journal-flush.service",),
        "the log is in memory",
        unless=_keeps("/var/log/journal"),
    ),
    Suppression(("modprobe@efi_pstore.service",), "the initrd loads it, and mounts what it shows"),
    Suppression(
        ("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount"),
        "only compiled files of Python would be made programs",
        unless=_has_formats,
    ),
    Suppression(("systemd-modules-load.service",), "none are named", unless=_loads_modules),
    Suppression(
        ("sys-fs-fuse-connections.mount", "modprobe@fuse.service"),
        "only who aborts requests of FUSE looks there",
    ),
    Suppression(
        ("sys-kernel-config.mount", "modprobe@configfs.service"),
        "only who makes USB devices and the like needs it, and can say so",
    ),
    Suppression(("modprobe@drm.service",), "udev loads the driver of a screen"),
    Suppression(("systemd-udev-load-credentials.service",), "nobody hands credentials to systemd"),
    Suppression(
        ("systemd-tmpfiles-setup-dev-early.service",),
        "no user is made at boot, so the same is done at once by the second of the two",
    ),
    Suppression(("systemd-user-sessions.service",), "who has a key may log in at any time"),
    Suppression(
        ("systemd-nologin.conf",),
        "it would forbid what systemd-user-sessions allows again",
        folder="tmpfiles.d",
    ),
    Suppression(("getty@tty1.service", "getty-static.service"), "there are no passwords to type"),
    Suppression(
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
    needless = [each for each in ALL if not each.unless(system, root)]
    wanted = _wanted(system, root, {name for each in needless for name in each.names})
    for each in needless:
        yield from (f"{each.folder}/{name}" for name in each.names if name not in wanted)


def _wanted(system: System, root: Path, needless: set[str]) -> set[str]:
    """What the configuration names, and what is required by something that is not left out."""
    own = {name: unit.read().decode(errors="replace") for name, unit in system.units.items()}
    soft = {need for text in own.values() for need in _needs(text, "Wants", "Upholds")}
    wanted = {*system.services.enable, *system.services.keep, *own, *_with_drop_ins(system), *soft}
    texts = {**_shipped(root), **own}
    while True:
        staying = (text for name, text in texts.items() if name not in needless - wanted)
        required = {need for text in staying for need in _needs(text, *_REQUIRE)}
        if required <= wanted:
            return wanted
        wanted |= required


def _shipped(root: Path) -> dict[str, str]:
    """The units of packages, by name; a link is only another name."""
    files = (path for path in (root / SHIPPED).glob("*.*") if not path.is_symlink())
    return {path.name: path.read_text(errors="replace") for path in files if path.is_file()}


def _with_drop_ins(system: System) -> Iterator[str]:
    for path in system.files:
        name = path.removeprefix(f"{UNITS}/").partition(".d/")[0]
        if path.startswith(f"{UNITS}/{name}.d/"):
            yield name


def _needs(text: str, *keys: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in keys:
            yield from value.split()
