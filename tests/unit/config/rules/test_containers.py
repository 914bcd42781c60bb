"""One test for each rule about a container; each names the line."""

from pathlib import Path

import pytest
from tests.unit.config.rules.test_assertions import mistakes

from reconix.config.load import load
from reconix.config.schema.containers import Container

A = "containers.a"
IMAGE = 'image = "registry.example.com/apps/broker:2"'
HEAD = f"[containers.a]\n{IMAGE}\n"

WRONG = {
    f'{HEAD}packages = ["nginx"]': (f"{A}.packages", "has an image and packages"),
    "\n\n[containers.a]": (A, "has neither image nor packages"),
    '[containers.a]\n\nimage = "nginx:1.27"': (f"{A}.image", "begin with the host of a registry"),
    '[containers.a]\n\nimage = "registry.example.com/a"': (f"{A}.image", "neither tag nor digest"),
    '[containers.a]\n\nimage = "oci:"': (f"{A}.image", "names no file"),
    '\n\n[containers.a]\npackages = ["nginx"]': (A, "is made of packages, and has no command"),
    f'{HEAD}command = ["", "x"]': (f"{A}.command", "begins with an empty word"),
    f'{HEAD}volumes = {{ a = "/data", b = "/data" }}': (f"{A}.volumes.b", "is also where a is"),
    f'{HEAD}volumes.x = "/"': (f"{A}.volumes.x", "/ can be no volume"),
    f'{HEAD}volumes.x = "/proc/x"': (f"{A}.volumes.x", "/proc/x can be no volume"),
    f'{HEAD}volumes.x = "/tmp"': (f"{A}.volumes.x", "/tmp can be no volume"),
    f'{HEAD}files."/a" = {{ mode = "0600" }}': (f'{A}.files."/a"', "neither text nor source"),
    f'{HEAD}files."/a" = {{ text = "", source = "default.toml" }}': (
        f'{A}.files."/a"',
        "has text and source",
    ),
    f'{HEAD}files."/run/a".text = ""': (f'{A}.files."/run/a"', "is mounted at /run"),
    f'{HEAD}secrets = ["key"]': (f"{A}.secrets", "there is no secret key"),
    f'{HEAD}after = ["container-a.service"]': (f"{A}.after", "waits for itself"),
    f'{HEAD}after = ["container-b.service"]': (f"{A}.after", "no container of container-b.service"),
    f"{HEAD}memory = 64": (f"{A}.memory", "no program can start with so little"),
    f"{HEAD}changes = 64": (f"{A}.changes", "is less than 1M"),
    f'{HEAD}health = {{ command = ["x"], interval = "0s" }}': (
        f"{A}.health.interval",
        "is no time at all",
    ),
    f'{HEAD}health = {{ command = ["x"], timeout = 0 }}': (
        f"{A}.health.timeout",
        "is no time at all",
    ),
    '[containers.a]\npackages = ["nginx"]\nhealth.interval = "9s"\ncommand = ["nginx"]': (
        f"{A}.health",
        "has no command, and no image with one",
    ),
    f'{HEAD}devices = ["/etc/passwd"]': (f"{A}.devices", "expected the path of a device"),
    f'{HEAD}devices = ["/dev/../etc"]': (f"{A}.devices", "expected the path of a device"),
    f"{HEAD}user = 65536": (f"{A}.user", "a container has no number 65536"),
    f'{HEAD}user = "app:65536"': (f"{A}.user", "a container has no number 65536"),
    f'{HEAD}user = "a b"': (f"{A}.user", "expected a user of the image"),
    f'{HEAD}working_directory = "srv"': (f"{A}.working_directory", "expected the absolute path"),
    f'{HEAD}stop_signal = "SIGTREM"': (f"{A}.stop_signal", "expected the name of a signal"),
    f'{HEAD}network = "bridge"': (f"{A}.network", "expected private, host, none, or with:"),
    f'{HEAD}ports = ["1883"]': (f"{A}.ports", "expected a port of the device and one of the"),
    f'{HEAD}ports = ["0:80"]': (f"{A}.ports", "expected a port of the device and one of the"),
    f'{HEAD}ports = ["80:65536"]': (f"{A}.ports", "expected a port of the device and one of the"),
    f'{HEAD}ports = ["300.0.0.1:80:80"]': (f"{A}.ports", "expected a port of the device"),
    f'{HEAD}ports = ["80:80/sctp"]': (f"{A}.ports", "expected a port of the device"),
    f'{HEAD}cpu = "0%"': (f"{A}.cpu", "expected a part of one processor"),
    f"{HEAD}tasks = 0": (f"{A}.tasks", "expected a number from 1"),
    f'{HEAD}restart = "sometimes"': (f"{A}.restart", 'expected "no" or "on-failure" or "always"'),
    f'{HEAD}environment = {{ "A=B" = "c" }}': (f'{A}.environment."A=B"', "name of a variable"),
    f'{HEAD}environment = {{ A = "b\\nc" }}': (f"{A}.environment.A", "a string of one line"),
    f'{HEAD}command = ["a\\u0000b"]': (f"{A}.command", "expected one word of a command"),
    f'{HEAD}volumes.Data = "/data"': (f"{A}.volumes.Data", "is not the name of a volume"),
    f'{HEAD}volumes."../x" = "/data"': (f'{A}.volumes."../x"', "is not the name of a volume"),
    f"\n\n[containers.Abc]\n{IMAGE}": ("containers.Abc", "is not a name"),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_container_that_cannot_be_is_told_at_its_line(tmp_path: Path, text: str) -> None:
    key, fact = WRONG[text]
    (problem,) = mistakes(tmp_path, system=f"{text}\n")
    assert problem.key == key
    assert fact in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 3)


