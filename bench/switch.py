"""How long the device does without its service when another system takes over.

Boots a disk image of `examples/gateway` in QEMU and changes from the default system to `mqtt`: by a
soft reboot and by a full restart, in turns, each so often. A time begins when the device has taken
the command, just before it starts its agent, so logging in is no part of it; it ends when the
broker answers a client with CONNACK. Bar: the soft reboot takes at most 0.4 times as long.

An emulated device computes nearly all of that time, so on a computer that has other work the
seconds say how busy that was. Beside them are those that processors have worked for the device.

Only one failure is part of the matter: the end of the connection, once the agent has said that the
other system follows. Any other ends the benchmark, with what was said. For each change there is
what the system that came says of its start; if it does not come, then the end of the console, and
what the device says if one can still log in.

    bench/switch.py [--image FILE --key FILE] [--rounds N] [--ways WAY,…] [--logs DIR]

Without an image the example is locked and built, once, in the user's cache folder.
"""

import argparse
import contextlib
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed, run, start
from reconix.cli import places
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.login import Login, ssh_words
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

BAR = 0.4
EXAMPLE = Path(__file__).parents[1] / "examples/gateway"
RECONIX = Path(sys.executable).with_name("reconix")
BROKER = 1883
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench"
"""MQTT 3.1.1, section 3.1: a clean session of a client that is called *bench*."""
CONNACK = b"\x20\x02\x00\x00"
WAYS = {"soft": ("--now",), "full": ("--now", "--full")}
FOLLOWS = {"soft": b"system mqtt takes over", "full": b"the next boot starts system mqtt"}
TAKEN = b"taken"
DISCONNECTED = 255  # ssh: exits with the command's status, or 255 if an error occurred

FACTS = {
    "status.json": "reconix-device status --json",
    "chain.txt": "systemd-analyze critical-chain --no-pager; systemd-analyze blame --no-pager",
    "journal.txt": "journalctl --boot --output=short-monotonic --no-pager",
}
"""What is asked of a device after each change, and when it does not come."""

_CLIENTS = 8
_BETWEEN_CLIENTS_SECONDS = 0.5
_PAUSE_SECONDS = 0.1
_SHOWN_BYTES = 4096


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds: of the clock, and of processors that worked for QEMU."""

    seconds: float
    processor: float

    @classmethod
    def so_far(cls, machine: Machine) -> "Cost":
        """What everything until now took."""
        return cls(time.monotonic(), machine.processor_seconds())

    def since(self, begin: "Cost") -> "Cost":
        """What came after ``begin``."""
        return Cost(self.seconds - begin.seconds, self.processor - begin.processor)

    @classmethod
    def median(cls, costs: list["Cost"]) -> "Cost":
        """Of each kind of second."""
        return cls(
            statistics.median(cost.seconds for cost in costs),
            statistics.median(cost.processor for cost in costs),
        )

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s (processor {self.processor:.1f} s)"


class NotChanged(ReconixError):
    """The device did not do what it was told."""


def main() -> int:
    """Measure, print, and compare with the bar."""
    arguments = _parse()
    logs = arguments.logs or Path(tempfile.mkdtemp(prefix="reconix-switch-"))
    logs.mkdir(parents=True, exist_ok=True)
    print(f"what the device says: {logs}", flush=True)
    times: dict[str, list[Cost]] = {way: [] for way in arguments.ways.split(",")}
    image, key = arguments.image, arguments.key
    if image is None or key is None:
        image, key = example(places.cache_home() / "bench-switch")
    with device(image, Login(key), logs) as gateway:
        for number in range(1, arguments.rounds + 1):
            for way, costs in times.items():
                costs.append(there_and_back(gateway, way, number))
                print(f"{way} {number}: {costs[-1]}", flush=True)
    return _compare(times)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--image", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS), help="[%(default)s]")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="[a new folder]")
    return parser.parse_args()


def example(folder: Path, *, settings: str = "", store: Path | None = None) -> tuple[Path, Path]:
    """The disk image of `examples/gateway`, and the key with which root logs in.

    Args:
        folder: where both are, or will be.
        settings: lines for the end of its ``machine.toml``.
        store: in which it is built, if it has none of its own.
    """
    files, image = folder / "project", folder / "gateway.img"
    key = files / "keys/operator"
    if not image.exists():
        shutil.rmtree(files, ignore_errors=True)
        shutil.copytree(EXAMPLE, files)
        with (files / "hosts/gateway/machine.toml").open("a") as machine:
            machine.write(settings)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", key)
        ours = (RECONIX, "--project", files, "--store", store or folder / "store")
        for words in (("lock",), ("build",), ("image", "--output", image)):
            run(*ours, *words)
    return image, key


def _compare(times: dict[str, list[Cost]]) -> int:
    medians = {way: Cost.median(costs) for way, costs in times.items()}
    for way, median in medians.items():
        print(f"{way}: {median} to CONNACK, the median of {len(times[way])}")
    if medians.keys() != WAYS.keys():
        return 0
    soft, full = medians["soft"], medians["full"]
    ratio = soft.seconds / full.seconds
    print(f"soft / full = {ratio:.2f} (processor {soft.processor / full.processor:.2f}), bar {BAR}")
    return 0 if ratio <= BAR else 1


@dataclass(frozen=True)
class Gateway:
    """The device, how one logs in, and where is written what it says."""

    machine: Machine
    login: Login
    logs: Path

    def tell_facts(self, name: str) -> None:
        """Write down what the device says of itself."""
        for fact, line in FACTS.items():
            said = self.machine.ssh(self.login, "sh", "-c", line)
            (self.logs / f"{name}-{fact}").write_bytes(said)

    def failed(self, name: str, problem: str) -> NotChanged:
        """The error for a change that has failed, with all that can be found out about it."""
        try:
            self.tell_facts(name)
            problem += f"; see {self.logs}/{name}-*"
        except CommandFailed as error:
            problem += f"; nor does it say why: {error}"
        console = self.machine.console.log.read_bytes()[-_SHOWN_BYTES:]
        return NotChanged(f"{name}: {problem}; its console:\n{console.decode(errors='replace')}")


@contextlib.contextmanager
def device(image: Path, login: Login, logs: Path) -> Iterator[Gateway]:
    """Switch the device on, and wait until its default system rests."""
    with switched_on(image, logs, 22, BROKER) as machine:
        gateway = Gateway(machine, login, logs)
        wait_for(gateway, "default", "start")
        yield gateway


@contextlib.contextmanager
def switched_on(image: Path, logs: Path, *ports: int) -> Iterator[Machine]:
    """A new device with this disk, from the moment that it has power."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        overlay(image.absolute(), folder / "disk.qcow2")
        guest = Guest(
            firmware.prepare(folder / "variables"),
            disks=(Disk(folder / "disk.qcow2", DiskFormat.QCOW2),),
            forwards=tuple(Forward(port) for port in ports),
        )
        with running(guest, logs, accelerator.choose(folder / "accelerator")) as machine:
            yield machine


