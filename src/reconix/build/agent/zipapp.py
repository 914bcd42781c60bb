"""The agent as an object: one zip application with exactly what it imports, and its units.

The agent must run where nothing is installed but Python itself, so it is one file:
``python3 -I -S reconix-device.pyz``. It holds the modules that ``reconix.device`` reaches by
import, also by an import inside a function, and nothing else. Names are sorted, times are
1980-01-01, nothing is compressed: same sources, same bytes, whatever Python and zlib packed them.

The units are here too, because they and the agent's commands are one design: whatever goes wrong
while a generation is on trial ends in a restart, and a restart is all that it takes to fall back.

Tested by ``tests/unit/build/agent/test_zipapp.py``; the units by ``tests/compat/test_schedule.py``
(``systemd-analyze verify``) and ``tests/vm/``.
"""

import io
import zipfile
from pathlib import Path

from reconix.build.imports import SOURCE, imported, reached

MAIN_MODULE = "reconix.device.__main__"
PROGRAM = "reconix-device.pyz"
SCRIPTS = tuple(
    Path(__file__).parents[1] / "data" / name for name in ("root.sh", "switch", "fallback")
)
"""What lies beside the program: how a soft reboot puts the root of the next system together, and
what is left to do when the agent does not run."""

_START = b"""\
import sys

from reconix.device.__main__ import main

sys.exit(main())
"""


AGENT = f"/usr/bin/python3 -I -S /etc/reconix/{PROGRAM}"
"""How the units start the agent; ``/etc/reconix`` links to the object of the system that runs."""

KEPT_MOUNTS = (
    "etc",
    "nix-store",
    "run-reconix-data",
    "run-reconix-system",
    "usr-lib-modules",
)
"""Mounts that stay to the end: the last program of a system works with them."""

_UNITS = {
    # Finds out what runs, and notices that a trial has ended. It is early and waits for nothing but
    # itself, because what it would wait for might never come.
    "reconix-start.service": f"""\
[Unit]
Description=Find out which generation and system run
DefaultDependencies=no
Before=sysinit.target soft-reboot.target systemd-pstore.service
Conflicts=soft-reboot.target
OnFailure=reconix-fallback.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={AGENT} start
TimeoutStartSec=120

[Install]
WantedBy=sysinit.target
""",
    # Before any program reads what it changes. That it fails is no reason not to start.
    "reconix-identity.service": f"""\
[Unit]
Description=Apply what this device has of its own
DefaultDependencies=no
After=reconix-start.service
Before=sysinit.target systemd-tmpfiles-setup.service systemd-networkd.service network-pre.target
ConditionPathExists=/run/reconix/data/identity.json

[Service]
Type=oneshot
ExecStart={AGENT} identify
TimeoutStartSec=60

[Install]
WantedBy=sysinit.target
""",
    # Only where something is to be proven, and behind what it is to see coming up. Not stopped at
    # shutdown: it is what issues the restart, and must be there to insist.
    "reconix-watch.service": f"""\
[Unit]
Description=Check the health of what is on trial
DefaultDependencies=no
After=reconix-start.service
Before=soft-reboot.target
Conflicts=soft-reboot.target
ConditionPathExists=/run/reconix/unproven
OnFailure=reconix-fallback.service

[Service]
Type=exec
ExecStart={AGENT} watch
Nice=10
RuntimeMaxSec=3600

[Install]
WantedBy=sysinit.target
""",
    # The last program of a system that gives way to another one, or, if nobody asked for another
    # one, to itself. It is that of the system that comes.
    "reconix-switch.service": """\
[Unit]
Description=Put the root of the next system together
DefaultDependencies=no
After=shutdown.target umount.target final.target
Before=systemd-soft-reboot.service
FailureAction=reboot-force

[Service]
Type=oneshot
ExecStart=/bin/sh -c '\\
    { read -r next < /run/reconix/next; } 2>/dev/null || next=$$(readlink /nix/system); \\
    exec /bin/sh "$$next/agent/switch" "$$next"'
TimeoutStartSec=120
StandardOutput=kmsg
StandardError=kmsg

[Install]
RequiredBy=systemd-soft-reboot.service
""",
    # A factory reset sets aside in the initrd, which is quick; this deletes when there is time.
    "reconix-discard.service": f"""\
[Unit]
Description=Delete what a factory reset has set aside
After=reconix-watch.service
ConditionPathExists=/run/reconix/discarded

[Service]
Type=exec
ExecStart={AGENT} discard
Nice=19
IOSchedulingClass=idle

[Install]
WantedBy=multi-user.target
""",
    # The agent itself has failed. The first line records that, if the agent can still do as much.
    # The second needs no agent: it restarts if a trial is under way and the slot that runs was not
    # found to be the committed one, or if the system has taken over without a restart.
    "reconix-fallback.service": f"""\
[Unit]
Description=Leave a generation in whose trial the agent failed
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=-/usr/bin/timeout 60 {AGENT} abandon --reason "the agent failed"
ExecStart=/bin/sh /etc/reconix/fallback
""",
}


def pack(source: Path = SOURCE) -> bytes:
    """Make the zip application of the agent from the sources of this project.

    Raises:
        NotOurs: an import names a module that does not exist.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _START)
        for path in modules(source):
            _add(archive, path, (source / path).read_bytes())
    return packed.getvalue()


def units() -> dict[str, str]:
    """The systemd units that run the agent, by name; each says itself what starts it."""
    return dict(_UNITS)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, whatever runs this
    entry.external_attr = 0o100444 << 16
    archive.writestr(entry, content)


def modules(source: Path = SOURCE) -> list[str]:
    """The files of all modules that the agent reaches by import, sorted.

    Raises:
        NotOurs: an import names a module that does not exist.
    """
    found = reached([MAIN_MODULE], source).values()
    return sorted(str(file.relative_to(source)) for file in found)


def foreign_modules(source: Path = SOURCE) -> set[str]:
    """The modules that the agent's own files import and that are not ours."""
    return {
        name
        for path in modules(source)
        for name, _ in imported((source / path).read_bytes())
        if name.split(".")[0] != "reconix"
    }
