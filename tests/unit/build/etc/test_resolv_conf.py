"""Whoever is told a name server asks it."""

from pathlib import Path

import pytest

from reconix.build.etc.resolv_conf import files
from reconix.config.load import load
from reconix.config.schema.system import Kernel, Network, Services, System
from reconix.store.tree import File, Symlink

KERNEL = Kernel(package="linux-image-cloud-amd64")
LAN = Network(address=("192.0.2.2/24",), dns=("192.0.2.1", "2001:db8::1"))


def system(services: Services | None = None, **network: Network) -> System:
    return System(kernel=KERNEL, network=network, services=services or Services())


@pytest.fixture
def with_resolver(tmp_path: Path) -> Path:
    (tmp_path / "usr/lib/systemd").mkdir(parents=True)
    (tmp_path / "usr/lib/systemd/systemd-resolved").touch()
    return tmp_path


def test_servers_that_are_known_are_written(tmp_path: Path) -> None:
    both = files(system(lan=LAN, wan=Network(dns=("192.0.2.1", "198.51.100.1"))), tmp_path)
    lines = b"nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 198.51.100.1\n"
    assert both == {"resolv.conf": File(lines)}
    assert files(system(lan=Network(dns=LAN.dns, names=False)), tmp_path) == {}


def test_the_resolver_is_asked_where_it_is(with_resolver: Path) -> None:
    made = files(system(lan=LAN), with_resolver)
    assert made["resolv.conf"] == Symlink("../run/systemd/resolve/stub-resolv.conf")
    off = Services(mask=("systemd-resolved.service",))
    assert isinstance(files(system(off, lan=LAN), with_resolver)["resolv.conf"], File)


def packages(folder: Path, machine: str, package: str = "nginx") -> tuple[str, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    text = f'kernel.package = "linux-image-cloud-amd64"\npackages = ["{package}"]\n{machine}'
    (folder / "hosts/gw/machine.toml").write_text(text)
    (folder / "hosts/gw/systems/default.toml").write_text("")
    return load(folder).hosts["gw"].systems["default"].packages


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("[network.lan]\ndhcp = true\n", True),
        ("[network.lan]\ndhcp = true\nnames = false\n", False),
        ('[network.lan]\naddress = ["192.0.2.2/24"]\ndns = ["192.0.2.1"]\n', False),
        ('[network.lan]\ndhcp = true\n[files."resolv.conf"]\ntext = ""\n', False),
    ],
)
def test_servers_that_dhcp_tells_take_a_package(
    tmp_path: Path, machine: str, *, expected: bool
) -> None:
    found = packages(tmp_path, machine)
    assert found == (("nginx", "systemd-resolved") if expected else ("nginx",))


def test_another_package_that_writes_the_file_is_left_to_do_so(tmp_path: Path) -> None:
    assert packages(tmp_path, "[network.lan]\ndhcp = true\n", "resolvconf") == ("resolvconf",)
