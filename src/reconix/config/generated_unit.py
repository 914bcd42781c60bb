"""The text of a service of which the configuration says only what it runs.

A program of one's own that is to run as long as the device does needs the same lines everywhere,
and who writes them seldom forgets the same ones:

* ``Type=exec``: a program that cannot be started is an error of the start, which a health check
  sees, and not of some moment later;
* ``Restart=on-failure`` after five seconds: slow enough that systemd never gives up, because nobody
  is there to start it again;
* ``Wants=`` beside each ``After=``: the order alone starts nothing.

Source: systemd.service(5), systemd.exec(5); quotation: systemd.syntax(7).
Tested by ``tests/unit/config/test_generated_unit.py``, with ``systemd-analyze verify``.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_RESTART_SECONDS = 5
_NOTHING: Mapping[str, str] = MappingProxyType({})


def text(
    command: str,
    *,
    user: str | None = None,
    state: bool = False,
    environment: Mapping[str, str] = _NOTHING,
    after: Sequence[str] = (),
) -> str:
    """The unit file of a service.

    Args:
        command: as ``ExecStart=`` takes it.
        user: whom it runs as; root by default.
        state: whether it has a folder below ``/var/lib``, which it may write to.
        environment: variables by name.
        after: units that it wants, and that start before it.
    """
    order = [line for unit in after for line in (f"Wants={unit}", f"After={unit}")]
    lines = [
        "[Unit]",
        f"Description={_description(command)}",
        *order,
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={command}",
        *([f"User={user}"] if user else []),
        *(["StateDirectory=%p"] if state else []),
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()),
        "Restart=on-failure",
        f"RestartSec={_RESTART_SECONDS}s",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "".join(f"{line}\n" for line in lines)


def _description(command: str) -> str:
    return command.split()[0].lstrip("-@:+!|").strip("\"'")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
