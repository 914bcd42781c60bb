"""P11: the agent is really killed, at each step that reaches the disk or the firmware.

``test_agent_cut.py`` looks at what each step leaves on the disk. Here another process does the work
and sends itself SIGKILL at one of its steps. What it leaves, a lock among it, must not keep the
next one from working.
"""

import signal
import sys
from collections.abc import Callable, Iterator

from tests.cuts import STEPS
from tests.device_model import Machine

from reconix.base.process import CommandFailed, run
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply

WORKER = """\
import os, signal, sys
from pathlib import Path

from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.__main__ import main
from reconix.device.device import Device
from reconix.device.paths import Paths

place, allowed, steps, *words = sys.argv[1:]
left = [int(allowed)]

def counted(real):
    def step(*arguments, **named):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(*arguments, **named)
    return step

for name in steps.split():
    setattr(os, name, counted(getattr(os, name)))
at = Path(place)
names = ("system", "root", "run", "sys", "efivars", "proc", "dev", "data", "disk")
fields = {{"sys": "sysfs"}.get(name, name): at / name for name in names}
paths = Paths(**fields, shared=False)
program = "EFI/BOOT/BOOTX64.EFI"
sys.exit(main(words, Device(paths, Uefi(Variables(paths.efivars), program))))
"""
EVERY = 3
"""Of the steps, each third is killed at; ``test_agent_cut.py`` has all of them."""


def killed_everywhere(machine: Machine, words: Callable[[], list[str]]) -> Iterator[Machine]:
    """A copy of the device for each killing; the last agent came to its end."""
    for allowed in range(0, 400, EVERY):
        copy = machine.copy(machine.place.with_name(f"killed-{allowed}"))
        try:
            run(sys.executable, "-c", WORKER, copy.place, str(allowed), " ".join(STEPS), *words())
            finished = True
        except CommandFailed as error:
            assert error.status == -signal.SIGKILL, error
            finished = False
        copy.check_committed()
        yield copy
        copy.remove()
        if finished:
            assert allowed > EVERY
            return
    raise AssertionError("the work has no end")


def test_p11_a_killed_update_can_be_repeated(machine: Machine) -> None:
    two = str(machine.generations["two"])
    for device in killed_everywhere(machine, lambda: ["apply", two, "--no-reboot"]):
        assert device.selected == 1
        device.finish("two")


def test_p11_a_killed_confirmation_leaves_old_or_new(machine: Machine) -> None:
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    selected = set()
    for device in killed_everywhere(machine, lambda: ["confirm"]):
        selected.add(device.selected)
        device.finish("two")
    assert selected == {1, 2}
