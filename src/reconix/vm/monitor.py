"""Talking to a running QEMU: a small client of its machine protocol (QMP).

One JSON object per line and direction. QEMU greets, we agree on no special abilities, then each
command gets one answer; events arrive in between at any time and are skipped here, because every
state that we wait for can be asked. Only why a guest has stopped cannot, so that is remembered.

Source: QEMU manual, *QEMU Machine Protocol Specification* 1.0.
Tested by ``tests/unit/vm/test_monitor.py`` and ``tests/compat/test_ovmf.py``.
"""

import json
import re
import socket
from pathlib import Path

from reconix.base.documents import Fields, Json
from reconix.base.errors import ReconixError

_ANSWER_SECONDS = 30.0
_LINE_BYTES = 1 << 20
_FORWARDED = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)")


class MonitorFailed(ReconixError):
    """QEMU did not run a command."""

    exit_code = 41


class Monitor:
    """An agreed connection to one QEMU."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_ANSWER_SECONDS)
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._stopped_by = ""
        self._read()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: str) -> Json:
        """Run one command in QEMU; returns its answer.

        Raises:
            MonitorFailed: it refused, or is gone.
        """
        question = {"execute": command, "arguments": arguments}
        try:
            self._connection.sendall(json.dumps(question).encode() + b"\n")
        except OSError as error:
            raise MonitorFailed(f"QEMU is gone, {command!r} was not sent: {error}") from error
        while True:
            answer = self._read()
            if answer.has("error"):
                raise MonitorFailed(f"QEMU refused {command!r}: {answer.object('error').values}")
            if "return" in answer.values:
                return answer.values["return"]

    def stopped_by(self) -> str | None:
        """Why a guest that may not restart or end by itself stands still; nothing if it runs.

        Source: QEMU QMP Reference Manual, *RunState*, *ShutdownCause*.
        """
        said = self.execute("query-status")
        stands_still = isinstance(said, dict) and said.get("status") == "shutdown"
        return self._stopped_by if stands_still else None

    def forwarded_ports(self) -> dict[int, int]:
        """The ports of this machine, by the port of the guest that each leads to."""
        said = self.execute("human-monitor-command", **{"command-line": "info usernet"})
        return {int(guest): int(host) for host, guest in _FORWARDED.findall(str(said))}

    def close(self) -> None:
        """End the connection; QEMU goes on."""
        self._lines.close()
        self._connection.close()

    def _read(self) -> Fields:
        try:
            line = self._lines.readline(_LINE_BYTES)
        except OSError as error:
            raise MonitorFailed(f"no answer from QEMU: {error}") from error
        if not line.endswith(b"\n"):
            raise MonitorFailed("QEMU has ended the connection", hint="it has stopped or crashed")
        answer = Fields.parse(line, source="QEMU's answer")
        if answer.values.get("event") == "SHUTDOWN":
            self._stopped_by = answer.object("data").text("reason")
        return answer


def connect(path: Path) -> Monitor:
    """Connect to the socket of a QEMU; the caller closes it.

    Raises:
        MonitorFailed: nothing listens there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
        return Monitor(connection)
    except OSError as error:
        connection.close()
        raise MonitorFailed(f"cannot reach QEMU at {path}: {error}") from error
    except MonitorFailed:
        connection.close()
        raise
