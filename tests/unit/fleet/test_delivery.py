"""``reconix deploy`` and the agent, over a link that is cut: a program in place of ssh runs it."""

import io
import os
import random
import re
import sys
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix import fleet
from reconix.boot.trial import Phase
from reconix.fleet.delivery import Delivery
from reconix.fleet.remote import CutOff, NotReached, Refused, Remote
from reconix.store.tree import File, Node
from reconix.transfer.format.stream import FRAME_BYTES

SOURCE = Path(fleet.__file__).parents[2]
AGENT = """\
import sys
sys.path.insert(0, {source!r})
from pathlib import Path
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.__main__ import main
from reconix.device.device import Device
from reconix.device.paths import Paths

place = Path({place!r})
paths = Paths(system=place / "system", run=place / "run", sysfs=place / "sys",
    efivars=place / "efivars", proc=place / "proc", disk=place / "disk", shared=False,
    root=place / "root", data=place / "data", credentials=place / "credentials")
firmware = Uefi(Variables(paths.efivars), "EFI/BOOT/BOOTX64.EFI")
sys.exit(main(sys.argv[1:], Device(paths, firmware)))
"""
SSH = """\
#!/bin/sh
for command; do :; done
echo "$command" >> {log}
cut=$(head -n 1 {cuts})
case "$command" in *" receive"*)
    if [ "${{cut#altered }}" != "$cut" ]; then
        sed -i 1d {cuts}
        {{ head -c "${{cut#altered }}"; tr a-z b-za; }} |
            {python} {agent} ${{command#reconix-device }}
        exit
    fi
    if [ -n "$cut" ]; then
        sed -i 1d {cuts}
        head -c "$cut" | {python} {agent} ${{command#reconix-device }} >&2
        exit 255
    fi
esac
exec {python} {agent} ${{command#reconix-device }}
"""


OLDEST = ("status --json", "offset --json", "receive", "apply …")
"""What the first agents understand, besides where to go on."""


class Link:
    """A way to a device that is cut after so many bytes, once for each number."""

    def __init__(self, folder: Path, place: Path) -> None:
        self._log, self._cuts = folder / "asked", folder / "cuts"
        agent, program = folder / "agent.py", folder / "ssh"
        agent.write_text(AGENT.format(source=str(SOURCE), place=str(place)))
        names = {"log": self._log, "cuts": self._cuts, "python": sys.executable, "agent": agent}
        program.write_text(SSH.format(**{key: quote(str(it)) for key, it in names.items()}))
        program.chmod(0o755)
        self.cut()

    def cut(self, *after: int) -> None:
        self._cuts.write_text("".join(f"{size}\n" for size in after))

    def alter(self, *after: int) -> None:
        """All that follows so many bytes comes altered, once for each number."""
        self._cuts.write_text("".join(f"altered {size}\n" for size in after))

    def words(self) -> list[str]:
        """All that the agent was asked, without its name."""
        lines = self._log.read_text().splitlines()
        return [line.removeprefix("reconix-device ") for line in lines]

    def asked(self) -> list[str]:
        return [line for line in self.words() if line.startswith("receive")]


@pytest.fixture
def link(machine: Machine, units: Units, tmp_path: Path) -> Link:
    assert os.environ["PATH"].startswith(str(tmp_path / "bin"))
    return Link(tmp_path / "bin", machine.place)


@pytest.fixture
def stream(machine: Machine) -> bytes:
    machine.boot()
    noise: dict[str, Node] = {"large": File(random.Random(3).randbytes(6 * FRAME_BYTES))}
    machine.generation("two", extra=noise)
    return machine.stream("one", "two").getvalue()


def delivery(machine: Machine) -> Delivery:
    remote = Remote("device")
    return Delivery(remote, remote.status(), machine.generations["two"], (0.01, 0.01))


def test_n1_a_deployment_goes_on_where_the_link_was_cut(
    machine: Machine, link: Link, stream: bytes
) -> None:
    link.cut(3 * FRAME_BYTES, FRAME_BYTES + 999)
    sent = delivery(machine).send(io.BytesIO(stream))
    assert machine.generations["two"] in machine.device.installed()
    begins = [int(line.rpartition(" ")[2]) for line in link.asked() if "--resume-at" in line]
    assert len(link.asked()) == 3 and 0 < begins[0] < begins[1]
    assert sent >= len(stream)


def test_n1_a_deployment_goes_on_where_the_link_altered_something(
    machine: Machine, link: Link, stream: bytes
) -> None:
    link.alter(3 * FRAME_BYTES, FRAME_BYTES + 999)
    delivery(machine).send(io.BytesIO(stream))
    assert machine.generations["two"] in machine.device.installed()
    begins = [int(line.rpartition(" ")[2]) for line in link.asked() if "--resume-at" in line]
    assert len(link.asked()) == 3 and 2 * FRAME_BYTES < begins[0] < begins[1]


def test_n1_a_link_that_alters_all_is_given_up(machine: Machine, link: Link, stream: bytes) -> None:
    link.alter(*[2 * FRAME_BYTES] + [0] * 9)
    with pytest.raises(CutOff, match="was altered at byte"):
        delivery(machine).send(io.BytesIO(stream))
    assert len(link.asked()) == 4


def test_n1_a_link_that_brings_nothing_is_given_up(
    machine: Machine, link: Link, stream: bytes
) -> None:
    link.cut(*[10] * 9)
    with pytest.raises(NotReached):
        delivery(machine).send(io.BytesIO(stream))
    assert len(link.asked()) == 3


def test_what_was_received_is_applied_without_being_sent(
    machine: Machine, link: Link, stream: bytes
) -> None:
    delivery(machine).send(io.BytesIO(stream))
    before = link.asked()
    delivery(machine).apply()
    assert link.asked() == before


def test_devices_of_any_age_are_asked_in_words_that_they_know(
    machine: Machine, link: Link, stream: bytes
) -> None:
    """New names of commands are for people: agents in the field have the old ones only."""
    link.cut(3 * FRAME_BYTES)
    delivery(machine).send(io.BytesIO(stream))
    delivery(machine).apply()
    said = {re.sub(r"\d+$|/nix/\S+", "…", line) for line in link.words()}
    assert said == {*OLDEST, "receive --resume-at …"}


def test_a_live_generation_is_only_installed_then_started(
    machine: Machine, link: Link, stream: bytes, units: Units
) -> None:
    link.cut(3 * FRAME_BYTES)
    sent = replace(delivery(machine), is_live=True)
    sent.send(io.BytesIO(stream))
    assert machine.generations["two"] in machine.device.installed()
    assert all("--no-apply" in line for line in link.asked()) and units.calls == []
    with pytest.raises(Refused, match="this cannot run live"):
        sent.go_live()
    assert not sent.is_done and machine.device.recall().phase is Phase.IDLE
