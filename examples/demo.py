"""The whole way once: from text files to a device that updates itself and comes back when it must.

Takes the example `examples/gateway`, locks it, builds it and boots it in QEMU; uses each of its
three systems, one of which takes over without a restart of the kernel; updates it to a second
generation, which it keeps; to a third, in which the web server is broken, and which it leaves by
itself; and to a fourth, whose arrival is interrupted by a power cut. Ends with a table of what it
took. Everything happens in a folder of its own, which is made anew.

    examples/demo.py [--folder DIR] [--minify] [--trace] [--board NAME]

With --minify all systems have only what something in them reaches. With --trace as well the kernel
of the device writes down what is asked for, and nothing that went may be missed. With --board the
device is another one (docs/boards), for example qemu-arm64-uefi; one of another architecture takes
longer.
"""

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import process, progress
from reconix.base.clock import turns
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.sizes import human
from reconix.cli import places
from reconix.cli.progress import listener
from reconix.vm.link import Link, dead_after
from reconix.vm.login import CONNECT_SECONDS, Login, ssh_words
from reconix.vm.machine import BOOT_SECONDS
from reconix.vm.timeouts import scaled

FELL_BACK = 79
RECONIX = Path(sys.executable).with_name("reconix")
ANSWER_SECONDS = 120.0
PROBE_SECONDS = 8
PAUSE_SECONDS = 0.5
CUT_BYTES = 1_100_000
"""Where the link to the device goes dead: after more than it makes durable at once, and before the
end of the stream."""
TRACED = re.compile(r".*^in another terminal:[^\n]*\n", re.DOTALL | re.MULTILINE)
"""What `reconix run --trace` says before it tells what it has seen."""
PORT = re.compile(r"^  (\w+): .*?(?:-p |:)(\d+)", re.MULTILINE)

WHAT_NEXT = """\
What next:
  make a project of your own:  .venv/bin/reconix init ../my-project
  what this one is made of:    {folder}/project/hosts/gateway
  give the room back:          rm -r {folder}"""

MINIFY = """\
[minify]
enable = true
programs = ["ip"]
devices_files = ["modaliases"]

[persist]"""
"""Of iproute2 only one program is meant, and of the kernel's modules those of a virtual device."""

KERNEL = """\
[kernel]
package = "linux-image-cloud-amd64"
parameters = ["console=ttyS0"]
initrd_modules = ["virtio_pci", "virtio_blk"]

"""
"""What a board sets by itself."""

BROKEN = "listen eighty default_server;"
RIGHT = "listen 80 default_server;"


class DemoFailed(ReconixError):
    """Something is not as the demo promises."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the device shall be.

    Attributes:
        minified: whether its systems have only what something in them reaches.
        traced: whether what is asked for is held against what went.
        board: its hardware, if it is not the usual one.
    """

    minified: bool
    traced: bool
    board: str | None

    @property
    def more(self) -> str:
        """Packages for an update with more bytes than are sent before the power is cut."""
        return '"sqlite3", "strace", "tcpdump"' if self.minified else '"strace"'

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Wanted":
        """What the words of the command line ask for."""
        if arguments.trace and not arguments.minify:
            raise DemoFailed("without --minify nothing can be missed", hint="add --minify")
        return cls(arguments.minify, arguments.trace, arguments.board)


