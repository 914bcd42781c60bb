"""What never stays: files that no device needs, by pattern, each with its reason.

These rules come first: whatever reaches such a file, it goes. Some have a condition under which
they do not count, which is nearly always that somebody asked for the package they are about. What
the configuration itself leads to, as a link to a time zone does, stays as well, and so does what
is named in ``minify.keep``.

Tested by ``tests/unit/build/minify/test_rules.py``.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass

from reconix.base.architecture import Architecture
from reconix.build.minify.files import Files

_SWAP = re.compile(rb"(?m)^[^#\n]*\sswap\s")
_MULTIARCH = f"(?:{'|'.join(each.triplet for each in Architecture)})"
_UNIT = r"usr/lib/systemd/system/(?:.*/)?"
_OF_FSTAB = r"systemd-(?:fsck|growfs|makefs|quotacheck|remount-fs)"
LOOKS_UP_ZONES = r"usr/lib/postgresql/[^/]+/bin/postgres|usr/bin/php[\d.]+"
"""Programs that do not start without the zones of time, whatever the device is in."""
_DISK_DRIVERS = ("scsi_mod", "libata")
_LIGHT_DRIVERS = ("backlight", "drm", "led_class")


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions of rules are about.

    Attributes:
        asked: names of packages that somebody wrote in the configuration.
        files: of the device.
        drivers: names of modules that the kernel has or consists of; nothing if they are not known,
            and any device may be connected.
    """

    asked: frozenset[str]
    files: Files
    drivers: frozenset[str] | None = None


def unconditional(_: Facts) -> bool:
    """A condition that does not hold."""
    return False


@dataclass(frozen=True, slots=True)
class Rule:
    """Files that no device needs, and why not.

    Attributes:
        name: short, for lists.
        pattern: of paths, without the slash in front.
        because: the reason, for readers.
        unless: when it does not count.
        unless_text: the same for readers.
    """

    name: str
    pattern: str
    because: str
    unless: Callable[[Facts], bool] = unconditional
    unless_text: str = ""


def _asked(*packages: str) -> Callable[[Facts], bool]:
    return lambda facts: bool(facts.asked & set(packages))


def _has(*paths: str) -> Callable[[Facts], bool]:
    return lambda facts: any(path in facts.files.nodes for path in paths)


def _looks_up_zones(facts: Facts) -> bool:
    looks_up = re.compile(LOOKS_UP_ZONES)
    return "tzdata" in facts.asked or any(map(looks_up.fullmatch, facts.files.nodes))


def _drives(*modules: str) -> Callable[[Facts], bool]:
    """Whether the kernel has one of some drivers, or may have it."""
    return lambda facts: facts.drivers is None or bool(facts.drivers & set(modules))


def _enables(pattern: str) -> Callable[[Facts], bool]:
    """Whether the configuration has something of such a path that is not masked, or not empty."""

    def enabled(facts: Facts) -> bool:
        nodes = facts.files.nodes
        found = (node for path, node in nodes.items() if re.fullmatch(pattern, path))
        own = [node for node in found if not node.is_of_root and not node.is_folder]
        return any(node.size_bytes or node.target not in ("", "/dev/null") for node in own)

    return enabled


def _swaps(facts: Facts) -> bool:
    if _enables(r"etc/systemd/system/[^/]*\.swap")(facts):
        return True
    node = facts.files.nodes.get("etc/fstab")
    is_there = node is not None and node.is_file
    return is_there and _SWAP.search(facts.files.content("etc/fstab")) is not None


def _runs_generator(facts: Facts, name: str) -> bool:
    place = f"systemd/system-generators/{name}"
    return f"etc/{place}" not in facts.files.nodes and f"usr/lib/{place}" in facts.files.nodes


def _runs_old_scripts(facts: Facts) -> bool:
    return _runs_generator(facts, "systemd-sysv-generator")


def _reads_fstab(facts: Facts) -> bool:
    of_fstab = rf"etc/systemd/system/.*{_OF_FSTAB}.*"
    return _runs_generator(facts, "systemd-fstab-generator") or _enables(of_fstab)(facts)


