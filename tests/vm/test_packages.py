"""What teams install works: after the first boot, and after other systems and an update.

One minified device with all of ``docs/services.md`` in its system: it starts, changes to a spare
system, takes an update there, and changes back. Before and after every package is used as a client
would use it; the answers come over in one piece and are judged here, one package after the other.
What must be kept counts the visits.

No radio, modem, bus or receiver is real: the kernel has radios (``mac80211_hwsim``), a CAN bus and
a chip at an I2C bus of software, and programs play the Bluetooth controller and the GPS receiver.
No modem is there, so ModemManager is only asked. A tunnel ends in a name space of the same device.
"""

import contextlib
import re
import shlex
import shutil
import socket
import ssl
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device, ssh_words
from tests.vm.project import Project

from reconix.base.process import run
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS
from reconix.vm.timeouts import scaled

pytestmark = [pytest.mark.vm, pytest.mark.archive]
SKELETON = Path(__file__).parents[1] / "data" / "packages"
OPENSSH, HTTPS, METRICS = 2222, 443, 9100
VISITS = ("first", "updated")
LINE_SECONDS = 90
VISIT_SECONDS = 900
RADIO_SECONDS = 240
START_SECONDS = 4 * BOOT_SECONDS
"""So many services start, each emulated."""
RESTS = "! systemctl is-active reconix-watch.service"
SOFT_REBOOTS = ". /run/reconix/booted; echo $SOFT_REBOOTS"
RETAINED = "mosquitto: a retained message"
OPERATOR = "runuser -u operator --"


@dataclass(frozen=True)
class Use:
    """How a client uses a package.

    Attributes:
        of: the package, or what else was installed.
        line: of shell, on the device.
        says: a regular expression for what it prints; ``VISIT`` is the number of the visit.
    """

    of: str
    line: str
    says: str

    def is_right(self, said: str, visit: int) -> bool:
        return re.search(self.says.replace("VISIT", str(visit)), said, re.DOTALL) is not None


