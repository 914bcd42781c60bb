"""What `reconix run --trace` does: start a device, and tell what it asked for that minify took.

Tested by ``tests/unit/cli/test_run_trace.py``; with a boot, by hand so far.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconix.base import progress
from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError, UsageError
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import read_reasons
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.words import counted
from reconix.composition.asked_for import Missed, Watched
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project import virtual_device
from reconix.project.workplace import NotBuilt, Workplace
from reconix.store.paths import StorePath
from reconix.vm import tracing
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Accelerator, Guest
from reconix.vm.tracing import Asked

_ASKED_FOR = 62
_READ_SECONDS = 300.0
_INIT = re.compile(r"(?:^|\s)init=(\S+)/init(?:\s|$)")
_SETTLED = "systemctl is-system-running --wait || true"


class NotMinified(ReconixError):
    """A system has nothing that could be missed."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What a start has shown.

    Attributes:
        system: its toplevel.
        asked: how many paths were asked for.
        missed: those that went.
        unexpected: those of them that no sentence is about.
    """

    system: str
    asked: int
    missed: Sequence[Missed]
    unexpected: Sequence[Missed]

    def lines(self) -> Iterator[str]:
        """As text."""
        asked, went = counted(self.asked, "path"), len(self.missed)
        yield f"{self.system}: asked for {asked}; {went} went, {len(self.unexpected)} unexpected"
        for each in self.unexpected:
            keep = f'minify.keep = ["/{each.path}"]'
            yield f"  /{each.path} was asked for by {each.task}; {each.because.how}; {keep}"

    def document(self) -> JsonInput:
        """For programs."""
        return {
            "system": self.system,
            "asked": self.asked,
            "missed": [
                {
                    "path": f"/{each.path}",
                    "by": each.task,
                    "rule": each.because.by or None,
                    "because": each.because.how,
                    "expected": each not in self.unexpected,
                }
                for each in self.missed
            ],
        }


def run(
    arguments: argparse.Namespace,
    host: Host,
    workplace: Workplace,
    guest: Guest,
    accelerator: Accelerator,
) -> int:
    """Start the device, and tell."""
    login = _login(host)
    traced = replace(guest, parameters=tracing.PARAMETERS)
    with running(traced, workplace.vm, accelerator) as device:
        with progress.stage(f"start {host.name}"):
            device.wait_for_ssh(login, seconds=BOOT_SECONDS)
            device.ssh(login, "sh", "-c", _SETTLED, seconds=BOOT_SECONDS)
        toplevel = _toplevel(device, login)
        read = device.ssh(login, "sh", "-c", tracing.READ, seconds=_READ_SECONDS)
    asked = tracing.parse_trace(read)
    with ChrootStore(places.store(arguments)) as store:
        found = _compare(store, host, toplevel, asked)
    answer(arguments, text="\n".join(found.lines()), document=found.document())
    return _ASKED_FOR if found.unexpected else 0


def _login(host: Host) -> Login:
    key = virtual_device.secret_key(host)
    if key is None:
        raise UsageError(
            f"cannot log in to {host.name}, so nobody could read what was traced",
            hint="name a public key in users.root.authorized_keys_files, its secret half beside it",
        )
    return Login(key)


def _toplevel(device: Machine, login: Login) -> StorePath:
    said = _INIT.search(device.ssh(login, "cat", "/proc/cmdline").decode())
    if said is None:
        raise NotMinified("the device runs no system of ours: its kernel has no init=")
    return StorePath.parse(said[1])


def _compare(store: ChrootStore, host: Host, toplevel: StorePath, asked: Sequence[Asked]) -> Found:
    if not store.is_valid(toplevel):
        raise NotBuilt(f"{toplevel} is not in the build store", hint="start it again with --fresh")
    parts = ToplevelParts.read(store, toplevel)
    origin = Origin.of(store, parts.root) if parts is not None else None
    if origin is None:
        raise NotMinified(
            f"{toplevel.name} is not minified, so nothing that it asks for went",
            hint="systems that Nix builds are left alone" if parts is None else "",
        )
    without = host.systems[name].minify.without if (name := _name(host, toplevel)) else {}
    reasons = read_reasons(store.path(origin.reasons))
    watched = Watched(store.path(origin.root), reasons, frozenset(without))
    missed = watched.missed(asked)
    return Found(toplevel.name, len(asked), missed, watched.unexpected(missed))


def _name(host: Host, toplevel: StorePath) -> str:
    name = toplevel.name.removeprefix("system-")
    return name if name in host.systems else ""
