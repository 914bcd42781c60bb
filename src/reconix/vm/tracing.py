"""What programs of a guest asked for: every path that something looked for, in every start of it.

The kernel writes it down itself, from its first process on, because its command line says so. The
probe is at ``terminate_walk``, where each search for a path ends: to open or execute a file or only
to ask about it, as a shell does for a command, whether it is there or not. So the device needs no
program for it, and is not changed by being watched. A guest that is watched stands still where it
would restart or end, and what the kernel wrote down is taken out of its memory
(``trace_pages.py``); so trials, starts that hang, and the way down are seen to their last moment.

A path alone says little: in a container ``/etc/passwd`` is another one. So each comes with the root
that the process has, by device and inode. The root of the first process is that of a system;
services in name spaces of their own have the same one, containers and the initrd have others.
Which system a root is says the link ``/nix/system`` that is made with it, just before the first
process begins to use it, at a start as at a soft reboot.

Source: Linux, Documentation/admin-guide/kernel-parameters.txt, *kprobe_event*, *trace_buf_size*;
Documentation/trace/kprobetrace.rst, *BTF arguments*.
Tested by ``tests/unit/vm/test_tracing.py``; with a whole life of a device, by hand so far:
``examples/demo.py --minify --trace``.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.vm.trace_pages import Event, Linked, Root, Taken

BUFFER_MIB = 64
"""For what a kernel writes down between two restarts; the guest has as much memory more."""
_HEADS_PAGES = 2
_LOOKED = (
    "p:looked,terminate_walk,path=+0(nd->name->name):string,task=$comm,"
    "device=nd->root.dentry->d_sb->s_dev:u32,inode=nd->root.dentry->d_inode->i_ino:u64"
)
_LINKED = "p:linked,vfs_symlink,target=+0(oldname):string,name=+0(dentry->d_name.name):string"
PARAMETERS = (
    "trace_event=sched:sched_process_exec",  # else the buffer has one page until somebody looks
    f"trace_buf_size={BUFFER_MIB}M",
    f"kprobe_event={_LOOKED};{_LINKED}",
)
"""For the command line of the kernel."""
_MARK = "system"
_SYSTEM = re.compile(r"/nix/store/[^/]+-system-[^/]+")
_FIRST = 1


class TraceIncomplete(ReconixError):
    """The kernel wrote down more than it had room for, or nothing at all."""

    exit_code = 41


class Asked(NamedTuple):
    """A path that somebody asked for."""

    path: str
    task: str


class AskedIn(NamedTuple):
    """A path that somebody asked for, and where.

    Attributes:
        system: the toplevel whose root it is; empty in a container and in the initrd.
        asked: the path and who.
    """

    system: str
    asked: Asked


def whole(taken: Taken) -> list[Event]:
    """What one start of a kernel wrote down, if that is all.

    Raises:
        TraceIncomplete: the beginning is gone, or there was no probe.
    """
    if not taken.events:
        raise TraceIncomplete(
            "the kernel of the device has written down nothing",
            hint="it needs systemd-boot of systemd 254 or later, and Linux 6.12 with BTF",
        )
    if taken.pages >= (BUFFER_MIB << 20 >> 12) - _HEADS_PAGES:
        raise TraceIncomplete(
            f"the kernel of the device wrote down more than the {BUFFER_MIB} MiB it has for that",
            hint="restart it more often, or let it do less",
        )
    return taken.events


def by_system(events: Iterable[Event]) -> Iterator[AskedIn]:
    """What was asked for in one start of a kernel, each path of each program once in a system.

    Names relative to an open folder are left out: nothing says which folder that was.
    """
    return iter(dict.fromkeys(_in_roots(events)))


def _in_roots(events: Iterable[Event]) -> Iterator[AskedIn]:
    runs: Root | None = None
    system = comes = ""
    for event in events:
        if isinstance(event, Linked):
            comes = event.target if _is_mark(event) else comes
        elif event.path.startswith("/"):
            if event.process == _FIRST:
                system, comes = (comes, "") if comes and event.root != runs else (system, comes)
                runs = event.root
            asked = Asked(event.path, event.task)
            yield AskedIn(system if event.root == runs else "", asked)


def _is_mark(event: Linked) -> bool:
    return event.name == _MARK and _SYSTEM.fullmatch(event.target) is not None
