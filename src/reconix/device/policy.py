"""Policy: what a system says about updates, in ``update.json`` of its toplevel.

    {"receive": true, "trial_timeout_seconds": 300}

A system without the file, such as one of NixOS, allows updates and has no time limit of its own for
a trial besides that of its health checks.

Proven by ``tests/unit/device/test_policy.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import Fields
from reconix.base.files import read_bounded
from reconix.device.health import MAX_TIMEOUT_SECONDS

MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Policy:
    """How a system takes updates.

    Attributes:
        receive: whether one may be received while it runs.
        trial_timeout_seconds: how long its trial may take from its start to its confirmation.
    """

    receive: bool = True
    trial_timeout_seconds: int = MAX_TIMEOUT_SECONDS


def read_policy(toplevel: Path) -> Policy:
    """Read what a system says about updates.

    Raises:
        BadDocument, TooLarge, OSError: it cannot be read.
    """
    path = toplevel / "update.json"
    try:
        fields = Fields.parse(read_bounded(path, MAX_BYTES), source=str(path))
    except FileNotFoundError:
        return Policy()
    return Policy(fields.flag("receive"), fields.number("trial_timeout_seconds"))