TABLE = "create table if not exists visits (id serial)"
USES = (
    Use(
        "postgresql",
        "PGOPTIONS='-c client_min_messages=warning' runuser -u postgres -- "
        f"psql -qAtc '{TABLE}' -c 'insert into visits default values'"
        " -c 'select count(*) from visits'",
        r"^VISIT$",
    ),
    Use("redis-server", "redis-cli INCR visits; redis-cli SAVE", r"^VISIT\nOK$"),
    Use(
        "mosquitto with a password_file",
        "mosquitto_pub -u joe -P wrong -t visits -m no",
        r"^Connection error: Connection Refused: not authorised",
    ),
    Use(
        RETAINED,
        "mosquitto_sub -u joe -P right -t visits -C 1 -W 5; "
        'mosquitto_pub -u joe -P right -t visits -r -m "visit $VISIT"',
        r"^(Timed out|visit \d)$",
    ),
    Use(
        "nginx with TLS, flask as a unit of one's own",
        "curl -s --cacert /etc/ssl/certs/ssl-cert-snakeoil.pem https://box/",
        r"^seen VISIT$",
    ),
    Use("network-online.target", "cat /run/page/online", r"inet 10\.0\.2\.15"),
    Use("sysusers.d, StateDirectory", "stat -c %U /var/lib/page/seen", r"^page$"),
    Use("DynamicUser with StateDirectory", "wc -l < /var/lib/starts/list", r"^VISIT$"),
    Use("rc.local", "cat /run/rc.local.ran", r"^root$"),
    Use("timers", "test -e /run/ticked && echo ticked", r"^ticked$"),
    Use(
        "path units",
        "touch /run/drop; until test -e /run/dropped; do sleep 0.2; done; echo dropped",
        r"^dropped$",
    ),
    Use("templates", "cat /run/each-one /run/each-two", r"^one\ntwo$"),
    Use("sudo", f"{OPERATOR} sudo -n id -un; {OPERATOR} sudo -n true", r"^root\n.*password"),
    Use("su", f"{OPERATOR} su -c 'id -un' < /dev/null", r"^root$"),
    Use("iputils-ping", f"{OPERATOR} ping -c1 -W9 10.0.2.2", r" 0% packet loss"),
    Use(
        "crontab",
        f"{OPERATOR} crontab -l; echo '@reboot touch /tmp/again' | {OPERATOR} crontab -; "
        "stat -c %U /tmp/again",
        r"^(no crontab for operator\n.*No such file|@reboot touch /tmp/again\noperator)",
    ),
    Use("cron", "stat -c %U /run/cron.ran", r"^root$"),
    Use(
        "mount as a user",
        f"{OPERATOR} mount /mnt && findmnt -no OPTIONS /mnt; {OPERATOR} umount /mnt",
        r"nosuid.*size=1024k",
    ),
    Use(
        "tftpd-hpa",
        "test -e /srv/tftp/file || echo for-clients > /srv/tftp/file; cd /run; "
        "tftp localhost -c get file; cat file",
        r"for-clients$",
    ),
    Use(
        "chrony",
        "chronyc -n burst 4/8; chronyc waitsync 60 0 0 0.5 > /dev/null && chronyc -n -c sources",
        r"\^,\*,10\.0\.2\.2,1,",
    ),
    Use("avahi-daemon", "getent hosts box.local", r"\sbox\.local$"),
    Use(
        "rsyslog",
        "logger visit-$VISIT; until grep visit-$VISIT /var/log/syslog; do sleep 0.2; done",
        r"visit-VISIT",
    ),
    Use(
        "logrotate",
        "echo line > /var/log/own; logrotate --force /etc/logrotate.d/own; ls /var/log/own*; "
        "systemctl is-active logrotate.timer",
        r"/var/log/own\.1\nactive$",
    ),
    Use(
        "network-manager",
        "nmcli -t -f DEVICE,STATE device; journalctl -q --no-pager -u NetworkManager -u hostapd "
        "-b -n 40",
        r"wlan1:connected\n",
    ),
    Use("network-manager leaves networkd's alone", "nmcli -t device", r"enp\w+:ethernet:unmanaged"),
    Use("wpasupplicant, hostapd", "iw dev wlan1 link", r"SSID: reconix-air"),
    Use("dnsmasq", "ip -4 -br address show wlan1", r" 192\.0\.2\.(1\d|20)/24"),
    Use("modemmanager", "mmcli -L", r"No modems were found"),
    Use("bluez", "bluetoothctl list", r"Controller 06:05:04:03:02:01"),
    Use(
        "wireguard-tools",
        "umask 077; ip netns add far; for end in a b; do wg genkey > /run/$end; done; "
        "ip link add wg0 type wireguard; ip link add wg1 type wireguard; "
        "ip link set wg1 netns far; "
        "wg set wg0 listen-port 5001 private-key /run/a peer $(wg pubkey < /run/b) "
        "allowed-ips 198.51.100.2/32 endpoint 127.0.0.1:5002; "
        "ip netns exec far wg set wg1 listen-port 5002 private-key /run/b peer "
        "$(wg pubkey < /run/a) allowed-ips 198.51.100.1/32 endpoint 127.0.0.1:5001; "
        "ip address add 198.51.100.1/24 dev wg0; ip link set wg0 up; "
        "ip -n far address add 198.51.100.2/24 dev wg1; ip -n far link set wg1 up; "
        "ping -c2 -W9 198.51.100.2; ip link del wg0; ip netns del far",
        r" 0% packet loss",
    ),
    Use(
        "openvpn",
        "ip netns add away; ip link add out type veth peer name in netns away; "
        "ip address add 198.51.100.5/30 dev out; ip link set out up; "
        "ip -n away address add 198.51.100.6/30 dev in; ip -n away link set in up; "
        "openvpn --genkey secret /run/key; "
        "set -- openvpn --dev tun --secret /run/key --cipher AES-256-CBC --daemon; "
        '"$@" --ifconfig 198.51.100.9 198.51.100.10 --local 198.51.100.5 --writepid /run/one.pid; '
        'ip netns exec away "$@" --ifconfig 198.51.100.10 198.51.100.9 --remote 198.51.100.5 '
        "--writepid /run/other.pid; "
        "ping -c5 -W9 -I 198.51.100.9 198.51.100.10; "
        "kill $(cat /run/one.pid /run/other.pid); ip netns del away",
        r" [02468]0?% packet loss",
    ),
    Use(
        "nftables",
        "curl -s http://127.0.0.1:4999/; nft list table ip own",
        r"tcp dport 4999 counter packets [1-9]",
    ),
    Use(
        "can-utils",
        "ip link add can7 type vcan; ip link set can7 up; (sleep 1; cansend can7 123#CAFE) & "
        "timeout 20 candump -n1 can7; ip link del can7",
        r"can7\s+123\s+\[2\]\s+CA FE",
    ),
    Use("gpsd", "python3 /etc/gps.py", r'"lat":48\.117\d+,"lon":11\.516'),
    Use("collectd-core", "ls /var/lib/collectd/csv/*/memory", r"memory-free-20"),
    Use(
        "i2c-tools",
        r"bus=$(i2cdetect -l | sed -n 's/^i2c-\([0-9]*\)\t.*stub.*/\1/p'); "
        "i2cset -y $bus 0x50 7 0x4$VISIT; i2cget -y $bus 0x50 7",
        r"^0x4VISIT$",
    ),
    Use(
        "podman",
        "podman run -q --rm oci:/var/lib/containers/image /busybox echo from a container",
        r"^from a container$",
    ),
    Use("docker.io", "docker run --rm image /busybox echo from a container", r"^from a container$"),
    Use(
        "ca-certificates: names that are not ASCII",
        "openssl verify -no_check_time -CApath /etc/ssl/certs -no-CAfile "
        "/etc/ssl/certs/NetLock_Arany_=Class_Gold=_Főtanúsítvány.pem",
        r"pem: OK$",
    ),
    Use(
        "ca-certificates: an authority of one's own",
        "openssl verify -no_check_time -CApath /etc/ssl/certs -no-CAfile /etc/own.pem; openssl "
        "verify -no_check_time -CAfile /etc/ssl/certs/ca-certificates.crt -no-CApath /etc/own.pem",
        r"^/etc/own.pem: OK\n/etc/own.pem: OK$",
    ),
)
PREPARE = """\
export VISIT={visit}
systemctl is-system-running --wait > /dev/null
is_connected='nmcli -t -f STATE,DEVICE device | grep -qx connected:wlan1'
timeout {seconds} sh -c "until $is_connected; do nmcli --wait 60 connection up air; sleep 5; done" \
    > /dev/null 2>&1
folder=/var/lib/containers
if ! test -e $folder/image; then
    mkdir /run/image && cp /usr/bin/busybox /run/image/
    tar -C /run/image -c . | docker import - image
    tar -C /run/image -c . | podman import -q - image
    podman save -q --format oci-dir -o $folder/image image && podman rmi -a && chmod -R a+rX $folder
fi
"""


