"""What a compose file means, said by Docker Compose itself, and by what it becomes here.

``docker-compose config`` of Debian resolves a file without any Docker: short forms become long
ones, variables get their values, files of variables are read. What we make of the same file is
brought to the same words. Where the two differ, the difference has a name below.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.compose_files import translated
from tests.trixie_programs import docker_compose
from tests.unit.containers.compose import test_mounts, test_translate

from reconix.base.process import CommandFailed, run
from reconix.containers.compose.variables import NoValue, parse_variables, put_values

pytestmark = pytest.mark.archive

IMAGE = "registry.example.com/web:1"
OTHERS = "".join(f"  {name}: {{image: registry.example.com/x:1}}\n" for name in ("db", "cache"))
MORE = (
    *("command: [echo, '$$HOME']", "command: ['']\nentrypoint: [a]", "entrypoint: a\\ b c"),
    *("entrypoint: /x  'a  b' \"c\"", 'entrypoint: \'a "b\\"c" d\''),
    "entrypoint: sh -c 'echo \"a b\"; true'",
    "environment: {A: true, B: 1.50, C: 'no', D: 0x10, E: 1e3}",
    *("environment: ['A=x=y', 'B= z ']", "environment: {A: 5, B: '1.50', C: false}"),
    *("ports: ['127.0.0.1:80:8080', '81:8081/tcp']", "ports: [{target: 80, published: 80}]"),
    *("ports: ['9000-9002:9000-9002/udp']", "ports: ['[::1]:81:82']\nnetwork_mode: host"),
    *("mem_limit: 512m", "mem_limit: 64mb", "mem_limit: 1048576", "mem_limit: 1.5g"),
    *("mem_limit: 2GB", "cpus: 1.25", "cpus: 2", "pids_limit: 7", "user: app:staff", "init: true"),
    *("healthcheck: {test: [CMD, a], timeout: 1h2m3s}", "healthcheck: {test: a 'b c', retries: 1}"),
    *("healthcheck: {test: [CMD, a], interval: 1500ms}", "restart: always", "restart: on-failure"),
    *("restart: 'on-failure:5'", "stop_signal: SIGQUIT", "stop_signal: SIGRTMIN+3"),
    *("volumes: ['data:/data', {type: volume, source: data2, target: /x}]", "working_dir: /a/b"),
    *("depends_on: [db, cache]", "depends_on: {db: {condition: service_started}}"),
)
"""More ways to write what has a counterpart."""
DIFFERENT = {
    "environment: {A: true, B: 1.50, C: 'no', D: 0x10, E: 1e3}": "numbers stay as they are written",
    "healthcheck: {test: [CMD, a], interval: 1500ms}": "times are whole seconds",
    "restart: 'on-failure:5'": "a container is started again as often as it fails",
}
"""What means something else here, and why; a test fails when it no longer does."""
CASES = {
    f"c{number}": options
    for number, options in enumerate(
        each
        for each in (*test_translate.TAKEN, *test_mounts.TAKEN, *MORE)
        if "configs:" not in each and "secrets:" not in each and "./" not in each
    )
}
"""By the name of a service; the contents of files are looked at elsewhere."""


def indented(options: str) -> str:
    return "".join(f"    {line}\n" for line in options.splitlines())


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """All cases, each a service, as Docker Compose has them."""
    services = "".join(
        f"  {name}:\n    image: {IMAGE}\n{indented(options)}" for name, options in CASES.items()
    )
    volumes = "volumes: {data: , data2: , my_Data: }\n"
    networks = "networks: {front: , back: }\n"
    text = f"services:\n{services}{OTHERS}{volumes}{networks}"
    found: Mapping[str, Any] = config(tmp_path_factory.mktemp("compose"), text)["services"]
    return found


def config(folder: Path, text: str) -> dict[str, Any]:
    (folder / "compose.yaml").write_text(text)
    said = run(docker_compose(), "-f", "compose.yaml", "config", "--format=json", folder=folder)
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_service_means_what_docker_compose_says(
    resolved: Mapping[str, Any], name: str, tmp_path: Path
) -> None:
    options = CASES[name]
    text = f"services:\n  web:\n    image: {IMAGE}\n{indented(options)}{OTHERS}"
    ours = tomllib.loads(translated(text, tmp_path).text)["containers"]["web"]
    is_same = meaning_here(ours) == meaning_there(resolved[name])
    assert is_same == (options not in DIFFERENT), (ours, resolved[name])


# -- words that both have --------------------------------------------------------------------------


def meaning_there(service: Mapping[str, Any]) -> dict[str, object]:
    """A service as Docker Compose resolves it."""
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    cpus = service.get("cpus") or limits.get("cpus")
    words = [*(service.get("entrypoint") or []), *(service.get("command") or [])]
    signal = service.get("stop_signal", "")
    tasks = int(service.get("pids_limit") or limits.get("pids") or 0)
    return {
        "command": [each.replace("$$", "$") for each in words],
        "environment": {
            key: value.replace("$$", "$")
            for key, value in (service.get("environment") or {}).items()
            if value is not None
        },
        "ports": sorted(map(_port, service.get("ports", []))),
        "volumes": {
            each["target"]: _volume(each.get("source") or each["target"].strip("/"))
            for each in service.get("volumes", [])
            if each["type"] == "volume"
        },
        "user": service.get("user", ""),
        "folder": service.get("working_dir", ""),
        "flags": [bool(service.get("read_only")), bool(service.get("init"))],
        "signal": f"SIG{signal.removeprefix('SIG')}" if signal else "",
        "memory": int(service.get("mem_limit") or limits.get("memory") or 0),
        "cpu": round(float(cpus or 0) * 100),
        "tasks": max(tasks, 0),
        "restart": _restart(service),
        "health": _health(service.get("healthcheck")),
        "devices": [_device(each) for each in service.get("devices", [])],
        "network": _network(service.get("network_mode", "")),
        "after": sorted(service.get("depends_on", {})),
    }


def _volume(name: str) -> str:
    """As names are written here; one without a name is called like its place."""
    return re.sub(r"[^a-z0-9]", "-", name.lower())


def _port(port: Mapping[str, Any]) -> tuple[str, int, int, str]:
    address = port.get("host_ip", "")
    everywhere = address in ("", "0.0.0.0", "::")
    return (
        "" if everywhere else address,
        int(port["published"]),
        port["target"],
        port["protocol"],
    )


def _restart(service: Mapping[str, Any]) -> str:
    policy = service.get("deploy", {}).get("restart_policy", {}).get("condition")
    said = {"any": "always", "none": "no"}.get(policy, policy) or service.get("restart", "")
    return str({"unless-stopped": "always"}.get(said, said))


def _health(check: Mapping[str, Any] | None) -> object:
    if check is None:
        return None
    kind, *words = check.get("test") or ["NONE"]
    if check.get("disable") or kind == "NONE":
        return "none"
    shell = ["/bin/sh", "-c"] if kind == "CMD-SHELL" else []
    words = [each.replace("$$", "$") for each in (*shell, *words)]
    times = [_seconds(check.get(key)) for key in ("interval", "timeout", "start_period")]
    return words, times, check.get("retries")


def _device(device: object) -> str:
    source = device["source"] if isinstance(device, dict) else device
    return str(source).partition(":")[0]


def _network(mode: str) -> str:
    usual = "" if mode == "bridge" else mode
    return f"with:{mode.partition(':')[2]}" if mode.startswith("service:") else usual


_UNITS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "": 1}


def _seconds(text: object) -> float | None:
    if text is None:
        return None
    parts = re.findall(r"([0-9.]+)(ms|min|[smhd]?)", str(text))
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def meaning_here(table: Mapping[str, Any]) -> dict[str, object]:
    """A container, as the file of a system has it."""
    health = table.get("health")
    after = [
        each.removeprefix("container-").removesuffix(".service") for each in table.get("after", [])
    ]
    network = table.get("network", "")
    joined = [network.removeprefix("with:")] if network.startswith("with:") else []
    return {
        "command": table.get("command", []),
        "environment": table.get("environment", {}),
        "ports": sorted(_short_port(each) for each in table.get("ports", [])),
        "volumes": {
            path: name.removeprefix("shared:") for name, path in table.get("volumes", {}).items()
        },
        "user": str(table.get("user", "")),
        "folder": table.get("working_directory", ""),
        "flags": [table.get("read_only", False), table.get("init", False)],
        "signal": table.get("stop_signal", ""),
        "memory": _bytes(table.get("memory", 0)),
        "cpu": int(str(table.get("cpu", "0")).rstrip("%")),
        "tasks": table.get("tasks", 0),
        "restart": table.get("restart", ""),
        "health": _own_health(health),
        "devices": table.get("devices", []),
        "network": network,
        "after": sorted({*after, *joined}),
    }


def _own_health(health: Mapping[str, Any] | None) -> object:
    if health is None or health.get("enable") is False:
        return None if health is None else "none"
    times = [_seconds(health.get(key)) for key in ("interval", "timeout", "start")]
    return health.get("command", []), times, health.get("retries")


def _short_port(text: str) -> tuple[str, int, int, str]:
    found = re.fullmatch(r"(?:\[?([^]]*?)\]?:)?([0-9]+):([0-9]+)(?:/(\w+))?", text)
    assert found is not None, text
    return found[1] or "", int(found[2]), int(found[3]), found[4] or "tcp"


def _bytes(text: object) -> int:
    found = re.fullmatch(r"([0-9.]+)([KMGT]?)", str(text))
    assert found is not None, text
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2] or " "))


# -- variables -------------------------------------------------------------------------------------

FILE = r"""
# a comment
A=1
export B = two words   # and a comment
C='$A \n #'
D="x${A}y" # c
E=${A}0
F=
H=a#b
J="tab\tnew\\n"
K= spaced
L='a"b'
M="a'b"
N=a=b
O=${NONE:-default}
P='${A}'
"""
TEXTS = (
    *("$A", "${A}", "x$A-${A}y", "$$A", "${NONE:-a}", "${NONE-a}", "${F:-a}|${F-a}", "${A:+b}"),
    *("${NONE:+b}|", "${F:+b}|${F+b}|", "${NONE:-${A}}", "${NONE:-${ALSO:-x}}", "${A:?why}"),
    *("$B", "$C", "$D", "$E", "$F|", "$H", "$J", "$K", "$L", "$M", "$N", "$O", "$P", "a$$b$$$$c"),
    *("${NONE:-a b}", "${NONE:-}|", "${A}${B}", "a.$A/b", "$A.$A"),
)


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Each text with the values that Docker Compose gives."""
    folder = tmp_path_factory.mktemp("variables")
    (folder / ".env").write_text(FILE)
    words = json.dumps(TEXTS)
    made = config(folder, f"services:\n  web:\n    image: x\n    command: {words}\n")
    return [each.replace("$$", "$") for each in made["services"]["web"]["command"]]


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_variables_have_the_values_that_docker_compose_gives(
    replaced: list[str], number: int
) -> None:
    text = TEXTS[number]
    values = {name: value for name, value in parse_variables(FILE).items() if value is not None}
    assert put_values(text, values) == replaced[number]


@pytest.mark.parametrize("text", ["${A:?why}", "${A?}", "${A", "${}", "${A!x}"])
def test_what_docker_compose_refuses_has_no_value_here(tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandFailed):
        config(tmp_path, f"services:\n  web:\n    image: x\n    command: [{json.dumps(text)}]\n")
    with pytest.raises(NoValue):
        put_values(text, {})


def files() -> Iterator[tuple[str, str]]:
    """Forms of a line in a file of variables."""
    values = ("1", "a b", "'a b'", '"a b"', "a # b", "a#b", '"a#b"', "'a' # b", "", '""', "a=b")
    yield from ((f"V{number}", value) for number, value in enumerate(values))


def test_a_file_of_variables_says_the_same_to_both(tmp_path: Path) -> None:
    (tmp_path / "own.env").write_text("".join(f"{name}={value}\n" for name, value in files()))
    text = f"services:\n  web:\n    image: {IMAGE}\n    env_file: own.env\n"
    there = config(tmp_path, text)["services"]["web"]["environment"]
    here = tomllib.loads(translated(text, tmp_path).text)["containers"]["web"]["environment"]
    assert here == there
