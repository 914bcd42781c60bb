"""What nobody can see from outside: facts about programs, a sentence each.

A program opens files that its text does not name: the first program starts units that nobody wants,
a library loads another one by a name that it puts together. Each fact here says when it counts,
what stays, and why. It is about the program, so it is the same for all systems.

Tested by ``tests/unit/build/minify/test_knowledge.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.architecture import Architecture
from reconix.build.minify.edges.units import UnitEdges
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.minify.rules import LOOKS_UP_ZONES

_LIBRARIES = f"usr/lib/(?:{'|'.join(each.triplet for each in Architecture)})"


@dataclass(frozen=True, slots=True)
class Fact:
    """What a file needs that nothing in it says.

    Attributes:
        when: pattern of the file's path.
        how: a verb and what it is about.
        paths: patterns of what stays.
        units: of systemd.
        user_units: the same, of the manager of a user.
    """

    when: str
    how: str
    paths: str = ""
    units: tuple[str, ...] = ()
    user_units: tuple[str, ...] = ()


ALL = (
    Fact(
        r"usr/lib/systemd/systemd",
        "starts it by itself",
        units=(
            *(
                "default.target",
                "basic.target",
                "sysinit.target",
                "shutdown.target",
                "umount.target",
            ),
            *(
                "final.target",
                "emergency.target",
                "rescue.target",
                "reboot.target",
                "poweroff.target",
            ),
            *("halt.target", "kexec.target", "soft-reboot.target", "ctrl-alt-del.target"),
            *("exit.target", "sigpwr.target", "dbus.service", "dbus.socket"),
            *("-.slice", "system.slice", "user.slice", "init.scope", "machine.slice", "-.mount"),
        ),
    ),
    Fact(
        r"usr/lib/systemd/systemd",
        "runs all that is there",
        r"usr/lib/systemd/(?:system-generators|system-environment-generators|system-shutdown)/.*",
    ),
    Fact(
        r"usr/lib/systemd/system-generators/systemd-getty-generator",
        "starts it on the console that the kernel has",
        units=("serial-getty@.service", "console-getty.service"),
    ),
    Fact(
        r"etc/rc\.local",
        "is started by it: systemd-rc-local-generator",
        units=("rc-local.service",),
    ),
    Fact(
        r"usr/lib/systemd/systemd-logind",
        "starts it when somebody logs in",
        units=("user@.service", "user-runtime-dir@.service", "user-.slice"),
    ),
    Fact(
        r"usr/lib/systemd/systemd-logind",
        "is asked by the agent through it",
        r"usr/bin/busctl",
    ),
    Fact(
        r"usr/lib/systemd/system/user@\.service",
        "starts it for a user",
        r"usr/lib/systemd/(?:user-generators|user-environment-generators)/.*",
        user_units=(
            *("default.target", "basic.target", "shutdown.target", "exit.target", "dbus.service"),
            *("dbus.socket", "session.slice", "app.slice", "background.slice"),
            *("graphical-session.target", "systemd-exit.service"),
        ),
    ),
    Fact(
        r"usr/bin/(?:dbus-daemon|dbus-broker-launch)",
        "starts it when somebody calls",
        r"usr/share/dbus-1/(?:system-services|services|system\.d|session\.d)/.*|usr/share/dbus-1/[^/]*",
    ),
    Fact(
        r"usr/bin/dbus-daemon",
        "starts services by it that name no unit",
        r"usr/lib/dbus-1\.0/dbus-daemon-launch-helper",
    ),
    *(
        Fact(
            rf"usr/bin/{tool}",
            "calls it on the bus",
            units=(f"systemd-{service}d.service", f"dbus-org.freedesktop.{service}1.service"),
        )
        for tool, service in (
            ("hostnamectl", "hostname"),
            ("localectl", "locale"),
            ("timedatectl", "timedate"),
        )
    ),
    Fact(
        r"usr/sbin/NetworkManager",
        "tells it the name of the device",
        units=("systemd-hostnamed.service", "dbus-org.freedesktop.hostname1.service"),
    ),
    Fact(
        rf"{_LIBRARIES}/libwrap\.so\.0.*",
        "lets clients in by it",
        r"etc/hosts\.(?:allow|deny)",
    ),
    Fact(
        r"usr/sbin/xtables-(?:nft|legacy)-multi",
        "loads it by the name of a match or a target",
        rf"{_LIBRARIES}/xtables/.*",
    ),
    Fact(
        r"usr/bin/containerd|usr/s?bin/dockerd",
        "starts it by its name",
        r"usr/s?bin/(?:runc|containerd-shim.*|docker-init|docker-proxy)",
    ),
    Fact(
        r"usr/bin/(?:podman|buildah)",
        "starts it by a name in a list, or is set up by it",
        r"usr/bin/(?:conmon|crun|runc|pasta(?:\.avx2)?|slirp4netns|new[ug]idmap)"
        r"|usr/lib(?:exec)?/podman/(?!podman-testing).*|(?:etc|usr/share)/containers/.*",
    ),
    Fact(
        r"usr/bin/perl(?:5\..*)?",
        "begins with it",
        rf"{_LIBRARIES}/perl-base/.*",
    ),
    Fact(
        r"usr/lib/systemd/systemd-udevd|usr/bin/udevadm",
        "names network interfaces by it",
        r"usr/lib/systemd/network/.*\.link",
    ),
    Fact(
        r"usr/lib/systemd/systemd-networkd",
        "configures what matches it",
        r"usr/lib/systemd/network/.*\.(?:network|netdev)",
    ),
    Fact(
        rf"{_LIBRARIES}/libc\.so\.6",
        "reads it, or loads it by a name of its own",
        rf"etc/(?:nsswitch\.conf|host\.conf|gai\.conf|ld\.so\.(?:cache|conf)|ld\.so\.conf\.d/.*|localtime"
        r"|environment|networks|protocols|services|rpc|hosts|ethers|shells|securetty)"
        rf"|usr/lib/locale/C\.utf8/.*|{_LIBRARIES}/libgcc_s\.so\.1|usr/bin/sh",
    ),
    Fact(
        rf"{_LIBRARIES}/libtinfo\.so\.6",
        "describes terminals by it",
        r"(?:usr/lib|etc)/terminfo/.*",
    ),
    Fact(
        rf"{_LIBRARIES}/libcrypto\.so\.3",
        "trusts it, or is set up by it",
        r"usr/lib/ssl/.*|etc/ssl/.*",
    ),
    Fact(
        r"usr/bin/python3\.\d+",
        "begins with it, or finds it by the name of a code",
        r"usr/lib/python3\.\d+/(?:os|site|sitecustomize|codecs|io|abc|stat|posixpath|genericpath"
        r"|_collections_abc|_sitebuiltins|runpy|zipimport|linecache|traceback"
        r"|importlib/(?:__init__|util|machinery|_abc|_bootstrap|_bootstrap_external)"
        r"|encodings/(?:__init__|aliases|ascii|utf_8|utf_8_sig|latin_1|utf_16|utf_16_le|utf_16_be"
        r"|utf_32|idna|punycode|cp437|cp1252|unicode_escape|raw_unicode_escape|base64_codec"
        r"|hex_codec|undefined|charmap|unicode_internal|mbcs|rot_13))\.py"
        r"|etc/python3(?:\.\d+)?/.*",
    ),
    Fact(
        r"usr/lib/python3\.\d+/encodings/idna\.py",
        "asks it for the class of letters",
        r"usr/lib/python3\.\d+/(?:stringprep\.py|lib-dynload/unicodedata\..*)",
    ),
    Fact(
        LOOKS_UP_ZONES,
        "looks zones up by their names, and its own first",
        r"usr/share/zoneinfo/(?!right/).*",
    ),
    Fact(
        r"usr/sbin/nginx",
        "reads its folder, and modules that its settings name",
        r"usr/(?:lib|share)/nginx/.*",
    ),
)
"""All facts. A fact about a program counts when the program stays."""

PROGRAMS = {
    "python3": ("python3",),
    "systemd": ("systemctl", "journalctl", "systemd-tmpfiles", "networkctl"),
}
"""The programs that are meant by whoever asks for a package that has many others, too."""

SHARED = ("systemd", "udev", "libc6", "libc-bin", "perl-base", "python3-minimal", "base-files")
"""Packages whose folders are for many others: what is in them is reached file by file."""


@dataclass(frozen=True, slots=True)
class KnownEdges:
    """Finds what is known of files."""

    files: Files
    units: UnitEdges

    def of(self, path: str) -> Iterator[Edge]:
        """What a file reaches by what is known of it."""
        for fact in ALL:
            if re.fullmatch(fact.when, path):
                yield from self._of_fact(fact)

    def _of_fact(self, fact: Fact) -> Iterator[Edge]:
        if fact.paths:
            pattern = re.compile(fact.paths)
            for path, node in sorted(self.files.nodes.items()):
                if not node.is_folder and pattern.fullmatch(path) and not self._is_masked(path):
                    yield Edge(path, fact.how)
        for name in fact.units:
            yield from self.units.unit(name, "system", fact.how)
        for name in fact.user_units:
            yield from self.units.unit(name, "user", fact.how)

    def _is_masked(self, path: str) -> bool:
        """Whether a file with the same name below ``/etc`` says that it is not looked at."""
        above = self.files.nodes.get(path.replace("usr/lib/", "etc/", 1))
        return above is not None and above.target == "/dev/null"
