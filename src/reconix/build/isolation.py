"""Isolation: where programs of packages run while a root is made, whoever builds.

Maintainer scripts are untrusted programs. What they see must be the same everywhere, and a build
needs no network. So they run in namespaces of their own:

    network   no interface but a loopback that is down, and none of the abstract sockets outside
    name      the host name is always ``localhost``
    mounts    a ``/sys`` of this network; an empty ``/run``, where services have their sockets
    processes no other process is seen, and none can be entered (``mmdebstrap`` makes this one)
    user      for an ordinary user: root inside is one of the IDs outside that ``/etc/subuid``
              grants, and so not even the user who builds

Only root can do without the last one, and then a script that means it can leave the others: it *is*
root. Build as an ordinary user if you do not trust what you install.

Programs of another architecture need a user namespace in any case, for the rule that has them
executed (``build/emulation.py``). There root inside is root outside, and every ID is itself; root
writes that map directly, as no entry of ``/etc/subuid`` is needed for what one has.

Source: unshare(1) of util-linux 2.38, network_namespaces(7), user_namespaces(7), unix(7).
Tested by ``tests/compat/test_isolation.py``, with scripts that look around, as root and as a user.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.process import CommandFailed

_ALONE = """\
mount -t sysfs sysfs /sys 2>/dev/null || mount -t tmpfs tmpfs /sys || exit
mount -t tmpfs tmpfs /run || exit
exec "$@"
"""
"""A container may forbid a new ``/sys``; then there is none."""

_EVERY_ID = """\
map() { sed -E 's/^ *([0-9]+) +[0-9]+/\\1 \\1/' "/proc/self/$1" > "/proc/$$/$1"; }
outside=$(readlink /proc/$$/ns/user)
( ( while test "$(readlink /proc/$$/ns/user)" = "$outside"; do sleep 0.01 || exit; done
map gid_map && map uid_map ) < /dev/null > /dev/null & )
exec unshare --user "$@"
"""
"""As root: in a user namespace in which all IDs are the same. It can be mapped only from outside,
and only when it is there; ``$$`` is this process, before and after ``exec``."""

_WHEN_MAPPED = """\
left=500
until grep -q . /proc/self/uid_map; do
    left=$((left - 1)); test $left -gt 0 && sleep 0.01 || exit 1
done
exec "$@"
"""

_STRANGER = ("unshare", "--user", "--map-auto", "--setuid=0", "--setgid=0")
_BESIDE_HIM = ("unshare", "--user", "--map-auto", "--map-root-user")


_CHECK_SECONDS = 30.0


class NotIsolated(ReconixError):
    """This user may not make the namespaces that a build needs."""

    exit_code = 60


def is_root() -> bool:
    """Whether an ordinary user builds, or root."""
    return os.geteuid() == 0


def isolated(words: Sequence[str], rule: Sequence[str] = ()) -> list[str]:
    """The command that runs another one cut off, as root of its own.

    Args:
        words: the other command.
        rule: the words before it that let it run programs of another architecture, if it does.
    """
    alone = [*rule, "sh", "-c", _ALONE, "sh", *words]
    cut_off = ("--net", "--uts", "--mount", "--")
    if not is_root():
        return [*_STRANGER, *cut_off, *alone]
    if not rule:
        return ["unshare", *cut_off, *alone]
    return ["sh", "-c", _EVERY_ID, "sh", *cut_off, "sh", "-c", _WHEN_MAPPED, "sh", *alone]


def without_network(words: Sequence[str], rule: Sequence[str] = ()) -> list[str]:
    """The command that runs another one, as root of its own if it is not root or has a rule."""
    who = ("--user", "--map-root-user") if rule or not is_root() else ()
    return ["unshare", *who, "--net", *(("--mount",) if rule else ()), "--", *rule, *words]


def check() -> None:
    """See that what is not trusted can be run cut off here, before there is something to run.

    Raises:
        NotIsolated: it cannot.
    """
    try:
        process.run(*isolated(("true",)), timeout_seconds=_CHECK_SECONDS)
    except CommandFailed as error:
        raise _not_isolated(error) from error


def make_room(folder: Path) -> None:
    """Make a folder in which what runs ``isolated`` may write.

    Raises:
        NotIsolated: there can be no such folder.
    """
    folder.mkdir()
    if is_root():
        return
    try:
        process.run(*_BESIDE_HIM, "chown", "1:1", folder)
    except CommandFailed as error:
        raise _not_isolated(error) from error


def _not_isolated(error: CommandFailed) -> NotIsolated:
    """What keeps packages from being installed cut off, and what to do about it."""
    if is_root():
        hint = "root makes namespaces for it: does a container forbid unshare(2) or mount(2)?"
    else:
        hint = "an ordinary user needs newuidmap (apt install uidmap) and a range in /etc/subuid"
    return NotIsolated(
        f"cannot install packages in isolation: {error}",
        hint=f"{hint}; `reconix doctor` looks closer",
    )


def remove_room(folder: Path) -> None:
    """Remove such a folder, and what was left in it by strangers."""
    if not is_root() and folder.is_dir():
        process.run(*_BESIDE_HIM, "rm", "--recursive", "--force", "--one-file-system", folder)
    remove_tree(folder)