class Clock(threading.Thread):
    """A server of time on this machine: what it is asked for, whoever asks.

    Source: RFC 5905, section 7.3.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]

    def run(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                asked, who = self.socket.recvfrom(512)
                now = struct.pack("!Q", int((time.time() + 2_208_988_800) * 2**32))
                head = struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"TEST")
                self.socket.sendto(head + now + asked[40:48] + now + now, who)


@dataclass(frozen=True)
class Visit:
    """What was seen in one visit: what each line printed, and what came from outside."""

    said: Mapping[str, str]
    rootless: str
    openssh: str
    host_keys: tuple[bytes, ...]
    page: bytes
    metrics: bytes
    failed: str


def visit(device: Device, project: Project, number: int) -> Visit:
    parts = [PREPARE.format(visit=number, seconds=round(scaled(RADIO_SECONDS)))]
    for use in USES:
        name, line = shlex.quote(f"== {use.of}"), shlex.quote(use.line)
        parts.append(f"echo; echo {name}; timeout {scaled(LINE_SECONDS)} sh -c {line} 2>&1\n")
    # Programs may read what they are given; what the last one ends with says nothing.
    run_it = "cat > /run/visit; sh /run/visit < /dev/null || true"
    said = device.machine.ssh(
        device.login, "sh", "-c", run_it, stdin="".join(parts).encode(), seconds=VISIT_SECONDS
    )
    pieces = re.split(r"^== (.*)\n", said.decode(errors="replace"), flags=re.MULTILINE)[1:]
    address = ("127.0.0.1", device.machine.port(OPENSSH))
    operator = Login(project.folder / "key", user="operator", guest_port=OPENSSH)
    image = "oci:/var/lib/containers/image"
    return Visit(
        dict(zip(pieces[::2], map(str.strip, pieces[1::2]), strict=True)),
        device.machine.ssh(
            operator,
            "sh",
            "-c",
            f"podman run -q --rm {image} /busybox id -u; podman unshare cat /proc/self/uid_map",
        ).decode(),
        _first_line(address),
        tuple(_host_key(device.machine.port(port)) for port in (22, OPENSSH)),
        _fetched(f"https://127.0.0.1:{device.machine.port(HTTPS)}/name"),
        _fetched(f"http://127.0.0.1:{device.machine.port(METRICS)}/metrics"),
        device.ask("systemctl --failed --plain --no-legend"),
    )


def _first_line(address: tuple[str, int]) -> str:
    with socket.create_connection(address, scaled(LINE_SECONDS)) as client:
        return client.recv(200).decode().strip()


def _host_key(port: int) -> bytes:
    """The key that a client is shown, in Base64."""
    limit = str(round(scaled(LINE_SECONDS)))
    said = run("ssh-keyscan", "-t", "ed25519", "-T", limit, "-p", str(port), "127.0.0.1")
    return said.split()[-1]


def _fetched(url: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(url, timeout=scaled(LINE_SECONDS), context=context) as answer:
        return bytes(answer.read())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Visit | str]]:
    Need()(*PROGRAMS, "openssl", "ssh-keyscan")
    folder = tmp_path_factory.mktemp("packages")
    clock = Clock()
    clock.start()
    project = make_project(folder / "project", clock.port)
    project.reconix("lock")
    image = project.image()
    update(project)
    found: dict[str, Visit | str] = {}
    with started(image, folder, project.login) as device:
        found["first"] = first = visit(device, project, 1)
        tell(first)
        device.switch("spare")
        device.wait_for("spare", soft_reboots=1, seconds=START_SECONDS)
        found["spare"] = time_of_the_spare_system(device)
        project.reconix("deploy", *ssh_words(device, project.folder / "key"))
        device.wait_until(RESTS, "the agent does not come to rest")
        count = int(device.ask(SOFT_REBOOTS))
        device.switch("default")
        device.wait_for("default", soft_reboots=count + 1, seconds=START_SECONDS)
        found["updated"] = visit(device, project, 2)
    clock.socket.close()
    yield found


def tell(first: Visit) -> None:
    """Print what was wrong at once: nothing is judged if the device does not come back."""
    for use in USES:
        if not use.is_right(first.said[use.of], 1):
            print(f"{use.of}: {use.line}\n{first.said[use.of]}\n")


@contextlib.contextmanager
def started(image: Path, folder: Path, login: Login) -> Iterator[Device]:
    """A device that runs."""
    ports = (22, OPENSSH, HTTPS, METRICS)
    with booted(image, folder / "device", ports, memory_mib=1536) as machine:
        device = Device(machine, login)
        device.wait_for("default", soft_reboots=0, seconds=START_SECONDS)
        yield device


def make_project(folder: Path, time_port: int) -> Project:
    shutil.copytree(SKELETON, folder)
    rules = folder / "files/nftables.conf"
    rules.write_text(rules.read_text().replace("@time_port@", str(time_port)))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
    certify(folder / "files")
    return Project(folder)


def certify(folder: Path) -> None:
    """An authority of one's own, and a certificate that it has signed."""
    new = ("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3650", "-utf8")
    authority, key = folder / "Prüfstelle.pem", folder / "authority.key"
    run(*new, "-subj", "/CN=Prüfstelle", "-keyout", key, "-out", authority)
    signed = ("-CA", authority, "-CAkey", key, "-addext", "basicConstraints=CA:FALSE")
    run(
        *new, *signed, "-subj", "/CN=box", "-keyout", folder / "own.key", "-out", folder / "own.pem"
    )


