"""What stands in a compose file is in the result, or told at its line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compose_files import of_service, translated

from reconix.config.toml.formatter import format_toml
from reconix.containers.compose.nodes import BadCompose
from reconix.containers.compose.options import LEFT_OUT, TRANSLATED
from reconix.containers.compose.service import MAX_ITEMS

STACK = """\
name: stack
x-common: &common
  restart: unless-stopped
services:
  broker:
    <<: *common
    image: eclipse/mosquitto:2
    ports: ["1883:1883", "127.0.0.1:9001:9001"]
    volumes: ["data:/mosquitto/data"]
    mem_limit: 64m
  Web_App:
    image: nginx
    depends_on: [broker]
    network_mode: service:broker
    secrets: [db_password]
secrets:
  db_password: {file: ./db_password}
volumes:
  data:
"""
STACK_AS_TOML = """\
[containers.broker]
image = "registry.example.com/eclipse/mosquitto:2"
ports = ["1883:1883", "127.0.0.1:9001:9001"]
volumes = { data = "/mosquitto/data" }
memory = "64M"
restart = "always"

[containers.web-app]
image = "registry.example.com/library/nginx:latest"
secrets = ["db-password"]
network = "with:broker"
after = ["container-broker.service"]

[secrets.db-password]
"""
TAKEN = {
    "command: [a, 'b c', $$d]\nentrypoint: /x -y": 'command = ["/x", "-y", "a", "b c", "$d"]',
    "entrypoint: [a]": 'command = ["a"]',
    "command:": "",
    "environment: {A: 1, B: 'x y'}": 'environment = { A = "1", B = "x y" }',
    "environment: [A=1, B=]": 'environment = { A = "1", B = "" }',
    "user: 1000:1000": 'user = "1000:1000"',
    "working_dir: /srv": 'working_directory = "/srv"',
    "ports: ['80:8080/udp', '[::]:81:81', '0.0.0.0:82:82']": (
        'ports = ["80:8080/udp", "81:81", "82:82"]'
    ),
    "ports: ['[::1]:81:81']\nnetwork_mode: host": ('ports = ["[::1]:81:81"]\nnetwork = "host"'),
    "ports: ['8000-8001:80-81', '8000:80']": 'ports = ["8000:80", "8001:81"]',
    "ports: [{target: 80, published: '8080', host_ip: 127.0.0.1, protocol: udp, mode: host}]": (
        'ports = ["127.0.0.1:8080:80/udp"]'
    ),
    "network_mode: host": 'network = "host"',
    "network_mode: none": 'network = "none"',
    "network_mode: bridge": "",
    "networks: [front, back]": "",
    "restart: 'no'": 'restart = "no"',
    "restart: no": 'restart = "no"',
    "restart: unless-stopped": 'restart = "always"',
    "read_only: true\ninit: yes": "read_only = true\ninit = true",
    "mem_limit: 1gb\ncpus: '0.5'\npids_limit: 64": 'memory = "1G"\ncpu = "50%"\ntasks = 64',
    "mem_limit: 0\npids_limit: -1": "",
    "deploy: {replicas: 1, resources: {limits: {memory: 1gb, cpus: '2', pids: 9}}}": (
        'memory = "1G"\ncpu = "200%"\ntasks = 9'
    ),
    "deploy: {restart_policy: {condition: any}}": 'restart = "always"',
    "devices: [/dev/ttyS1, '/dev/ttyS2:/dev/ttyS2:rw']": 'devices = ["/dev/ttyS1", "/dev/ttyS2"]',
    "stop_signal: INT": 'stop_signal = "SIGINT"',
    "healthcheck: {test: [CMD, curl, x], interval: 1m30s, start_period: 5s, retries: 5}": (
        'health = { command = ["curl", "x"], interval = "90s", start = "5s", retries = 5 }'
    ),
    "healthcheck: {test: curl x || exit 1}": (
        'health = { command = ["/bin/sh", "-c", "curl x || exit 1"] }'
    ),
    "healthcheck: {test: [CMD-SHELL, x y]}": 'health = { command = ["/bin/sh", "-c", "x y"] }',
    "healthcheck: {disable: true}": "health = { enable = false }",
    "healthcheck: {test: [NONE]}": "health = { enable = false }",
    "security_opt: ['no-new-privileges:true']": "",
    "privileged: false": "",
    "labels: {a: b}\ncontainer_name: x\nexpose: [80]\nx-mine: {a: b}": "",
}
DIFFERENT = {
    "command: a b": ("command", "is all that runs here"),
    "environment: {A: }": ("environment", "A would come from whoever starts it"),
    'environment: {A: "x\\ny"}': ("environment", "A is no variable with a value of one line"),
    "environment: {DB_PASSWORD: hunter2}": ("environment", "everybody on the device can read it"),
    "environment: [[a]]": ("environment", "a text is expected"),
    "environment: word": ("environment", "a mapping is expected"),
    "ports: ['80']": ("ports", "does not say which port of the device"),
    "ports: ['80-82:80-81']": ("ports", "not equally long"),
    "ports: ['1-9999:1-9999']": ("ports", "more than 256 ports"),
    "ports: ['80:80/sctp']": ("ports", 'a port such as "8080:80" is expected'),
    "ports: ['70000:80']": ("ports", "expected a port of the device"),
    "ports: ['999.1.1.1:80:80']": ("ports", "expected a port of the device"),
    "network_mode: container:x": ("network_mode", "has no counterpart"),
    "network_mode: service:x": ("network_mode", "there is no service 'x'"),
    "networks: {front: {aliases: [x]}}": ("networks.front.aliases", "is known by its name"),
    "depends_on: [x]": ("depends_on", "there is no service 'x'"),
    "depends_on: {web: {condition: service_healthy}}": ("depends_on", "service_healthy: it waits"),
    "restart: on-failure:3": ("restart", "how often is not bounded"),
    "restart: sometimes": ("restart", "is expected"),
    "mem_limit: lots": ("mem_limit", "a size such as 64m is expected"),
    "cpus: many": ("cpus", "a number of processors"),
    "cpus: '0.0'": ("cpus", "expected a part of one processor"),
    "pids_limit: x": ("pids_limit", "a number is expected"),
    "deploy: {replicas: 2}": ("deploy.replicas", "no counterpart on one device"),
    "deploy: {resources: {reservations: {memory: 1g}}}": (
        "deploy.resources.reservations.memory",
        "no counterpart",
    ),
    "deploy: {restart_policy: {delay: 5s}}": ("deploy.restart_policy.delay", "no counterpart"),
    "devices: ['/dev/ttyUSB0:/dev/ttyS0']": ("devices", "the same path inside"),
    "devices: [vendor.com/class=gpu]": ("devices", "expected the path of a device"),
    "healthcheck: {test: [curl]}": ("healthcheck.test", "begins with CMD"),
    "healthcheck: {start_interval: 1s}": ("healthcheck.start_interval", "no counterpart"),
    "healthcheck: {interval: often}": ("healthcheck.interval", "a time such as"),
    "stop_signal: NOTHING": ("stop_signal", "expected the name of a signal"),
    "user: 'a b'": ("user", "expected a user of the image"),
    "working_dir: srv": ("working_dir", "expected the absolute path"),
    "read_only: perhaps": ("read_only", "true or false is expected"),
    "privileged: true": ("privileged", "no container may do everything"),
    "security_opt: [seccomp=unconfined]": ("security_opt", "no counterpart"),
    "secrets: [x]": ("secrets", "there is no secret 'x'"),
    "secrets: [{target: x}]": ("secrets", "which: source"),
    "env_file: missing.env": ("env_file", "missing.env cannot be read"),
    "build: .": ("build", "nothing is built here"),
    "image2: x": ("image2", "no counterpart"),
    "'odd key': x": ('"odd key"', "no counterpart"),
    **{f"{option}: x": (option, why) for option, (why, _) in LEFT_OUT.items()},
}


def test_a_stack_becomes_containers_in_our_format() -> None:
    found = translated(STACK)
    assert found.text == STACK_AS_TOML == format_toml(found.text)
    assert [f"{each.place}: {each.key}: {each.fact}" for each in found.remarks] == [
        "compose.yaml:11:3: services.Web_App: is named web-app here",
        "compose.yaml:12:5: services.Web_App.image: nginx has no tag: `latest` is taken, as Docker "
        "does",
        "compose.yaml:15:15: services.Web_App.secrets: is /run/secrets/db-password here, and not "
        "db_password",
        "compose.yaml:17:3: secrets.db_password: has its value on each device",
    ]


@pytest.mark.parametrize("options", TAKEN)
def test_what_has_a_counterpart_becomes_that_and_nothing_is_told(options: str) -> None:
    assert of_service(options) == (TAKEN[options], [])


@pytest.mark.parametrize("options", DIFFERENT)
def test_what_has_none_or_another_meaning_is_told_at_its_line(options: str) -> None:
    _, remarks = of_service(options)
    key, fact = DIFFERENT[options]
    assert [each for each in remarks if each.startswith(f"4 services.web.{key}: ")], remarks
    assert any(fact in each for each in remarks), remarks


def test_no_option_is_both_translated_and_left_out() -> None:
    assert not TRANSLATED.keys() & LEFT_OUT.keys()


def test_a_wrong_item_does_not_take_the_others_with_it() -> None:
    lines, remarks = of_service("ports: ['80:80', nonsense, '81:81']\nuser: 'a b'\ninit: true")
    assert lines == 'ports = ["80:80", "81:81"]\ninit = true'
    assert len(remarks) == 2


def test_values_are_put_for_variables_and_what_has_none_is_left_out() -> None:
    text = "environment: {A: '${TAG:-1}', B: $NO, C: '${EMPTY}'}\nuser: ${NO}"
    lines, remarks = of_service(text, variables={"TAG": "2", "EMPTY": ""})
    assert lines == 'environment = { A = "2", C = "" }'
    assert [each.partition(": ")[0] for each in remarks] == [
        "4 services.web.environment.B",
        "5 services.web.user",
    ]


def test_variables_of_a_file_count_less_than_those_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\nB=2\nC\n")
    (tmp_path / "b.env").write_text("A=0\n")
    text = "env_file: [b.env, {path: a.env}]\nenvironment: {B: 3}"
    lines, remarks = of_service(text, folder=tmp_path)
    assert lines == 'environment = { A = "1", B = "3" }'
    assert len(remarks) == 1 and "C would come from" in remarks[0]


def test_a_secret_is_told_by_the_path_that_it_has_here() -> None:
    text = """