@dataclass
class Report:
    """What is shown in the end."""

    began: float = field(default_factory=time.monotonic)
    seconds: list[tuple[str, float]] = field(default_factory=list)
    sizes: list[tuple[str, int]] = field(default_factory=list)

    @contextlib.contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Do a part of the demo under a headline, and note how long it took."""
        print(f"\n=== {what}", flush=True)
        began = time.monotonic()
        yield
        self.seconds.append((what, time.monotonic() - began))

    def table(self) -> str:
        """All of it, in columns."""
        total = time.monotonic() - self.began
        lines = [f"{what:<62} {seconds:>8.1f} s" for what, seconds in self.seconds]
        lines += [f"{'all together':<62} {total:>8.1f} s", ""]
        lines += [f"{what:<58} {human(size):>14}" for what, size in self.sizes]
        return "\n".join(lines)


@dataclass(frozen=True)
class Project:
    """The example in its work folder, and the commands of reconix in it."""

    folder: Path

    @property
    def files(self) -> Path:
        """Where its text files are."""
        return self.folder / "project"

    @property
    def image(self) -> Path:
        """The disk image that is made of it."""
        return self.folder / "gateway.img"

    def places(self) -> list[str]:
        """Where the commands shall work."""
        return ["--project", str(self.files), "--store", str(self.folder / "store")]

    def reconix(self, *words: str, expect: int = 0) -> str:
        """Run a command as a user would; gives what it printed."""
        print(f"$ reconix {' '.join(words)}", flush=True)
        child = process.start(RECONIX, *self.places(), *words, stdout=subprocess.PIPE)
        said, _ = child.communicate()
        if child.returncode != expect:
            raise DemoFailed(f"reconix {words[0]} exited with {child.returncode}, not {expect}")
        return said.decode()

    def answer(self, *words: str) -> dict[str, object]:
        """Run a command for its answer in JSON."""
        found: dict[str, object] = json.loads(self.reconix(*words, "--json"))
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a text file, and show it."""
        path = self.files / name
        text = path.read_text()
        if old not in text:
            raise DemoFailed(f"{path} does not contain {old!r}")
        path.write_text(text.replace(old, new, 1))
        print(f"  {name}: {old!r} → {new!r}")


