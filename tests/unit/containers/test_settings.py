"""What an image says of its program."""

import json

import pytest

from reconix.containers.descriptors import BadImage
from reconix.containers.settings import HealthCheck, Port, Settings, parse_settings
from reconix.containers.signals import number_of

SECOND = 1_000_000_000


def read(**config: object) -> Settings:
    return parse_settings(json.dumps({"config": config}).encode(), source="it")


def test_an_image_that_says_nothing_has_what_all_have() -> None:
    usual = Settings(folder="/", stop_signal="SIGTERM")
    assert parse_settings(b"{}", source="it") == usual
    assert read(Entrypoint=None, Cmd=None, Env=None, Volumes=None, User="", WorkingDir="") == usual


def test_a_command_is_entry_point_and_arguments() -> None:
    assert read(Entrypoint=["a", "b"], Cmd=["c"]).command == ("a", "b", "c")
    assert read(Cmd=["c"]).command_or(["mine"], source="it") == ("mine",)
    assert read(Cmd=["c"]).command_or([], source="it") == ("c",)


def test_no_command_at_all_is_told() -> None:
    with pytest.raises(BadImage, match="it does not say what is to run in it") as caught:
        read().command_or([], source="it")
    assert caught.value.hint == "say it: command = [...] of the container"


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"Test": ["CMD", "a", "b"]}, HealthCheck(("a", "b"))),
        ({"Test": ["CMD-SHELL", "a | b"]}, HealthCheck(("/bin/sh", "-c", "a | b"))),
        ({"Test": ["NONE"]}, None),
        ({"Test": []}, None),
        ({}, None),
        (
            {
                "Test": ["CMD", "a"],
                "Interval": 5 * SECOND,
                "Timeout": SECOND // 2,
                "StartPeriod": 60 * SECOND,
                "Retries": 7,
                "StartInterval": SECOND,
            },
            HealthCheck(("a",), 5, 0.5, 60, 7),
        ),
        ({"Test": ["CMD", "a"], "Interval": 0, "Retries": 0}, HealthCheck(("a",), 30, 30, 0, 3)),
    ],
)
def test_a_check_is_that_of_the_image(check: object, expected: HealthCheck | None) -> None:
    assert read(Healthcheck=check).health == expected


def test_ports_and_paths_are_spelt_in_one_way() -> None:
    found = read(ExposedPorts={"9/udp": {}, "1": {}, "1/tcp": {}}, Volumes={"/a//b/": {}})
    assert found.ports == (Port(1), Port(1), Port(9, "udp"))
    assert found.volumes == ("/a/b",)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"Cmd": "not a list"}, "'Cmd' must be a list"),
        ({"Cmd": ["a\0b"]}, "which no program can get"),
        ({"Cmd": ["x" * (1 << 18)]}, "which no program can get"),
        ({"Cmd": ["x"] * 5000}, "has 5000 words"),
        ({"Env": ["NO_VALUE"]}, "not NAME=value"),
        ({"Env": ["=x"]}, "not NAME=value"),
        ({"WorkingDir": "here"}, "no path in an image"),
        ({"WorkingDir": "/a/../b"}, "no path in an image"),
        ({"Volumes": {"data": {}}}, "no path in an image"),
        ({"ExposedPorts": {"70000": {}}}, "is no port"),
        ({"ExposedPorts": {"80/icmp": {}}}, "is no port"),
        ({"StopSignal": "TERM; rm"}, "is no signal"),
        ({"Healthcheck": {"Test": ["EXEC", "a"]}}, "no kind of check"),
        ({"Healthcheck": {"Test": ["CMD"]}}, "no kind of check"),
        ({"Healthcheck": {"Test": ["CMD", "a"], "Interval": -5}}, "'Interval' must be"),
        ({"Healthcheck": {"Test": ["CMD", "a"], "Interval": 1 << 62}}, "seconds"),
    ],
)
def test_what_no_container_can_have_is_refused(config: dict[str, object], why: str) -> None:
    with pytest.raises(BadImage, match=why):
        read(**config)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("SIGTERM", 15), ("TERM", 15), ("15", 15), ("SIGQUIT", 3), ("WINCH", 28)),
        *(("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("SIGRTMIN+30", 64), ("SIGRTMAX-30", 34)),
        *(("SIGRTMAX", 64), ("SIGRTMIN+31", None), ("SIGRTMAX-31", None), ("0", None)),
        *(("65", None), ("SIGTREM", None), ("TERM+1", None), ("RTMIN-1", None), ("", None)),
    ],
)
def test_signals_have_the_numbers_of_linux(name: str, number: int | None) -> None:
    assert number_of(name) == number


def test_a_signal_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadImage, match="'SIGTREM' is no signal"):
        read(StopSignal="SIGTREM")
