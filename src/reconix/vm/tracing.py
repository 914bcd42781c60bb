"""What programs of a guest asked for: every path that something opened, or tried to start.

The kernel writes it down itself, from its first process on, because its command line says so: a
probe at ``do_filp_open``, which all system calls that open or execute a file go through, whether
the file is there or not. So the device needs no program for it, and is not changed by being
watched. The probe reads the path that the kernel has copied already, so it never misses. What the
initrd asked for comes before the first process is systemd, and is left out.

    # entries-in-buffer/entries-written: 81316/81316   #P:1
               systemd-1       [000] .....     3.1: asked: (do_filp_open+0x0/0x1) path="/etc/fstab"

Source: Linux, Documentation/admin-guide/kernel-parameters.txt, *kprobe_event*, *trace_buf_size*;
Documentation/trace/kprobetrace.rst.
Tested by ``tests/unit/vm/test_tracing.py``; with a boot, by hand so far.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reconix.base.errors import ReconixError

_BUFFER_MIB = 32
PARAMETERS = (
    "trace_event=sched:sched_process_exec",  # else the buffer has one page until somebody logs in
    f"trace_buf_size={_BUFFER_MIB}M",
    "kprobe_event=p:asked,do_filp_open,path=+0(+0($arg2)):string",
)
"""For the command line of the kernel."""
MOUNT = "/sys/kernel/tracing"
READ = f"test -e {MOUNT}/trace || mount -t tracefs tracefs {MOUNT}; cat {MOUNT}/trace"
"""What to run on the device, in a shell."""
_WRITTEN = re.compile(r"(?m)^# entries-in-buffer/entries-written: (\d+)/(\d+)")
_BEGIN = re.compile(r".*: sched_process_exec: filename=\S*/systemd pid=1 ")
"""The first process becomes systemd. A trace calls all that it did before by its last name, too."""
_LINE = re.compile(r'^ *(?P<task>.+)-(?P<pid>\d+) .*: asked: \([^)]*\) path="(?P<path>.*)"$')


class TraceIncomplete(ReconixError):
    """The kernel wrote down more than it had room for, or nothing at all."""

    exit_code = 41


class Asked(NamedTuple):
    """A path that somebody asked for."""

    path: str
    task: str


def parse_trace(content: bytes) -> list[Asked]:
    """What was asked for, each path of each program once, in order.

    Raises:
        TraceIncomplete: the beginning is gone, or there was no probe.
    """
    text = content.decode(errors="replace")
    kept = _WRITTEN.search(text)
    if kept is None or not int(kept[2]):
        raise TraceIncomplete(
            "the kernel of the device has written down nothing",
            hint="it needs systemd-boot of systemd 254 or later, and CONFIG_KPROBE_EVENTS",
        )
    if int(kept[1]) < int(kept[2]):
        raise TraceIncomplete(
            f"of {kept[2]} events the kernel has kept {kept[1]}",
            hint=f"{_BUFFER_MIB} MiB are too few for this system: start fewer services",
        )
    return list(dict.fromkeys(_asked(text)))


def _asked(text: str) -> Iterator[Asked]:
    """Of the system, after the initrd."""
    is_system = False
    for line in text.splitlines():
        is_system = is_system or _BEGIN.match(line) is not None
        found = _LINE.match(line) if is_system else None
        if found is not None:
            yield Asked(found["path"], found["task"])