class Gateway:
    """The device: `reconix run` gives it power, ssh and its ports are the ways to it."""

    def __init__(self, project: Project, *, traced: bool) -> None:
        self.project = project
        self.how = ["--trace", "--follow"] if traced else []
        self.login = Login(project.files / "keys/operator")
        self._ports: dict[str, int] = {}

    @contextlib.contextmanager
    def power(self) -> Iterator[None]:
        """Have the device on; at the end of the block its plug is pulled."""
        console = self.project.folder / "console.log"
        print("$", *("reconix", "run", *self.how), flush=True)
        with console.open("wb") as said:
            words = [*self.project.places(), "run", "--image", str(self.project.image), *self.how]
            child = process.start(RECONIX, *words, stdout=said, stderr=said)
            try:
                self._ports = wait_for_ports(console)
                self.wait_for_login(other_than="")
                yield
            finally:
                child.terminate()
                status = child.wait()
        if self.how:
            print(TRACED.sub("", console.read_text(errors="replace")))
            expect(status == 0, "nothing was asked for that minify took")

    def port(self, name: str) -> int:
        """Where one of its ports is reached, by the name in machine.toml."""
        return self._ports[name]

    def run(self, *words: str, connect_seconds: int = CONNECT_SECONDS) -> str:
        """Run a command on the device."""
        line = ssh_words(self.login, self.port("ssh"), words, connect_seconds=connect_seconds)
        return process.run(*line, timeout_seconds=scaled(ANSWER_SECONDS)).decode()

    def status(self) -> str:
        """What its agent says; shown."""
        print("device$ reconix-device status")
        said = self.run("reconix-device", "status")
        print("".join(f"  {line}\n" for line in said.splitlines()), end="")
        return said

    def rests(self) -> None:
        """Expect that all that was to be started has started."""
        failed = self.run("systemctl", "--failed", "--plain", "--no-legend")
        expect(not failed.strip(), "no unit has failed")

    def switch(self, system: str) -> None:
        """Have another system take over under the same kernel, and wait until that runs."""
        before = self.boot_id()
        self._start(system, "--now")
        expect(self.boot_id() == before, f"the device runs {system}, under the same kernel")

    def boot(self, system: str) -> None:
        """Have it start another system once by a restart, and wait until that runs."""
        before = self.boot_id()
        self._start(system, "--now", "--full")
        expect(self.boot_id() != before, f"the device runs {system}, after a restart")

    def _start(self, system: str, *options: str) -> None:
        print(f"device$ reconix-device boot {system} {' '.join(options)}")
        before = self.start_id()
        with contextlib.suppress(process.CommandFailed):  # the connection may end first
            self.run("reconix-device", "boot", system, *options)
        self.wait_for_login(other_than=before)
        expect(f"system {system}" in self.status(), f"status says {system}")
        self.rests()

    def restart(self) -> None:
        """Restart it without choosing anything."""
        print("device$ systemctl reboot")
        before = self.start_id()
        with contextlib.suppress(process.CommandFailed):
            self.run("systemctl", "reboot")
        self.wait_for_login(other_than=before)

    def boot_id(self) -> str:
        """What tells this start of the kernel from any other."""
        return self.start_id().splitlines()[0]

    def start_id(self) -> str:
        """What tells this start of a system from any other: by the kernel, or under it."""
        # QEMU takes connections for a guest that is not up yet; so each is given little time.
        places = ("/proc/sys/kernel/random/boot_id", "/run/reconix/booted")
        return self.run("cat", *places, connect_seconds=PROBE_SECONDS).strip()

    def wait_for_login(self, *, other_than: str) -> None:
        """Wait until one can log in and the agent knows what runs, if it is not that."""
        for _ in turns(0.5, seconds=scaled(BOOT_SECONDS)):
            with contextlib.suppress(process.CommandFailed):
                if self.start_id() != other_than:
                    return
        raise DemoFailed("the device did not start in time")

    def way(self, link: Link) -> list[str]:
        """How `reconix` reaches it through a link that breaks, as it would any device."""
        options = [*("-o", "StrictHostKeyChecking=no"), *("-o", "UserKnownHostsFile=/dev/null")]
        key = str(self.login.key)
        return ["--to", "root@127.0.0.1", "-p", str(link.port), "-i", key, *options]

    def page(self) -> str:
        """What its web server says."""
        deadline = time.monotonic() + scaled(ANSWER_SECONDS)
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port('http')}/") as answer:
                    text: str = answer.read().decode()
                    return text
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def expect(fact: bool, what: str) -> None:
    """Go on only if it is so."""
    if not fact:
        raise DemoFailed(f"not so: {what}")
    print(f"✓ {what}")


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=places.cache_home() / "demo")
    parser.add_argument("--minify", action="store_true", help="remove what nothing reaches")
    parser.add_argument("--trace", action="store_true", help="tell what of that is missed")
    parser.add_argument("--board", metavar="NAME", help="which hardware the device has")
    arguments = parser.parse_args()
    progress.listen(listener(sys.stderr))
    try:
        print(run_demo(arguments.folder, Wanted.of(arguments)))
    except ReconixError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def run_demo(folder: Path, wanted: Wanted) -> str:
    """The whole way; gives the table."""
    if folder.exists():
        remove_tree(folder)
    folder.mkdir(parents=True)
    report, project = Report(), Project(folder)
    print(f"About ten minutes on two idle cores. All files are in {folder}")
    install(project, report, wanted)
    gateway = Gateway(project, traced=wanted.traced)
    with powered(gateway, report, "boot"):
        use_systems(gateway, report)
        update(gateway, report)
        survive_a_bad_update(gateway, report)
        begin_an_update(gateway, report, wanted.more)
    print("✗ the power is cut, in the middle of receiving generation 4")
    with powered(gateway, report, "boot again"):
        finish_the_update(gateway, report)
    return f"\n{report.table()}\n\n{WHAT_NEXT.format(folder=folder)}"


@contextlib.contextmanager
def powered(gateway: Gateway, report: Report, what: str) -> Iterator[None]:
    """Have the device on; how long it took to start is a stage of its own."""
    with contextlib.ExitStack() as stack:
        with report.stage(what):
            stack.enter_context(gateway.power())
        yield


def wait_for_ports(console: Path) -> dict[str, int]:
    """The ports that `reconix run` says it has forwarded, by name."""
    deadline = time.monotonic() + scaled(ANSWER_SECONDS)
    while time.monotonic() < deadline:
        said = console.read_text(errors="replace")
        if "console:" in said:
            return {name: int(port) for name, port in PORT.findall(said)}
        time.sleep(0.1)
    raise DemoFailed(f"`reconix run` names no ports, see {console}")


