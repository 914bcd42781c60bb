"""What crun is told; what it makes of that is shown by ``tests/compat/test_containers.py``."""

import json
from typing import Any

import pytest

from reconix.config.schema.containers import Container, ContainerFile
from reconix.containers.runtime.configuration import print_configuration
from reconix.containers.runtime.network import ContainerNet, Kind
from reconix.containers.runtime.process import Process
from reconix.containers.users import Ids

PROCESS = Process(("run", "it"), (), Ids(0, 0), "/")


def printed(kind: Kind = Kind.PRIVATE, **options: object) -> dict[str, Any]:
    container = Container(image="x", **options)  # type: ignore[arg-type]
    found = print_configuration(
        "box",
        container,
        PROCESS,
        ContainerNet(kind, "other", 1),
        first_id=0x10010000,
        architecture="amd64",
    )
    parsed: dict[str, Any] = json.loads(found)
    return parsed


def mounts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["destination"]: each for each in found["mounts"]}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.HOST, None),
        (Kind.NONE, "/run/netns/reconix-other"),
        (Kind.PRIVATE, "/run/netns/reconix-other"),
    ],
)
def test_the_network_is_that_of_the_namespace(kind: Kind, expected: str | None) -> None:
    spaces = {each["type"]: each.get("path") for each in printed(kind)["linux"]["namespaces"]}
    assert spaces.pop("network", None) == expected
    assert spaces == dict.fromkeys(("cgroup", "ipc", "mount", "pid", "user", "uts"))


def test_users_are_those_of_the_range() -> None:
    expected = [{"containerID": 0, "hostID": 0x10010000, "size": 65536}]
    linux = printed()["linux"]
    assert linux["uidMappings"] == linux["gidMappings"] == expected


def test_what_is_mounted_lies_in_the_folder_of_the_container() -> None:
    found = mounts(
        printed(
            volumes={"b": "/srv/b", "a": "/srv", "shared:c": "/c"},
            devices=("/dev/bus/usb",),
            secrets=("x",),
            init=True,
        )
    )
    sources = {to: each["source"] for to, each in found.items() if each["type"] == "bind"}
    own = "/run/reconix/containers/box"
    assert sources == {
        "/c": f"{own}/volumes/0",
        "/dev/bus/usb": f"{own}/devices/bus/usb",
        "/dev/init": "/usr/bin/catatonit",
        "/etc/hosts": f"{own}/hosts",
        "/etc/resolv.conf": f"{own}/resolv.conf",
        "/run/secrets": f"{own}/secrets",
        "/srv": f"{own}/volumes/1",
        "/srv/b": f"{own}/volumes/2",
    }
    assert "ro" in found["/run/secrets"]["options"] and "rw" in found["/srv"]["options"]


def test_a_folder_is_mounted_before_those_in_it() -> None:
    found = list(mounts(printed(volumes={"x": "/run/a"}, secrets=("x",), read_only=True)))
    assert found.index("/run") < found.index("/run/a") < found.index("/run/secrets")
    assert found.index("/dev") < found.index("/dev/pts")


def test_only_a_read_only_container_has_memory_to_write_to() -> None:
    assert not {"/tmp", "/run", "/var/tmp"} & set(mounts(printed()))
    found = printed(read_only=True, changes=1 << 20)
    assert found["root"]["readonly"] is True
    assert {"size=1048576", "tmpcopyup"} <= set(mounts(found)["/tmp"]["options"])


def test_a_file_of_the_configuration_is_not_covered() -> None:
    found = mounts(printed(files={"/etc/hosts": ContainerFile(text="")}))
    assert "/etc/hosts" not in found and "/etc/resolv.conf" in found


def test_init_runs_the_program() -> None:
    assert printed(init=True)["process"]["args"] == ["/dev/init", "--", "run", "it"]
    assert printed()["process"]["args"] == ["run", "it"]
