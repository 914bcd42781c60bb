from pathlib import Path

import pytest
from tests.unit.config.rules.test_assertions import mistakes

IMAGE = 'image = "registry.example.com/apps/broker:2"\n'


def two(one: str, other: str) -> str:
    """Two containers; what the second one says is on line 5."""
    return f"[containers.a]\n{IMAGE}{one}\n[containers.b]\n{other}\n{IMAGE}"


COLLIDING = [
    ("80:80", "80:8080"),
    ("127.0.0.1:80:80", "80:8080"),
    ("80:80", "127.0.0.1:80:80"),
    ("0.0.0.0:80:80", "127.0.0.1:80:80"),
    ("127.0.0.1:80:80", "127.0.0.1:80:8080"),
    ("53:53/udp", "53:53/udp"),
]
APART = [
    ("80:80", "81:80"),
    ("80:80", "80:80/udp"),
    ("127.0.0.1:80:80", "192.0.2.1:80:80"),
]


@pytest.mark.parametrize(("one", "other"), COLLIDING)
def test_a_port_leads_to_one_container(tmp_path: Path, one: str, other: str) -> None:
    (problem,) = mistakes(tmp_path, system=two(f'ports = ["{one}"]', f'ports = ["{other}"]'))
    assert problem.key == "containers.b.ports"
    assert problem.fact.endswith("is also used by container a")
    assert problem.place.line == 5


@pytest.mark.parametrize(("one", "other"), APART)
def test_ports_that_differ_are_good(tmp_path: Path, one: str, other: str) -> None:
    text = two(f'ports = ["{one}"]', f'ports = ["{other}"]')
    assert mistakes(tmp_path, system=text) == ()


def test_addresses_of_the_device_are_told_apart(tmp_path: Path) -> None:
    host = 'network = "host"\nports = '
    text = two(f'{host}["127.0.0.1:80:80"]', f'{host}["[::1]:80:80"]')
    assert mistakes(tmp_path, system=text) == ()


def test_a_container_does_not_use_a_port_twice(tmp_path: Path) -> None:
    text = f'[containers.a]\n{IMAGE}ports = ["80:80",\n"80:81"]\n'
    (problem,) = mistakes(tmp_path, system=text)
    assert (problem.key, problem.place.line) == ("containers.a.ports", 4)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ('[ports]\n"80" = "mine"\n', "mine"),
        ('[nginx]\nenable = true\nsites.a = { folder = "/a" }\n', "nginx"),
    ],
)
def test_a_port_of_another_program_is_told(tmp_path: Path, text: str, by: str) -> None:
    published = f'[containers.a]\n{IMAGE}ports = ["80:80"]\n'
    (problem,) = mistakes(tmp_path, system=published + text)
    assert problem.fact == f"port 80 of the device is also used by {by}"
    assert problem.place.line == 3


def test_another_protocol_is_another_port(tmp_path: Path) -> None:
    text = f'[containers.a]\n{IMAGE}ports = ["53:53/udp"]\n[ports]\n"53" = "mine"\n'
    assert mistakes(tmp_path, system=text) == ()


NETWORKS = {
    'network = "with:c"': ("network", "there is no container c"),
    'network = "with:b"': ("network", "is the network of a container that has this one's"),
    'ports = ["[::1]:80:80"]': ("ports", "::1 is an address of IPv6"),
    'network = "none"\nports = ["80:80"]': ("ports", "it has no network"),
    'network = "host"\nports = ["80:8080"]': ("ports", "the program listens there itself"),
    'network = "with:a"\nports = ["80:80"]': ("ports", "its network is that of a"),
}


@pytest.mark.parametrize("text", NETWORKS)
def test_a_network_that_cannot_be_is_told(tmp_path: Path, text: str) -> None:
    option, fact = NETWORKS[text]
    (problem,) = mistakes(tmp_path, system=two("", text))
    assert problem.key == f"containers.b.{option}"
    assert fact in problem.fact
    assert problem.place.line == 5 + text.count("\n")


def test_each_of_a_circle_is_told(tmp_path: Path) -> None:
    problems = mistakes(tmp_path, system=two('network = "with:b"', 'network = "with:a"'))
    assert [(each.key, each.place.line) for each in problems] == [
        ("containers.a.network", 3),
        ("containers.b.network", 5),
    ]


def test_a_chain_into_a_circle_ends(tmp_path: Path) -> None:
    circle = two('network = "with:b"', 'network = "with:a"')
    third = f'[containers.c]\n{IMAGE}network = "with:a"\n'
    problems = mistakes(tmp_path, system=circle + third)
    assert len(problems) == 2


@pytest.mark.parametrize("name", ["data", '"shared:data"'])
def test_two_containers_may_call_a_volume_the_same(tmp_path: Path, name: str) -> None:
    """It is one of each, or one of both: which users it belongs to is said where it is mounted."""
    volume = f'volumes = {{ {name} = "/data" }}'
    assert mistakes(tmp_path, system=two(volume, volume)) == ()