def install(project: Project, report: Report, wanted: Wanted) -> None:
    """From text files to a disk image."""
    shutil.copytree(Path(__file__).parent / "gateway", project.files)
    if wanted.minified:
        project.edit("hosts/gateway/machine.toml", "[persist]", MINIFY)
    if wanted.board:
        project.edit("hosts/gateway/machine.toml", KERNEL, "")
        project.edit(
            "hosts/gateway/machine.toml", "packages = [", f'board = "{wanted.board}"\npackages = ['
        )
    key = project.files / "keys/operator"
    process.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", key)
    with report.stage("lock"):
        print(project.reconix("lock"), end="")
    with report.stage("build generation 1: three systems"):
        built = project.answer("build")
    with report.stage("build it again, unchanged"):
        expect(project.answer("build") == built, "the same generation")
    with report.stage("disk image"):
        image = project.answer("image", "--output", str(project.image))
    report.sizes += [
        ("generation 1: installed", int(str(built["installed_size_bytes"]))),
        ("generation 1: boot partition", int(str(built["slot_image_size_bytes"]))),
        ("disk image: used", int(str(image["used_bytes"]))),
    ]


def use_systems(gateway: Gateway, report: Report) -> None:
    """Status; MQTT through the forwarded port; back to the default system."""
    with report.stage("default: log in, status"):
        expect("system default" in gateway.status(), "the default system runs")
        gateway.rests()
        print(gateway.project.reconix("status", "--device"), end="")
        key = gateway.run("sha256sum", "/var/lib/dropbear/ed25519")
    with report.stage("look into it: a shell, the log, a file"):
        look_into(gateway.project)
    with report.stage("mqtt: let it take over once and use it"):
        gateway.switch("mqtt")
        expect(talk_mqtt(gateway) == "21.5", "published and received by a real client")
    with report.stage("default: back by itself"):
        gateway.restart()
        expect("system default" in gateway.status(), "the default system runs again")
        same = gateway.run("sha256sum", "/var/lib/dropbear/ed25519") == key
        expect(same, "the host key is the one of the first boot")


def look_into(project: Project) -> None:
    """The daily loop: what reaches the virtual device without a word about the way."""
    said = project.reconix("shell", "default", "-c", "cat /run/reconix/booted")
    expect("SYSTEM=default" in said, "a shell on the device")
    expect(
        "Linux version" in project.reconix("logs", "--lines", "0"), "its log from the first line"
    )
    sent, came = project.folder / "sent", project.folder / "came"
    sent.write_text("to the device and back\n")
    project.reconix("cp", str(sent), ":/tmp/")
    project.reconix("cp", ":/tmp/sent", str(came))
    expect(came.read_text() == sent.read_text(), "a file went there and came back")


def talk_mqtt(gateway: Gateway) -> str:
    """Publish a value and receive it, with Debian's clients."""
    where = ("-h", "127.0.0.1", "-p", str(gateway.port("mqtt")), "-t", "room/temperature")
    process.run("mosquitto_pub", *where, "-r", "-m", "21.5", timeout_seconds=scaled(ANSWER_SECONDS))
    said = process.run("mosquitto_sub", *where, "-C", "1", timeout_seconds=scaled(ANSWER_SECONDS))
    return said.decode().strip()