_FOR_READERS = frozenset({"documents", "translations", "completions"})
ALL = (
    Rule(
        "documents",
        r"usr/share/(?:doc|man|info|doc-base|help|gtk-doc|lintian|bug|readme|images)/.*"
        r"|usr/share/(?:groff|pixmaps|icons|applications|menu|metainfo|appdata|reportbug)/.*"
        r"|usr/lib/python3[\d.]*/LICENSE\.txt|usr/share/perl5/.*\.pod|usr/share/common-licenses/.*",
        "documents are read at a desk",
    ),
    Rule(
        "translations",
        r"usr/share/locale/.*|(?:usr|var)/lib/systemd/catalog/.*|usr/share/i18n/.*",
        "a device speaks one language, and explains its messages nowhere",
        _asked("locales", "locales-all"),
        "`locales` is among the packages",
    ),
    Rule(
        "completions",
        r"usr/share/(?:bash-completion|zsh|fish|vim)/.*|etc/bash_completion\.d/.*|etc/bash_completion",
        "nobody types there for long",
        _asked("bash-completion"),
        "`bash-completion` is among the packages",
    ),
    Rule(
        "development",
        r"usr/include/.*|usr/lib/(?:.*/)?pkgconfig/.*|usr/share/(?:pkgconfig|aclocal|gdb)/.*"
        r"|usr/lib/.*\.(?:a|la|o)",
        "nothing is compiled on a device",
        _asked("gcc", "g++", "clang", "build-essential"),
        "a compiler is among the packages",
    ),
    Rule(
        "package manager",
        r"var/lib/dpkg/(?!status$).*|var/lib/(?:apt|pam|ucf|debconf|python)/.*|var/lib/shells\.state"
        r"|var/cache/(?:apt|debconf)/.*"
        r"|usr/bin/(?:dpkg|dpkg-[^/]*|apt|apt-[^/]*|debconf[^/]*|deb-systemd-[^/]*|ucf[^/]*)"
        r"|usr/sbin/(?:dpkg-[^/]*|update-(?!ca-cert)[^/]*|add-shell|remove-shell|invoke-rc\.d"
        r"|service|pam-auth-update|pam_getenv|policy-rc\.d)"
        r"|usr/lib/(?:apt|dpkg)/.*|usr/share/(?:dpkg|debconf|keyrings|debianutils|bug|polkit-1/dpkg)/.*"
        r"|usr/lib/systemd/(?:systemd-sysv-install|system/(?:apt|dpkg)-[^/]*)|usr/sbin/start-stop-daemon"
        r"|etc/(?:apt|dpkg|kernel|update-motd\.d)/.*|etc/debconf\.conf|etc/ucf\.conf"
        r"|usr/libexec/dpkg/.*|usr/bin/py3(?:compile|clean|versions)|usr/share/python3/.*"
        r"|usr/lib/python3/dist-packages/debpython.*",
        "packages change with the generation, never by themselves",
        _asked("apt", "dpkg"),
        "`apt` or `dpkg` is among the packages",
    ),
    Rule(
        "scripts for System V",
        r"etc/(?:init\.d|rc[0-6S]\.d|rcS\.d)/.*|usr/lib/init/.*|usr/lib/lsb/.*"
        rf"|usr/lib/systemd/systemd-initctl|{_UNIT}systemd-initctl\..*",
        "each of them has a unit",
        _runs_old_scripts,
        "a script has no unit",
    ),
    Rule(
        "scripts for cron",
        r"etc/cron[^/]*/.*|etc/crontab",
        "there is no cron",
        _has("usr/sbin/cron", "usr/sbin/crond", "usr/sbin/anacron"),
        "a package has cron",
    ),
    Rule(
        "settings of logrotate",
        r"etc/logrotate\.d/.*",
        "there is no logrotate",
        _has("usr/sbin/logrotate"),
        "a package has it",
    ),
    Rule(
        "log-in on a console",
        r"usr/sbin/(?:a?getty)|usr/bin/login"
        r"|usr/lib/systemd/system-generators/systemd-getty-generator"
        r"|usr/lib/systemd/system/(?:getty|serial-getty|console-getty|container-getty|autovt)@?\.service"
        r"|etc/(?:login\.defs|issue(?:\.net)?|securetty)|etc/pam\.d/login",
        "there are no passwords to type",
        _enables(r"etc/systemd/system/.*(?:getty|autovt).*"),
        "the configuration enables or has a unit `…getty…`",
    ),
    Rule(
        "swap",
        r"usr/sbin/(?:swapon|swapoff|mkswap|swaplabel)"
        rf"|usr/lib/systemd/systemd-hibernate-resume|{_UNIT}systemd-hibernate-.*",
        "a device has no swap, and does not sleep in it",
        _swaps,
        "`files.fstab`, or a unit for it",
    ),
    Rule(
        "file systems of fstab",
        rf"usr/lib/systemd/{_OF_FSTAB}|{_UNIT}{_OF_FSTAB}.*",
        "nobody reads `/etc/fstab`: the first root mounts",
        _reads_fstab,
        "a unit of the configuration names one of its services",
    ),
    Rule(
        "extensions of the system",
        rf"usr/bin/systemd-(?:sysext|confext)|{_UNIT}systemd-(?:sysext|confext).*",
        "what a system has comes with its generation",
        _enables(r"etc/systemd/system/.*systemd-(?:sys|conf)ext.*"),
        "the configuration enables or has a unit `systemd-sysext…` or `systemd-confext…`",
    ),
    Rule(
        "changing passwords under SELinux",
        r"usr/sbin/unix_update",
        "there is no policy of SELinux",
        _has("etc/selinux/config"),
        "a package has one",
    ),
    Rule(
        "catalogs of document types",
        r"etc/(?:sgml|xml)/.*|var/lib/(?:sgml-base|xml-core)/.*",
        "nobody checks documents against them on a device",
        _asked("sgml-base", "xml-core", "libxml2-utils"),
        "`sgml-base`, `xml-core` or `libxml2-utils` is among the packages",
    ),
    Rule("skeletons of homes", r"etc/skel/.*", "nobody is added on a device"),
    Rule(
        "presets of units",
        r"usr/lib/systemd/(?:system|user)-preset/.*",
        "what is enabled was decided when the system was built",
    ),
    Rule(
        "names of hardware",
        r"(?:usr/lib|etc)/udev/hwdb(?:\.d/.*|\.bin)|usr/share/(?:misc|hwdata)/(?:pci|usb)\.ids.*"
        r"|usr/bin/systemd-hwdb|usr/lib/udev/(?:iocost|dmi_memory_id)"
        r"|usr/lib/udev/rules\.d/(?:90-iocost|70-memory)\.rules",
        "udev names devices by it, and drives all of them without",
        _asked("libinput-bin", "usbutils", "pciutils", "systemd-hwdb"),
        "`usbutils`, `pciutils` or `libinput-bin` is among the packages",
    ),
    Rule(
        "names of disks behind SCSI",
        r"usr/lib/udev/(?:scsi|ata)_id",
        "the machine has no such disk",
        _drives(*_DISK_DRIVERS),
        "a driver of the machine is for them",
    ),
    Rule(
        "optical discs",
        r"usr/lib/udev/cdrom_id|usr/lib/udev/rules\.d/60-cdrom_id\.rules",
        "the machine has no drive for them",
        _drives("cdrom", "sr_mod"),
        "a driver of the machine is for them",
    ),
    Rule(
        "raw flash",
        r"usr/lib/udev/mtd_probe|usr/lib/udev/rules\.d/75-probe_mtd\.rules",
        "the machine has none",
        _drives("mtd"),
        "a driver of the machine is for it",
    ),
    Rule(
        "cameras",
        r"usr/lib/udev/v4l_id|usr/lib/udev/rules\.d/60-persistent-v4l\.rules",
        "the machine has none",
        _drives("videodev"),
        "a driver of the machine is for them",
    ),
    Rule(
        "security tokens",
        r"usr/lib/udev/fido_id|usr/lib/udev/rules\.d/60-fido-id\.rules",
        "the machine has nothing to plug them in",
        _drives("hid", "usbhid"),
        "a driver of the machine is for them",
    ),
    Rule(
        "switches of radios",
        rf"usr/lib/systemd/systemd-rfkill|{_UNIT}systemd-rfkill\..*",
        "the machine has no radio",
        _drives("rfkill"),
        "a driver of the machine is for one",
    ),
    Rule(
        "brightness",
        rf"usr/lib/systemd/systemd-backlight|{_UNIT}systemd-backlight@\.service",
        "the machine has no screen",
        _drives(*_LIGHT_DRIVERS),
        "a driver of the machine is for one",
    ),
    Rule(
        "time zones",
        r"usr/share/zoneinfo/.*",
        "a device is in one time zone: the configured one",
        _looks_up_zones,
        "`tzdata` is among the packages, or a package has PostgreSQL or PHP, which look zones up",
    ),
    Rule(
        "character sets",
        rf"usr/lib/(?:{_MULTIARCH}/)?gconv/.*",
        "texts are in UTF-8, which the C library knows by itself",
        _asked("locales", "libc-bin", "iconv"),
        "`locales` or `libc-bin` is among the packages",
    ),
    Rule(
        "tests and tools of Python",
        r"usr/lib/python3[\d.]*/(?:test|idlelib|lib2to3|turtledemo|ensurepip|pydoc_data)/.*"
        r"|usr/lib/python3[\d.]*/(?:config-[^/]*/.*|EXTERNALLY-MANAGED)",
        "they are for whoever writes programs",
    ),
)
"""All rules; the first one that is about a path counts."""


def is_for_readers(path: str) -> bool:
    """Whether a file is about a program and no part of it: who keeps the one may not mean it."""
    return any(
        rule.name in _FOR_READERS and re.fullmatch(rule.pattern, path) is not None for rule in ALL
    )


def never(facts: Facts, spared: Container[str]) -> dict[str, Rule]:
    """The paths of the root that no rule lets stay.

    Args:
        facts: of the device.
        spared: paths that stay whatever a rule says.
    """
    counting = [rule for rule in ALL if not rule.unless(facts)]
    whole = re.compile(
        "|".join(f"(?P<r{number}>{each.pattern})" for number, each in enumerate(counting))
    )
    found: dict[str, Rule] = {}
    for path, node in facts.files.nodes.items():
        match = whole.fullmatch(path) if node.is_of_root and not node.is_folder else None
        if match is not None and path not in spared:
            found[path] = next(rule for number, rule in enumerate(counting) if match[f"r{number}"])
    return found
