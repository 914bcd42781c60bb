"""Logging in to a guest with the OpenSSH client.

The guest is reached through a port on 127.0.0.1 that is another one at each start, and its host key
is made at its first boot; so nothing of the user's own ssh configuration, agent or list of known
hosts is used or changed. This is for virtual devices on this machine only.

Tested by ``tests/unit/vm/test_login.py``.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from reconix.vm.timeouts import scaled

CONNECT_SECONDS = 30
"""A key exchange takes seconds when every instruction of the guest is emulated."""
SILENT_SECONDS = 60
"""After so long without an answer a guest is gone."""
_ALIVE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and with which key."""

    key: Path
    user: str = "root"
    guest_port: int = 22


def ssh_options(login: Login, *, connect_seconds: int = CONNECT_SECONDS) -> list[str]:
    """What OpenSSH must be told to log in to a virtual device."""
    settings = {
        "BatchMode": "yes",
        "ConnectTimeout": str(connect_seconds),
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        # A guest that restarts does not say good-bye; one that has much to do answers late.
        "ServerAliveInterval": str(_ALIVE_SECONDS),
        "ServerAliveCountMax": str(round(scaled(SILENT_SECONDS) / _ALIVE_SECONDS)),
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return ["-F", "none", "-i", str(login.key), *words]


def ssh_words(
    login: Login,
    host_port: int,
    command: tuple[str, ...],
    *,
    connect_seconds: int = CONNECT_SECONDS,
) -> list[str]:
    """The command that runs ``command`` in the guest.

    ssh joins its words with spaces and gives them to a shell on the other side; so each is quoted.
    """
    options = ssh_options(login, connect_seconds=connect_seconds)
    target = ("-p", str(host_port), f"{login.user}@127.0.0.1")
    return ["ssh", *options, *target, "--", shlex.join(command)]