def update(gateway: Gateway, report: Report) -> None:
    """A changed page, an added package, a changed setting: tried, checked, kept."""
    project = gateway.project
    with report.stage("web: start it once by a restart and use it"):
        gateway.boot("web")
        expect("<h1>gateway</h1>" in gateway.page(), "the page of generation 1")
    with report.stage("build generation 2: a page, a package, a setting"):
        systems = "hosts/gateway/systems"
        project.edit(f"{systems}/web/index.html", "<h1>gateway</h1>", "<h1>second edition</h1>")
        project.edit(f"{systems}/web.toml", '["nginx"]', '["nginx", "less"]')
        setting = '[sysctl]\n"vm.swappiness" = 10\n\n[persist]'
        project.edit("hosts/gateway/machine.toml", "[persist]", setting)
        print(project.reconix("lock"), end="")
        built = project.answer("build")
    with report.stage("send generation 2, trial, confirm"):
        sent = project.answer("deploy")
        report.sizes.append(("sent for generation 2", int(str(sent["sent_bytes"]))))
        generation = str(built["generation"])
        expect(generation in gateway.status(), "generation 2 is kept")
        page = gateway.page()
        expect("second edition" in page, "the new page")
        expect(generation in page and '"web"' in page, "which names generation and system")
        expect(gateway.run("less", "--version").startswith("less"), "the new package is there")
        swappiness = gateway.run("cat", "/proc/sys/vm/swappiness").strip()
        expect(swappiness == "10", "the setting is made")
        gateway.rests()


def survive_a_bad_update(gateway: Gateway, report: Report) -> None:
    """A generation whose web server cannot start: the device comes back and says why."""
    project = gateway.project
    kept = gateway.status()
    with report.stage("build generation 3: nginx is broken"):
        project.edit("hosts/gateway/systems/web/site.conf", RIGHT, BROKEN)
        built = project.answer("build")
    with report.stage("send generation 3, trial, fall back"):
        project.reconix("deploy", expect=FELL_BACK)
        said = gateway.status()
        committed = [line for line in kept.splitlines() if line.startswith("committed")]
        expect(all(line in said for line in committed), "the device is back at generation 2")
        expect(str(built["generation"]) in said and "nginx.service" in said, "and says why")


def begin_an_update(gateway: Gateway, report: Report, more: str) -> None:
    """Send the next generation through a link that goes dead while bytes are still to come."""
    project = gateway.project
    with report.stage("build generation 4: repaired, more packages"):
        project.edit("hosts/gateway/systems/web/site.conf", BROKEN, RIGHT)
        project.edit("hosts/gateway/systems/web.toml", '"less"]', f'"less", {more}]')
        print(project.reconix("lock"), end="")
        project.answer("build")
    with report.stage("send generation 4"), dead_after(CUT_BYTES, port=gateway.port("ssh")) as link:
        words = [*project.places(), "deploy", *gateway.way(link)]
        print("$ reconix deploy --to root@127.0.0.1 …", flush=True)
        sender = process.start(RECONIX, *words)
        try:
            # However long the sender compares: it ends when it fails, and so does this.
            while not link.is_dead.wait(PAUSE_SECONDS):
                if sender.poll() is not None:
                    raise DemoFailed("all was sent before the link went dead")
            arrived = wait_for_arrival(gateway)
        finally:
            sender.terminate()
            sender.wait()
    report.sizes.append(("sent for generation 4, until the power was cut", CUT_BYTES))
    print(f"  {arrived} bytes are on the device")


def wait_for_arrival(gateway: Gateway) -> int:
    """How much of a stream the device has, as soon as it has anything."""
    deadline = time.monotonic() + scaled(ANSWER_SECONDS)
    while time.monotonic() < deadline:
        arrived = json.loads(gateway.run("reconix-device", "resume-offset", "--json"))
        if arrived["offset"]:
            return int(arrived["offset"])
    raise DemoFailed("nothing has arrived")


def finish_the_update(gateway: Gateway, report: Report) -> None:
    """The same stream again, on a device that was cut off in the middle."""
    said = gateway.status()
    expect("update     none" in said and "system default" in said, "the old generation runs")
    with report.stage("send generation 4 again, trial, confirm"):
        sent = gateway.project.answer("deploy")
        rest = int(str(sent["sent_bytes"]))
        expect(rest > 0, "the rest is still to come")
        report.sizes.append(("sent for generation 4, afterwards", rest))
        report.sizes.append(("sent for generation 4, all together", CUT_BYTES + rest))
        expect(str(sent["generation"]) in gateway.status(), "generation 4 is kept")
        gateway.rests()
        expect("everything" in gateway.run("reconix-device", "verify"), "every object is intact")


if __name__ == "__main__":
    sys.exit(main())
