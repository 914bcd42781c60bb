"""What hangs or panics in its trial ends in the old generation, and the reason is known.

Three generations that differ from a good one in one link each are tried on a device with an
emulated hardware watchdog, one after the other:

* the script of the initrd reads from a console on which nobody types;
* in place of systemd a program starts that waits for ever and feeds no watchdog;
* in place of systemd a program starts that ends, and the kernel panics.

Another one asks for what minify is said to have taken; with ``minify.strict`` that is a reason.

At last everything that the device kept is reset (``data`` is mounted and renamed for real).
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.vm import missing
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, Project

from reconix.base.clock import turns
from reconix.base.documents import Fields
from reconix.base.process import CommandFailed
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot
from reconix.build.generation import add_generation, read_system
from reconix.config.load import load
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.sending import send
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest
from reconix.vm.timeouts import scaled

Need = Callable[..., None]
PROGRAMS = ("mmdebstrap", "qemu-system-x86_64", "ssh")
WITH_WATCHDOG = f"""\
{MACHINE}{KEEPS_HOST_KEY}
[watchdog]
modules = ["i6300esb"]
timeout = "20s"
"""

HANGS_IN_INITRD: Mapping[str, Node] = {"persist": Symlink("/dev/console")}
HANGS_AFTER_IT: Mapping[str, Node] = {"init": Symlink("/usr/bin/cat")}
PANICS: Mapping[str, Node] = {"init": Symlink("/usr/bin/true")}


@dataclass(frozen=True)
class Box:
    """A running device, what it is fed from, and how to reach it."""

    project: Project
    base: StorePath
    machine: Machine
    login: Login

    def run(self, *words: str, stdin: bytes | None = None) -> bytes:
        """Run a command; nothing comes back if the connection ends, because the device restarts."""
        try:
            return self.machine.ssh(self.login, *words, stdin=stdin)
        except CommandFailed as error:
            assert error.status == 255, error
            return b""

    def answer(self, *words: str) -> bytes:
        """What a command says, as soon as the device is there to run it."""
        for _ in turns(0.5, seconds=scaled(BOOT_SECONDS)):
            if said := self.run(*words):
                return said
            self.machine.wait_for_ssh(self.login, seconds=BOOT_SECONDS)
        raise AssertionError("the device does not come back")

    def status(self) -> Fields:
        return Fields.parse(self.answer("reconix-device", "status", "--json"), source="status")

    def broken(self, changes: Mapping[str, Node]) -> StorePath:
        """A generation whose only system differs from the good one in these files."""
        with ChrootStore(self.project.store) as store:
            generation = read_generation(store.store_dir, self.base)
            good = generation.system("default").toplevel
            nodes = {path.name: node(path) for path in store.path(good).iterdir()}
            made = store.add_files(
                folder({**nodes, **changes}), good.name, set(store.closure(good)) - {good}
            )
            host = load(self.project.folder).hosts["box"]
            program = store.path(generation.boot) / Program.AMD64.value
            loader = SystemdBoot(Program.AMD64, program.read_bytes())
            return add_generation(store, host, [read_system(store, "default", made)], loader)

    def send(self, target: StorePath) -> None:
        """Send a generation, which is tried at once."""
        stream = io.BytesIO()
        with ChrootStore(self.project.store) as store:
            send.create(store, [self.base], target, stream.write)
        self.status()  # from here on it is there to receive
        self.run("reconix-device", "receive", stdin=stream.getvalue())

    def keep(self, target: StorePath) -> None:
        """Send a generation and wait until it is kept."""
        self.send(target)
        for _ in turns(2, seconds=scaled(2 * BOOT_SECONDS)):
            if self.status().object("committed").text("generation") == str(target):
                return
        raise AssertionError("it is not kept")

    def try_out(self, target: StorePath) -> Fields:
        """Send a generation and give its verdict, when the device is back."""
        self.send(target)
        for _ in turns(2, seconds=scaled(2 * BOOT_SECONDS)):
            status = self.status()
            assert status.object("committed").text("generation") == str(self.base)
            if status.has("last") and status.object("last").text("generation") == str(target):
                assert status.object("last").text("result") == "fell-back"
                return status.object("last").object("verdict")
        raise AssertionError("the trial has no end")


def node(path: Path) -> Node:
    if path.is_symlink():
        return Symlink(str(path.readlink()))
    if path.is_dir():
        return folder({below.name: node(below) for below in path.iterdir()})
    return File(path.read_bytes())


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    project = Project.make(tmp_path_factory.mktemp("project"), WITH_WATCHDOG)
    project.reconix("lock")
    project.reconix("build")
    with booted(project) as box:
        yield box


@contextlib.contextmanager
def booted(
    project: Project, *, is_protected: bool = False, clock: str | None = None
) -> Iterator[Box]:
    """The device of a project, from a new image; its firmware may keep nothing, its clock lie."""
    image = project.reconix("image")
    place = project.folder / "vm"
    place.mkdir()
    overlay(Path(image.text("image")), place / "disk.qcow2")
    guest = Guest(
        replace(firmware.prepare(place / "variables"), is_protected=is_protected),
        disks=(Disk(place / "disk.qcow2", DiskFormat.QCOW2),),
        forwards=(Forward(22, 0),),
        watchdog=True,
        clock=clock,
    )
    with running(guest, place, accelerator.choose(place / "accelerator")) as machine:
        base = StorePath.parse(image.text("generation"))
        yield Box(project, base, machine, Login(project.folder / "key"))


@pytest.fixture(autouse=True)
def _programs(need: Need) -> None:
    need(*PROGRAMS)


@pytest.mark.vm
@pytest.mark.archive
def test_b5_r5_a_hang_before_and_after_the_initrd_is_ended_by_the_watchdog(box: Box) -> None:
    for changes in (HANGS_IN_INITRD, HANGS_AFTER_IT):
        assert box.try_out(box.broken(changes)).text("reason") == "hang"


@pytest.mark.vm
@pytest.mark.archive
def test_b5_a_panic_is_told_with_the_last_words_of_the_kernel(box: Box) -> None:
    verdict = box.try_out(box.broken(PANICS))
    assert verdict.text("reason") == "panic"
    assert "Attempted to kill init" in verdict.text("said")


@pytest.mark.vm
@pytest.mark.archive
def test_what_is_asked_for_and_went_is_a_reason_if_minify_is_strict(box: Box) -> None:
    verdict = box.try_out(box.broken(missing.asking(strict=True)))
    assert verdict.text("what") == "nothing is asked for that minify took"
    assert f"{missing.STARTED} was asked for by bash ({missing.UNIT})" in verdict.text("said")
    assert missing.was_missed(box.status())


@pytest.mark.vm
@pytest.mark.archive
def test_p10_a_reset_forgets_what_was_kept_and_nothing_else(box: Box) -> None:
    before = box.answer("cat", "/etc/machine-id")
    box.run("reconix-device", "reset")
    for _ in turns(1, seconds=scaled(BOOT_SECONDS)):
        if box.answer("cat", "/etc/machine-id") != before:
            break
    assert box.answer("cat", "/etc/machine-id") != before
    assert box.status().object("committed").text("generation") == str(box.base)
    assert box.status().items("faults") == []
