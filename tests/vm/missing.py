"""Generations in whose trial something asks for what their list says went."""

from collections.abc import Mapping

from reconix.base.documents import Fields
from reconix.device.settings import health, policy, removed
from reconix.device.settings.health import Check, CommandSucceeds, Health
from reconix.device.settings.policy import Policy
from reconix.device.settings.removed import Removed
from reconix.store.tree import File, Node

OPENED, LOOKED_UP, STARTED = "/usr/bin/opened", "/usr/bin/looked-up", "/usr/bin/started"
NEVER, EXPECTED = "/usr/bin/never", "/usr/bin/expected"
UNIT = "asking.service"
"""A service that the check of health makes and starts; its shell asks, then sleeps and ends."""
ASKS = f"read -r line <{OPENED}; test -x {LOOKED_UP}; {STARTED}; {EXPECTED}; sleep 3"
CHECK = f"""\
printf '[Service]\\nType=oneshot\\nExecStart=/bin/bash -c "{ASKS}"\\n' >/run/systemd/system/{UNIT}
systemctl start {UNIT}
"""
LEFT = "cat /sys/kernel/tracing/kprobe_events; ls /sys/kernel/tracing/instances; echo"
"""Shows what the kernel still writes down."""


def asking(*, strict: bool = False) -> Mapping[str, Node]:
    """What differs in the toplevel of such a generation."""
    check = Check(CommandSucceeds(("sh", "-c", CHECK)), timeout_seconds=60)
    gone = {path: Removed(131240) for path in (OPENED, LOOKED_UP, STARTED, NEVER)}
    gone[EXPECTED] = Removed(1, "nobody needs it")
    files = {
        health.NAME: health.print_health(Health(180, (health.STARTED, check))),
        removed.NAME: removed.print_removed(gone),
    }
    if strict:
        files[policy.NAME] = policy.print_policy(Policy(strict_minify=True))
    return {name: File(content) for name, content in files.items()}


def was_missed(status: Fields) -> bool:
    """Whether a device tells exactly what was asked for, with who did."""
    missed = status.object("missed").objects("missed")
    found = [(each.text("path"), each.text("by"), each.text("unit")) for each in missed]
    return found == [(path, "bash", UNIT) for path in (LOOKED_UP, OPENED, STARTED)]