services:
  web:
    image: registry.example.com/web:1
    secrets: [key, {source: key, target: /run/secrets/key}, {source: key, target: other}]
secrets: {key: {external: true}}
"""
    found = translated(text)
    assert 'secrets = ["key"]' in found.text
    assert [each.fact for each in found.remarks] == [
        "is /run/secrets/key here, and not other",
        "has its value on each device",
    ]


@pytest.mark.parametrize(
    ("image", "registry", "whole"),
    [
        ("nginx", "registry.example.com", "registry.example.com/library/nginx:latest"),
        ("nginx:1.27", "registry.example.com/hub", "registry.example.com/hub/library/nginx:1.27"),
        ("a/b:1", "registry.example.com", "registry.example.com/a/b:1"),
        ("other.example.com/a/b:1", "registry.example.com", "other.example.com/a/b:1"),
        ("localhost:5000/b", "", "localhost:5000/b:latest"),
        (f"a.example.com/b@sha256:{'1' * 64}", "", f"a.example.com/b@sha256:{'1' * 64}"),
        (f"a.example.com/b:1@sha256:{'1' * 64}", "", f"a.example.com/b:1@sha256:{'1' * 64}"),
    ],
)
def test_names_of_images_are_completed_as_it_was_said(
    image: str, registry: str, whole: str
) -> None:
    found = translated(f"services: {{web: {{image: '{image}'}}}}", registry=registry)
    assert f'image = "{whole}"' in found.text


def test_an_image_without_a_registry_is_refused_unless_that_was_said() -> None:
    text = (
        "services:\n  a:\n    image: nginx\n  b:\n    image: x.example.com/b:1\n  c: {image: d/e}"
    )
    with pytest.raises(BadCompose) as caught:
        translated(text, registry="")
    assert [each.place.line for each in caught.value.problems] == [3, 6]


def test_an_image_that_is_built_is_expected_as_a_file() -> None:
    found = translated("services: {web: {build: {context: .}}}")
    assert 'image = "docker-archive:web.tar"' in found.text
    assert "docker save -o web.tar" in found.remarks[0].hint


@pytest.mark.parametrize("service", ["", "{}", "{image: 'A B'}", "{image: [x]}", "text"])
def test_a_service_without_an_image_is_left_out(service: str) -> None:
    text = f"services: {{web: {service}, ok: {{image: a.example.com/b:1}}}}"
    found = translated(text)
    assert [name for name in found.tables] == [("containers", "ok")]
    assert any(each.key.startswith("services.web") for each in found.remarks)


@pytest.mark.parametrize(
    "text",
    [
        "services:",
        "services: []",
        "other: {}",
        "services: {a_b: {image: a.example.com/x:1}, a-b: {image: a.example.com/x:1}}",
        "services: {___: {image: a.example.com/x:1}}",
        "{services: {a: {image: a.example.com/x:1}}, secrets: [x]}",
    ],
)
def test_what_is_no_stack_is_refused(text: str) -> None:
    with pytest.raises(BadCompose):
        translated(text)


def test_what_is_beside_the_services_is_told() -> None:
    found = translated(
        "{services: {a: {image: a.example.com/x:1}}, include: [b.yaml], version: '3'}"
    )
    assert [each.key for each in found.remarks] == ["include"]


def test_networks_that_would_keep_containers_apart_are_told() -> None:
    services = "services: {a: {image: a.example.com/x:1, networks: [front]}}"
    assert not translated(f"{services}\nnetworks: {{front: }}").remarks
    (remark,) = translated(f"{services}\nnetworks: {{front: , back: }}").remarks
    assert "do not keep containers apart" in remark.fact


def test_what_the_rules_of_a_system_refuse_is_told_at_the_line_of_the_compose_file() -> None:
    text = """