def update(project: Project) -> None:
    """A later generation, in which OpenSSH does not say of which system it is."""
    system = project.folder / "hosts/box/systems/default.toml"
    text = system.read_text().replace(
        'text = "Port 2222\\n"', 'text = "Port 2222\\nDebianBanner no\\n"'
    )
    assert text != system.read_text()
    system.write_text(text)
    project.reconix("build")


def time_of_the_spare_system(device: Device) -> str:
    device.ask("systemctl restart systemd-timesyncd")
    device.wait_until("test -e /run/systemd/timesync/synchronized", "the clock is not set")
    return device.ask("timedatectl show-timesync --property=ServerAddress --property=NTPMessage")


@pytest.mark.parametrize("when", VISITS)
@pytest.mark.parametrize("use", USES, ids=[use.of for use in USES])
def test_a_package_works(seen: dict[str, Visit], use: Use, when: str) -> None:
    said = seen[when].said[use.of]
    assert use.is_right(said, VISITS.index(when) + 1), f"{use.line}\n{said}"


def test_what_a_broker_retains_is_there_after_each_restart(seen: dict[str, Visit]) -> None:
    assert [seen[when].said[RETAINED] for when in VISITS] == ["Timed out", "visit 1"]


def test_timesyncd_sets_the_clock_from_the_server_that_was_named(seen: dict[str, str]) -> None:
    assert "ServerAddress=10.0.2.2" in seen["spare"]
    assert "Stratum=1" in seen["spare"]


@pytest.mark.parametrize("when", VISITS)
def test_a_user_runs_containers_with_users_in_them(seen: dict[str, Visit], when: str) -> None:
    inside, *mapped = seen[when].rootless.splitlines()
    assert inside == "0"
    assert [line.split()[2] for line in mapped] == ["1", "65536"]


@pytest.mark.parametrize("when", VISITS)
def test_clients_elsewhere_are_answered(seen: dict[str, Visit], when: str) -> None:
    assert seen[when].page == b"a page"
    assert b"\nnode_memory_MemFree_bytes " in seen[when].metrics


def test_dropbear_and_openssh_keep_their_keys(seen: dict[str, Visit]) -> None:
    (keys,) = {seen[when].host_keys for when in VISITS}
    assert len({*keys}) == 2


def test_openssh_follows_its_settings(seen: dict[str, Visit]) -> None:
    assert ["Debian" in seen[when].openssh for when in VISITS] == [True, False]


@pytest.mark.parametrize("when", VISITS)
def test_nothing_failed(seen: dict[str, Visit], when: str) -> None:
    assert seen[when].failed == ""
