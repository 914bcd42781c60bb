"""How much the log may hold, and whether it survives a reboot.

A device's flash wears with every line that is written, and a log that fills the disk stops the
device. So by default the log is in memory and small.

Source: journald.conf(5).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option, Range
from reconix.config.schema.system import File, Persist
from reconix.config.schema.values import Seconds, SizeBytes


class Level(Enum):
    """How urgent a message is, as syslog calls it."""

    ERROR = "err"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much the log of a system may hold, and whether it survives a reboot."""

    size: Annotated[
        SizeBytes,
        Option(
            "Size limit of the log.",
            '"64M"',
            "when memory is small, or a fault is seen only in a long log",
        ),
    ] = 16 << 20
    keep: Annotated[
        bool,
        Option(
            "Whether it survives a reboot, on the data partition; each line wears the flash.",
            "true",
            "to read after a reboot what happened before it",
        ),
    ] = False
    level: Annotated[
        Level,
        Option(
            "Lowest level that is logged.",
            '"notice"',
            "when a verbose program fills the log",
        ),
    ] = Level.DEBUG
    burst: Annotated[
        Annotated[int, Range(0, 1 << 30)] | None,
        Option(
            "How many messages a service may write in `burst_time`; 0: no limit.",
            "1000",
            "to keep a runaway program from pushing everything else out",
        ),
    ] = None
    burst_time: Annotated[
        Seconds,
        Option(
            "The time in which a service may write `burst` messages.",
            '"1min"',
            "together with `burst`, when messages come in waves",
        ),
    ] = 30


def configure(options: Options) -> Fragment:
    """A drop-in for journald, in place of the one that every system has."""
    where = "System" if options.keep else "Runtime"
    lines = [
        "[Journal]",
        f"Storage={'persistent' if options.keep else 'volatile'}",
        f"{where}MaxUse={options.size}",
        f"MaxLevelStore={options.level.value}",
    ]
    if options.burst is not None:
        lines += [f"RateLimitIntervalSec={options.burst_time}", f"RateLimitBurst={options.burst}"]
    text = "".join(f"{line}\n" for line in lines)
    return Fragment(
        files={"systemd/journald.conf.d/reconix.conf": File(text=text)},
        persist=Persist(paths=("/var/log/journal",) if options.keep else ()),
    )
