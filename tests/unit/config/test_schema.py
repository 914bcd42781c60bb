"""The schema describes itself: every option is documented, and its example works."""

import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.config.check import check
from reconix.config.file_kinds import built_in_shapes
from reconix.config.merge import dotted
from reconix.config.schema.health import Check, Health
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import NixSystem
from reconix.config.schema.project import Project
from reconix.config.schema.system import Imports, System
from reconix.config.schema.values import (
    REST,
    Forward,
    PublishedPort,
    parse_duration,
    parse_size,
    parse_size_or_rest,
    print_duration,
    print_mode,
    print_size,
    print_size_or_rest,
)
from reconix.config.shapes import (
    ChoiceShape,
    ListShape,
    NamedShape,
    OptionShape,
    Shape,
    TableShape,
    shape_of,
)
from reconix.config.show import print_value
from reconix.config.toml.reader import parse_toml

FILE = Path("machine.toml")


def options(shape: Shape, key: str = "") -> Iterator[tuple[str, OptionShape]]:
    """Every option that can be written, with a key that addresses it."""
    if isinstance(shape, TableShape):
        for name, option in shape.options.items():
            yield dotted(key, name), option
            yield from options(option.shape, dotted(key, name))
    elif isinstance(shape, NamedShape) and isinstance(shape.item, TableShape):
        yield from options(shape.item, f"{key}.NAME")


SHAPES = [
    *map(shape_of, (Project, Machine, NixSystem, Imports)),
    built_in_shapes().system,  # those of the modules are among them
]
ALL = [(shape, key, option) for shape in SHAPES for key, option in options(shape)]
IDS = [f"{shape.type.__name__}.{key}" for shape, key, _ in ALL]


def name_of(key: str) -> str:
    """The key with a name that fits where any name may stand."""
    fitting = {
        "units": '"a.service"',
        "files": '"a/b"',
        "sysctl": '"vm.swappiness"',
        "trees": '"/opt/a"',
    }
    within = {"files": '"/a/b"'}
    first, *parts = key.split(".")
    for number, part in enumerate(parts):
        if part == "NAME":
            named = within.get(parts[number - 1], "a") if number else fitting.get(first, "a")
            parts[number] = named
    return ".".join([first, *parts])


@pytest.mark.parametrize(("table", "key", "option"), ALL, ids=IDS)
def test_the_example_of_each_option_is_accepted(
    table: TableShape, key: str, option: OptionShape
) -> None:
    if option.option is None:
        assert isinstance(option.shape, TableShape)
        assert option.shape.doc
        return
    text = f"{name_of(key)} = {option.option.example}\n"
    checked = check(parse_toml(text, FILE), table)
    assert not checked.problems
    assert option.option.doc.endswith((".", "*/"))


@pytest.mark.parametrize(("table", "key", "option"), ALL, ids=IDS)
def test_each_option_has_a_reason_to_set_it(
    table: TableShape, key: str, option: OptionShape
) -> None:
    if option.option is not None:
        words = option.option.why.partition(" ")
        assert words[0] in {"when", "to", "for", "together"}, f"Set it {option.option.why}."
        assert not option.option.why.endswith(".")


@pytest.mark.parametrize(("table", "key", "option"), ALL, ids=IDS)
def test_the_default_of_each_option_can_be_written(
    table: TableShape, key: str, option: OptionShape
) -> None:
    if option.option is None or option.default is None:
        return
    text = f"{name_of(key)} = {print_value(option.shape, option.default)}\n"
    assert not check(parse_toml(text, FILE), table).problems


@pytest.mark.parametrize("table", typing.get_args(Check))
def test_each_kind_of_check_begins_with_an_option_that_tells_it_apart(table: type) -> None:
    first = next(iter(shape_of(table).options))
    assert shape_of(table).options[first].required
    others = [shape_of(each).options for each in typing.get_args(Check) if each != table]
    assert not any(first in options for options in others)
    checks = shape_of(Health).options["checks"].shape
    assert isinstance(checks, ListShape)
    assert isinstance(checks.item, ChoiceShape)
    assert shape_of(table) in checks.item.tables


def test_no_option_means_two_things_in_machine_toml() -> None:
    names = [name for t in (Machine, System, NixSystem, Imports) for name in shape_of(t).options]
    assert len(names) == len(set(names))


def test_there_is_no_option_for_a_password() -> None:
    named = [key for _, key, _ in ALL if "password" in key]
    assert [key for key in named if not key.endswith("password_secret")] == []  # a name, no value