def test_a_file_below_a_volume_is_hidden_by_it(tmp_path: Path) -> None:
    text = f'{HEAD}volumes.data = "/data"\nfiles."/data/a".text = "hidden"\n'
    (problem,) = mistakes(tmp_path, system=text)
    assert "something else is mounted at /data" in problem.fact
    assert problem.place.line == 4


def test_a_unit_of_the_name_of_a_container_is_told(tmp_path: Path) -> None:
    (problem,) = mistakes(
        tmp_path, system=f'{HEAD}[units."container-a.service"]\nexec = "/bin/a"\n'
    )
    assert problem.key == "containers.a"


def test_a_command_in_two_files_is_told(tmp_path: Path) -> None:
    """Lists of two files add, and a command is one thing."""
    words = f'{HEAD}command = ["a", "b"]\n'
    (problem,) = mistakes(tmp_path, machine=words, system='containers.a.command = ["c"]\n')
    assert problem.key == "containers.a.command"
    assert "machine.toml:4" in problem.fact
    assert problem.place.file.name == "default.toml"


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, system=f'{HEAD}files."/a".source = "a.conf"\n')
    assert problem.key == 'containers.a.files."/a".source'
    assert problem.place.line == 3


WHOLE = f"""\
[secrets.broker-passwords]

[containers.broker]
{IMAGE}
command = ["mosquitto", "-v", "-v"]
environment = {{ TZ = "UTC", PORT = 5 }}
ports = ["1883:1883", "127.0.0.1:9001:9001", "53:53/udp"]
volumes = {{ data = "/mosquitto/data", "shared:media" = "/srv/media" }}
files = {{ "/etc/mosquitto.conf" = {{ text = "a", mode = "0600" }} }}
secrets = ["broker-passwords"]
devices = ["/dev/ttyS1"]
read_only = true
memory = "64M"
cpu = "50%"
tasks = 64
restart = "always"
health = {{ command = ["mosquitto_sub", "-t", "$SYS/#"], interval = "30s" }}
stop_signal = "SIGRTMIN+3"
init = true
user = 1000
working_directory = "/"
after = ["container-logger.service", "network-online.target"]

[containers.logger]
packages = ["python3-flask"]
command = ["python3", "/srv/logger.py"]
network = "with:broker"
"""


def container(folder: Path, name: str) -> Container:
    assert mistakes(folder, system=WHOLE) == ()
    return load(folder).hosts["gw"].systems["default"].containers[name]


def test_a_container_may_say_all_of_this(tmp_path: Path) -> None:
    broker = container(tmp_path, "broker")
    assert broker.command == ("mosquitto", "-v", "-v")
    assert broker.environment == {"PORT": "5", "TZ": "UTC"}
    assert [str(port) for port in broker.ports] == [
        "1883:1883",
        "127.0.0.1:9001:9001",
        "53:53/udp",
    ]
    assert (broker.cpu, broker.memory, broker.user) == (50, 64 << 20, "1000")
    assert (broker.health.interval, broker.health.retries) == (30, None)


def test_what_starts_containers_comes_along(tmp_path: Path) -> None:
    container(tmp_path, "logger")
    system = load(tmp_path).hosts["gw"].systems["default"]
    assert system.packages == ("crun", "iproute2", "nftables", "catatonit")


def test_a_secret_is_also_for_the_unit_of_the_container(tmp_path: Path) -> None:
    container(tmp_path, "broker")
    secret = load(tmp_path).hosts["gw"].systems["default"].secrets["broker-passwords"]
    assert secret.units == ("container-broker.service",)