services:
  a:
    image: a.example.com/x:1
    ports: ["80:80"]
  b:
    image: a.example.com/x:1
    ports:
      - "80:81"
"""
    (remark,) = translated(text).remarks
    assert remark.place.line == 9
    assert "port 80 of the device is also used by container a" in remark.fact


def test_a_file_that_says_too_much_is_refused() -> None:
    lines = "".join(f"      V{number}: x\n" for number in range(MAX_ITEMS + 1))
    with pytest.raises(BadCompose, match="too much"):
        translated(f"services:\n  a:\n    image: a.example.com/x:1\n    environment:\n{lines}")
    with pytest.raises(BadCompose, match="variables make the file too large"):
        translated(
            "services: {a: {image: a.example.com/x:1, labels: ["
            + ", ".join(["$LONG"] * 2000)
            + "]}}",
            variables={"LONG": "x" * 4000},
        )


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    TEXTS | st.integers(-5, 99999).map(str) | st.sampled_from([*"ab/:-", "80:80", "1g", "a:/b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["source", "target", "test", "limits", "memory", "file", "path", "type"]
            )
            | TEXTS,
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
OPTIONS = st.sampled_from([*TRANSLATED, *LEFT_OUT, "odd"])


def flow(value: object) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    escaped = "".join(
        char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in str(value)
    )
    return f'"{escaped}"'


@settings(deadline=None)
@given(st.dictionaries(OPTIONS, VALUES, max_size=6), st.dictionaries(TEXTS, VALUES, max_size=2))
def test_whatever_stands_in_a_file_what_comes_out_is_the_file_of_a_system(
    options: dict[str, object], more: dict[str, object]
) -> None:
    """``translated`` reads it again, and holds it against the schema."""
    service = {**options, "image": "a.example.com/web:1"}
    document = {"configs": more, "volumes": more, "secrets": {}, "services": {"web": service}}
    found = translated(flow(document))
    told = {
        each.key.split(".")[2] for each in found.remarks if each.key.startswith("services.web.")
    }
    assert told >= {name for name in options if name in LEFT_OUT or name == "odd"}
    assert ("containers", "web") in found.tables
