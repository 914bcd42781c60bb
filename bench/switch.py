"""How long the device does without its service when another system takes over.

Boots a disk image of `examples/gateway` in QEMU and changes from the default system to `mqtt`: by a
soft reboot and by a full restart, in turns, each so often. A time begins with the command on the
device and ends when the broker answers a client with CONNACK. Bar: the soft reboot takes at most
0.4 times as long.

    bench/switch.py IMAGE KEY [--rounds N]
"""

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from reconix.base.process import CommandFailed
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

BAR = 0.4
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench"
"""MQTT 3.1.1, section 3.1: a clean session of a client that is called *bench*."""
CONNACK = b"\x20\x02\x00\x00"
WAYS = {"soft": ("--now",), "full": ("--now", "--full")}


def main() -> int:
    """Measure, print, and compare with the bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(arguments.image, Login(arguments.key), Path(folder), arguments.rounds)
    for way, seconds in times.items():
        each = " ".join(f"{value:.1f}" for value in seconds)
        print(f"{way}: {statistics.median(seconds):.1f} s to CONNACK (of {each})")
    ratio = statistics.median(times["soft"]) / statistics.median(times["full"])
    print(f"soft / full = {ratio:.2f}, bar {BAR}")
    return 0 if ratio <= BAR else 1


def measure(image: Path, login: Login, folder: Path, rounds: int) -> dict[str, list[float]]:
    """The seconds of each way."""
    overlay(image.absolute(), folder / "disk.qcow2")
    guest = Guest(
        firmware.prepare(folder / "variables"),
        disks=(Disk(folder / "disk.qcow2", DiskFormat.QCOW2),),
        forwards=(Forward(22), Forward(1883)),
    )
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with running(guest, folder, accelerator.choose(folder / "accelerator")) as machine:
        wait_for(machine, login, "default")
        for _ in range(rounds):
            for way, words in WAYS.items():
                times[way].append(change(machine, login, words))
                print(f"{way}: {times[way][-1]:.1f} s", flush=True)
                wait_for(machine, login, "mqtt")
                ask(machine, login, "reconix-device", "boot", "default", "--now")
                wait_for(machine, login, "default")
    return times


def change(machine: Machine, login: Login, words: tuple[str, ...]) -> float:
    """Change to the broker's system; the seconds until the broker answers."""
    begin = time.monotonic()
    ask(machine, login, "reconix-device", "boot", "mqtt", *words)
    while not answers(machine.port(1883)):
        if time.monotonic() - begin > BOOT_SECONDS:
            raise TimeoutError("the broker does not answer")
        time.sleep(0.1)
    return time.monotonic() - begin


def answers(port: int) -> bool:
    """Whether the broker takes a client."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
        client.settimeout(5)
        client.sendall(CONNECT)
        return client.recv(4) == CONNACK
    return False


def ask(machine: Machine, login: Login, *words: str) -> None:
    """Run a command that may end the connection before it ends itself."""
    with contextlib.suppress(CommandFailed):
        machine.ssh(login, *words)


def wait_for(machine: Machine, login: Login, system: str) -> None:
    """Wait until a system runs and rests: all of it has started and its health is known."""
    deadline = time.monotonic() + BOOT_SECONDS
    rests = f"grep -qx SYSTEM={system} /run/reconix/booted && ! systemctl is-active reconix-watch"
    while time.monotonic() < deadline:
        with contextlib.suppress(CommandFailed):
            machine.ssh(login, "sh", "-c", f"{rests} && systemctl is-system-running --wait")
            return
        time.sleep(0.5)
    raise TimeoutError(f"{system} does not run, see {machine.console.log}")


if __name__ == "__main__":
    sys.exit(main())