def there_and_back(gateway: Gateway, way: str, number: int) -> Cost:
    """Change to the broker's system in a way, and back; what it took until the broker answered."""
    name = f"{way}-{number}"
    with told(gateway, name, FOLLOWS[way], "boot", "mqtt", *WAYS[way]) as begin:
        if not answers(gateway.machine.port(BROKER)):
            raise gateway.failed(name, f"the broker does not answer in {BOOT_SECONDS:g} s")
        cost = Cost.so_far(gateway.machine).since(begin)
    wait_for(gateway, "mqtt", name)
    gateway.tell_facts(name)
    with told(gateway, f"{name}-back", b"system default takes over", "boot", "default", "--now"):
        pass
    wait_for(gateway, "default", f"{name}-back")
    return cost


@contextlib.contextmanager
def told(gateway: Gateway, name: str, follows: bytes, *words: str) -> Iterator[Cost]:
    """Give a command of the agent, which may end the connection, and go on when it is taken.

    Gives what everything took until the device had it.

    Raises:
        NotChanged: the command has failed, or the connection ended before it was carried out.
    """
    line = f"echo {TAKEN.decode()}; exec reconix-device {' '.join(words)}"
    ssh = ssh_words(gateway.login, gateway.machine.port(22), ("sh", "-c", line))
    log = gateway.logs / f"{name}-command.txt"
    with log.open("wb") as errors:
        child = start(*ssh, stdout=subprocess.PIPE, stderr=errors)
    assert child.stdout is not None
    try:
        taken = child.stdout.readline()
        yield Cost.so_far(gateway.machine)
        said = child.stdout.read()
        status = child.wait()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if taken.strip() != TAKEN or follows not in said or status not in (0, DISCONNECTED):
        complaint = log.read_text(errors="replace")
        raise gateway.failed(name, f"status {status}, it said {taken + said!r} and {complaint!r}")


def answers(port: int) -> bool:
    """Wait until the broker takes a client.

    QEMU takes a connection for a guest that cannot answer yet, and asks it again ever more rarely.
    So a new client comes twice a second, and the oldest goes.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    clients: list[socket.socket] = []
    try:
        while time.monotonic() < deadline:
            clients.append(_client(port))
            ended, _, _ = select.select(clients, [], [], _BETWEEN_CLIENTS_SECONDS)
            if any(_is_taken(client) for client in ended):
                return True
            time.sleep(_PAUSE_SECONDS)
            ended += clients[:-_CLIENTS]
            for client in ended:
                client.close()
            clients = [client for client in clients if client not in ended]
    finally:
        for client in clients:
            client.close()
    return False


def _client(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(CONNECT)
    return client


def _is_taken(client: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        return client.recv(len(CONNACK)) == CONNACK
    return False


def wait_for(gateway: Gateway, system: str, name: str) -> None:
    """Wait until a system runs and rests: all of it has started and its health is known.

    Raises:
        NotChanged: it does not, in its time.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    rests = "systemctl is-system-running --wait && ! systemctl is-active reconix-watch"
    line = f"grep SYSTEM= /run/reconix/booted; grep -qx SYSTEM={system} /run/reconix/booted"
    while True:
        try:
            gateway.machine.ssh(gateway.login, "sh", "-c", f"{line} && {rests}")
            return
        except CommandFailed as error:
            if time.monotonic() > deadline:
                raise gateway.failed(name, f"{system} does not run: {error}") from error
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
