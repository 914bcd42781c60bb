"""Suppressed units: what Debian starts on every machine and a built system does without.

Debian prepares for machines that somebody installs and changes by hand: it looks for partitions to
mount, seeds, credentials, drivers and file formats, and saves at shutdown what it wants to find at
the next start. In a built system all that is decided, and ``/var`` is lost with the system. Each
unit costs a program or two, and a soft reboot waits for every one of them, at the end of the old
system and at the beginning of the new.

Each has its reason, and for some there is a condition under which it is needed after all. What the
configuration names is kept as well: in ``services.enable`` or ``services.keep``, as a unit or with
a drop-in. So is what another unit requires. A generator is a program that systemd runs early at
each start to create units.

``docs/suppressed-units.md`` is printed from the list here (``make docs``).

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
_PAGE = """\
# Units that a system does without

Debian prepares for machines that somebody installs and changes by hand. In a built system that is
decided already, so these units, generators and files are masked
([decision 38](decisions/0038-needless-units.md)). What `services.enable` or `services.keep` names
starts all the same, and so does a unit of the configuration, one with a drop-in, and whatever
another unit requires.

Written by `make docs` from `src/reconix/build/units/suppressed_units.py`.

| suppressed | because | unless |
|---|---|---|
"""
Condition = Callable[[System, Path], bool]


@dataclass(frozen=True, slots=True)
class Unless:
    """When a system needs something after all.

    Attributes:
        text: for readers.
        holds: whether it does, given the system and its Debian root.
    """

    text: str
    holds: Condition


@dataclass(frozen=True, slots=True)
class Suppression:
    """Files below ``/etc`` that are not looked at, and why not.

    Attributes:
        names: of units, generators, or other files that can be masked in this way.
        because: why a built system does without.
        unless: when it does not.
        folder: where they are, below ``/etc``.
    """

    names: tuple[str, ...]
    because: str
    unless: Unless | None = None
    folder: str = UNITS


def _keeps(path: str, hint: str = "") -> Unless:
    """A folder, or one around it, outlives a restart."""

    def kept(system: System, _root: Path) -> bool:
        return any(
            path == each or path.startswith(f"{each.rstrip('/')}/")
            for each in (*system.persist.shared, *system.persist.paths)
        )

    return Unless(f"`{path}` persists{hint}", kept)


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


_FSTAB = Unless("`files.fstab`, or a kernel parameter that begins with `systemd.`", _has_fstab)
_SYSTEMD_PARAMETER = Unless(
    "a kernel parameter that begins with `systemd.`", _is_told_by_the_kernel
)
_OLD_SCRIPT = Unless('a script has no unit, or `files."init.d/…"`', _has_old_scripts)
_RESUME = Unless("a kernel parameter `resume…`", _hibernates)
_RC_LOCAL = Unless('`files."rc.local"`, or a package has it', _has_rc_local)
_NETWORK_PARAMETER = Unless(
    "a kernel parameter describes a network (`ip=`, `ifname=`, `rd.…`)",
    _configures_networks_by_the_kernel,
)
_FORMAT = Unless("a package or `files` has another", _has_formats)
_MODULE = Unless(
    "a package, `files`, `kernel.modules` or a kernel parameter names one", _loads_modules
)


ALL = (
    Suppression(
        ("systemd-gpt-auto-generator",),
        "the partitions are mounted by the initrd; slots are never mounted",
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-fstab-generator",),
        "fstab is empty, volumes are units",
        unless=_FSTAB,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-debug-generator", "systemd-run-generator"),
        "they follow kernel parameters that begin with `systemd.`",
        unless=_SYSTEMD_PARAMETER,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-sysv-generator",),
        "each script for System V has a unit of its name",
        unless=_OLD_SCRIPT,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-hibernate-resume-generator",),
        "nothing hibernates",
        unless=_RESUME,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-rc-local-generator",),
        "there is no rc.local",
        unless=_RC_LOCAL,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-ssh-generator", "systemd-tpm2-generator"),
        "nobody logs in from the host of a virtual device; nothing waits for a TPM",
        unless=_SYSTEMD_PARAMETER,
        folder=GENERATORS,
    ),
    Suppression(
        ("systemd-system-update-generator",),
        "updates are generations",
        folder=GENERATORS,
    ),
    Suppression(("systemd-remount-fs.service",), "what is mounted has its options", unless=_FSTAB),
    Suppression(("tmp.mount",), "/tmp is mounted together with the root, and goes with it"),
    Suppression(
        ("systemd-random-seed.service",),
        "the saved seed would be lost with /var",
        unless=_keeps("/var/lib/systemd"),
    ),
    Suppression(
        ("systemd-networkd-persistent-storage.service",),
        "what networkd saves would be lost with /var",
        unless=_keeps("/var/lib/systemd/network"),
    ),
    Suppression(
        ("systemd-network-generator.service",),
        "it turns kernel parameters into networks",
        unless=_NETWORK_PARAMETER,
    ),
    Suppression(
        ("systemd-journal-flush.service",),
        "the log is in memory",
        unless=_keeps("/var/log/journal", " (`journal.keep`)"),
    ),
    Suppression(("modprobe@efi_pstore.service",), "the initrd loads it and mounts pstore"),
    Suppression(
        ("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount"),
        "only compiled Python files would become executable",
        unless=_FORMAT,
    ),
    Suppression(("systemd-modules-load.service",), "no modules are named", unless=_MODULE),
    Suppression(
        ("sys-fs-fuse-connections.mount", "modprobe@fuse.service"),
        "only needed to abort FUSE requests",
    ),
    Suppression(
        ("sys-kernel-config.mount", "modprobe@configfs.service"),
        "only needed to emulate USB devices and the like",
    ),
    Suppression(("modprobe@drm.service",), "udev loads the driver of a screen"),
    Suppression(("systemd-udev-load-credentials.service",), "no credentials are passed to systemd"),
    Suppression(
        ("systemd-tmpfiles-setup-dev-early.service",),
        "no users are created at boot, so the second of the two does the same at once",
    ),
    Suppression(("systemd-user-sessions.service",), "login by key is allowed at any time"),
    Suppression(
        ("systemd-nologin.conf",),
        "it would forbid logins until systemd-user-sessions allows them",
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
    suppressed = [each for each in ALL if not _is_needed(each, system, root)]
    wanted = _wanted(system, root, {name for each in suppressed for name in each.names})
    for each in suppressed:
        yield from (f"{each.folder}/{name}" for name in each.names if name not in wanted)


def _is_needed(each: Suppression, system: System, root: Path) -> bool:
    return each.unless is not None and each.unless.holds(system, root)


def _wanted(system: System, root: Path, suppressed: set[str]) -> set[str]:
    """What the configuration names, and what is required by something that is not left out."""
    own = {name: unit.read().decode(errors="replace") for name, unit in system.units.items()}
    soft = {need for text in own.values() for need in _needs(text, "Wants", "Upholds")}
    wanted = {*system.services.enable, *system.services.keep, *own, *_with_drop_ins(system), *soft}
    texts = {**_shipped(root), **own}
    while True:
        staying = (text for name, text in texts.items() if name not in suppressed - wanted)
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


def print_markdown() -> str:
    """``docs/suppressed-units.md``."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in each.names)} | {each.because} "
        f"| {each.unless.text if each.unless else ''} |\n"
        for each in ALL
    ]
    return "".join([_PAGE, *rows])
