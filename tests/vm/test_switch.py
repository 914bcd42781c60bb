"""Systems take over from one another under the same kernel, again and again, and leave nothing.

Two systems of one package set: the default one, and one that keeps a counter and serves files. The
kernel, systemd and the scripts are the real ones.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconix.base.documents import Fields
from reconix.base.process import CommandFailed, run
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Guest

Need = Callable[..., None]
MACHINE = """\
packages = ["systemd", "systemd-sysv", "udev", "kmod", "iproute2", "dropbear", "python3"]
[boot]
slot_size = "48M"
[disk]
system_size = "768M"
data_size = "16M"
[kernel]
package = "linux-image-cloud-amd64"
parameters = ["console=ttyS0"]
initrd_modules = ["virtio_pci", "virtio_blk"]
[network.lan]
match = "en*"
dhcp = true
[ssh]
enable = true
[persist]
shared = ["/var/lib/dropbear"]
[users.root]
authorized_keys_files = ["../../key.pub"]
"""
WORKER = """\
[units."worker.service"]
text = '''
[Service]
RuntimeDirectory=worker
ExecStartPre=/bin/sh -c 'echo started >> /var/lib/worker/starts; echo x > /run/left-behind'
ExecStart=/usr/bin/python3 -m http.server 8080
[Install]
WantedBy=multi-user.target
'''
[persist]
paths = ["/var/lib/worker"]
[files."tmpfiles.d/worker.conf"]
text = "d /var/lib/worker 0755 root root -"
[health]
checks = [{ unit = "worker.service" }, { tcp = 8080 }]
"""
BROKEN = """\
[health]
timeout = "20s"
checks = [{ tcp = 4444 }]
"""
MOUNTS = "grep -v -e binfmt -e credentials /proc/self/mounts | cut -d ' ' -f 2 | sort"
"""Where something is mounted, but for what comes and goes while a system runs."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    systems = folder / "hosts/box/systems"
    systems.mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "switch-test"\n')
    (folder / "hosts/box/machine.toml").write_text(MACHINE)
    for name, text in (("default", ""), ("worker", WORKER), ("broken", BROKEN)):
        (systems / f"{name}.toml").write_text(text)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
    return folder


def reconix(project: Path, *words: str) -> Fields:
    code = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
    options = ("--project", str(project), "--store", str(project / "store"))
    said = run(sys.executable, "-c", code, *options, *words, "--json", timeout_seconds=900)
    return Fields.parse(said, source="reconix")


class Device:
    """The guest, and how one asks it."""

    def __init__(self, machine: Machine, login: Login) -> None:
        self._machine, self._login = machine, login

    def ask(self, line: str) -> str:
        return self._machine.ssh(self._login, "sh", "-c", line).decode().strip()

    def switch(self, system: str) -> None:
        with contextlib.suppress(CommandFailed):  # the connection may end first
            self.ask(f"reconix-device boot {system} --now")

    def wait_for(self, system: str, *, soft_reboots: int) -> None:
        """Wait until a system runs and has been found healthy."""
        deadline = time.monotonic() + BOOT_SECONDS
        facts = (f"SYSTEM={system}", f"SOFT_REBOOTS={soft_reboots}")
        wanted = " && ".join(f"grep -qx {fact} /run/reconix/booted" for fact in facts)
        rests = "! test -e /run/reconix/switched && systemctl is-active multi-user.target"
        while True:
            try:
                self.ask(f"{wanted} && {rests}")
                return
            except CommandFailed:
                assert time.monotonic() < deadline, f"{system} does not run"
                time.sleep(0.5)

    def status(self) -> Fields:
        return Fields.parse(self.ask("reconix-device status --json").encode(), source="status")


@contextlib.contextmanager
def booted(project: Path, image: Path) -> Iterator[Device]:
    folder = project / "vm"
    folder.mkdir()
    overlay(image, folder / "disk.qcow2")
    guest = Guest(
        firmware.prepare(folder / "variables"),
        disks=(Disk(folder / "disk.qcow2", DiskFormat.QCOW2),),
    )
    with running(guest, folder, accelerator.choose(folder / "accelerator")) as machine:
        device = Device(machine, Login(project / "key"))
        device.wait_for("default", soft_reboots=0)
        yield device


@pytest.mark.vm
@pytest.mark.archive
def test_systems_take_over_under_one_kernel_and_leave_nothing(project: Path, need: Need) -> None:
    need("mmdebstrap", "qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen")
    reconix(project, "lock")
    image = Path(reconix(project, "image").text("image"))
    with booted(project, image) as device:
        boot_id = device.status().object("booted").text("boot_id")
        mounts: dict[str, set[str]] = {"worker": set(), "default": set()}
        for number, system in enumerate(("worker", "default", "worker", "default"), 1):
            device.switch(system)
            device.wait_for(system, soft_reboots=number)
            runs = device.status().object("booted")
            assert (runs.text("system"), runs.number("soft_reboots")) == (system, number)
            assert runs.text("boot_id") == boot_id
            mounts[system].add(device.ask(MOUNTS))
            assert device.ask("ls /run/nextroot | wc -l") == "0"
        assert [len(each) for each in mounts.values()] == [1, 1], "the mounts are always the same"
        assert device.ask("systemctl list-units --all --plain 'worker*'").count("0 loaded") == 1
        assert device.ask("ls /run/left-behind /etc/tmpfiles.d/worker.conf 2>&1 | wc -l") == "2"
        assert device.ask("ls -d /run/left-behind /run/worker 2>/dev/null | wc -l") == "0"
        device.switch("broken")  # which is not healthy: the default system, by a real boot
        device.wait_for("default", soft_reboots=0)
        after = device.status()
        assert after.object("booted").text("boot_id") != boot_id
        assert after.objects("events")[-1].text("event") == "system-unhealthy"
        kept = device.ask("cat /run/reconix/data/systems/worker/var/lib/worker/starts")
        assert kept.split() == ["started", "started"]
