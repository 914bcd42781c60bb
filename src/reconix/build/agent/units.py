"""The units that run the agent.

They and the agent's commands are one design: whatever goes wrong while a generation is on trial
ends in a restart, and a restart is all that it takes to fall back. Their texts, with the reason of
each, are in ``build/data/units``.

Tested by ``tests/compat/test_schedule.py`` (``systemd-analyze verify``),
``tests/unit/build/agent/test_units.py`` and ``tests/vm/``.
"""

from reconix.build.agent.zipapp import PROGRAM
from reconix.build.templates import fill

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

_NAMES = (
    "reconix-start.service",
    "reconix-identity.service",
    "reconix-watch.service",
    "reconix-switch.service",
    "reconix-discard.service",
    "reconix-device-key.service",
    "reconix-fallback.service",
)


def units() -> dict[str, str]:
    """The units by name; each says itself what starts it."""
    return {name: fill(f"units/{name}", agent=AGENT) for name in _NAMES}
