"""Files below ``/etc`` that change nothing on a device, although they would on a Debian.

There, a program is called after such a file was changed, when a package is installed, or at a first
start. Here a system is built, and most of these programs are not needed, because an option says the
same. What can be made of a file is made (``build/users/sysusers.py``,
``build/on_device/caches.py``); this is the rest, of which ``reconix check`` warns.

Tested by ``tests/unit/config/rules/test_warnings.py``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import File, System

_OPTIONS = "use the options of reconix instead"


@dataclass(frozen=True, slots=True)
class _Ineffective:
    """Files that nothing reads, why, and what has the intended effect."""

    pattern: str
    fact: str
    hint: str


_ALL = (
    _Ineffective(
        r"locale\.gen",
        "no locales are generated from it",
        "C.UTF-8 is always available; the package locales-all has all others",
    ),
    _Ineffective(
        r"ca-certificates\.conf|ca-certificates/update\.d/.*",
        "update-ca-certificates is never run",
        "use certificates.authorities",
    ),
    _Ineffective(
        r"systemd/(system|user)-preset/.*",
        "presets apply at a first boot, which a device does not have",
        "use services.enable and services.disable",
    ),
    _Ineffective(
        r"(default/grub(\.d/.*)?|kernel/.*|grub\.d/.*)",
        "the boot partition is built from the generation",
        "use kernel.parameters",
    ),
    _Ineffective(
        r"(initramfs-tools|dracut\.conf\.d|dracut\.conf|mkinitcpio.*)(/.*)?",
        "the initrd is reconix's own",
        "use kernel.initrd_modules",
    ),
    _Ineffective(r"depmod\.d/.*", "modules are indexed when the kernel is built", _OPTIONS),
    _Ineffective(r"(repart|sysupdate)\.d/.*", "the disk is partitioned by reconix", "use [disk]"),
    _Ineffective(r"machine-id", "each device has its own", "remove it"),
    _Ineffective(
        r"sysctl\.conf", "Debian no longer reads it", "use sysctl or sysctl.d/<name>.conf"
    ),
    _Ineffective(
        r"(passwd|group|shadow|gshadow)",
        "it replaces all users that packages have created",
        "use users, or sysusers.d/<name>.conf",
    ),
    _Ineffective(r"apt/.*", "a device installs no packages", "use packages"),
)


def warn_about_files(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Files of a system that have no effect."""
    for path, fact, hint in _found(system):
        place = place_of(table, "files", path, default=file)
        yield Problem(place, dotted("files", path), fact, hint)


def _found(system: System) -> Iterator[tuple[str, str, str]]:
    for path, file in system.files.items():
        for each in _ALL:
            if re.fullmatch(each.pattern, path):
                yield path, each.fact, each.hint
        yield from _not_executable(path, file)
        yield from _never_called(path, system.files)


def _not_executable(path: str, file: File) -> Iterator[tuple[str, str, str]]:
    """Scripts that are run only if they are programs."""
    is_script = re.fullmatch(
        r"rc\.local|init\.d/[^/]+|cron\.(hourly|daily|weekly|monthly)/[^/]+|"
        r"systemd/(system|user)-(generators|shutdown|sleep)/[^/]+|NetworkManager/dispatcher\.d/.*|"
        r"networkd-dispatcher/.*|network/if-(pre-)?(up|down)\.d/.*|ppp/ip-(up|down)\.d/.*",
        path,
    )
    if is_script and file.link is None and not file.mode & 0o111:
        yield path, "is not run, because it is not executable", 'set mode = "0755"'


def _never_called(path: str, files: Mapping[str, File]) -> Iterator[tuple[str, str, str]]:
    """A script for System V starts only where a link says when."""
    name = path.removeprefix("init.d/")
    called = re.compile(rf"rc[2-5]\.d/S\d\d{re.escape(name)}")
    if path.startswith("init.d/") and not any(map(called.fullmatch, files)):
        fact = "never starts, because no link in rc?.d refers to it"
        yield path, fact, f'add files."rc3.d/S01{name}".link = "/etc/{path}", or write a unit'