@given(st.integers(0, 1 << 50))
def test_sizes_survive_printing(size: int) -> None:
    assert parse_size(print_size(size)) == size


@given(st.integers(0, 1 << 30))
def test_durations_survive_printing(seconds: int) -> None:
    assert parse_duration(print_duration(seconds)) == seconds


@given(
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.sampled_from(["tcp", "udp"]),
    st.one_of(st.just(""), st.ip_addresses().map(str)),
)
def test_published_ports_survive_printing(
    port: int, inner: int, protocol: str, address: str
) -> None:
    published = PublishedPort(port, inner, protocol, address)
    assert PublishedPort.parse(str(published)) == published


def test_quantities_read_as_people_write_them() -> None:
    assert [parse_size(text) for text in ("5", "1K", "64M", "2G")] == [5, 1024, 64 << 20, 2 << 30]
    assert [parse_duration(text) for text in ("5", "90s", "5min", "2h")] == [5, 90, 300, 7200]
    assert print_size(64 << 20) == "64M"
    assert [parse_size_or_rest(text) for text in ("rest", "64M")] == [REST, 64 << 20]
    assert [print_size_or_rest(size) for size in (REST, 64 << 20)] == ["rest", "64M"]
    assert print_duration(300) == "5min"
    assert print_mode(0o600) == "0600"


@pytest.mark.parametrize("text", ["ssh:22", "http:80:8080"])
def test_forwards_survive_printing(text: str) -> None:
    assert str(Forward.parse(text)) == text


BAD = {
    'hostname = "Has Space"': "a host name",
    'hostname = ""': "a host name",
    "hostname = 5": "a host name",
    "boot.slots = 1": "from 2 to 8",
    "boot.slots = 9": "from 2 to 8",
    "boot.slots = true": "from 2 to 8",
    'boot.slots = "2"': "from 2 to 8",
    'boot.slot_size = "64MB"': "a size such as",
    "boot.slot_size = -1": "a size such as",
    "boot.slot_size = 1.5": "a size such as",
    'boot.firmware = "bios"': '"uefi"',
    'run.forward = ["ssh:0"]': "a name and a port",
    'run.forward = ["ssh"]': "a name and a port",
    'run.forward = "ssh:22"': "a list",
}


@pytest.mark.parametrize(("text", "expected"), BAD.items(), ids=list(BAD))
def test_a_machine_with_a_wrong_value_is_refused(text: str, expected: str) -> None:
    (problem,) = check(parse_toml(text, FILE), shape_of(Machine)).problems
    assert expected in problem.fact
    assert problem.place.line == 1


BAD_SYSTEM = {
    'packages = ["nginx nano"]': "Debian package",
    'packages = ["--force-yes"]': "Debian package",
    'packages = { plus = ["a"] }': "a list",
    'services.enable = ["nginx"]': "systemd unit",
    'files."/srv/../motd".text = ""': "below /etc",
    'files."../motd".text = ""': "below /etc",
    'files."a//b".text = ""': "below /etc",
    'files."a\\nb".text = ""': "below /etc",
    'files.motd.mode = "0999"': "a file mode",
    "files.motd.mode = 644": "a file mode",
    'files.motd.source = "/etc/passwd"': "relative to",
    'users.root.authorized_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]': "a public key",
    'users."a:b".uid = 5': "a user name",
    "users.root = 5": "a table",
    'persist.shared = ["relative"]': "an absolute path",
    'persist.shared = ["/a/../b"]': "an absolute path",
    'network.lan.address = ["300.1.1.1/24"]': "an address with its prefix",
    'network.lan.gateway = "somewhere"': "an address such as",
    'kernel.parameters = ["two words"]': "one word",
    'sysctl."vm.x" = { a = 1 }': "a string or a number",
    "sysctl.vm.swappiness = 0": "a string or a number",
    "health.checks = [{ tcp = 80, unit = 'a.service' }]": "a table with one of",
    "health.checks = [{ port = 80 }]": "a table with one of",
    "health.checks = [{ tcp = 70000 }]": "from 1 to 65535",
    "health.checks = [5]": "a table with one of",
    'health.timeout = "soon"': "a time such as",
    "update.receive = 1": "true or false",
    "update.receive = 2020-01-01": "true or false",
}


@pytest.mark.parametrize(("text", "expected"), BAD_SYSTEM.items(), ids=list(BAD_SYSTEM))
def test_a_system_with_a_wrong_value_is_refused(text: str, expected: str) -> None:
    (problem,) = check(parse_toml(text, FILE), shape_of(System)).problems
    assert expected in problem.fact
