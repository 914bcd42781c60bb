"""Packages that fail whoever installs them alone, or with another one."""

from pathlib import Path

import pytest
from tests.config_projects import write

from reconix.config.load import load_with_places
from reconix.config.problems import Problem

LAN = '[network.lan]\nmatch = "en*"\ndhcp = true\n'
SSH = "[ssh]\nenable = true\n"


def told(folder: Path, packages: str, rest: str = "") -> list[Problem]:
    write(folder, default=f"packages = [{packages}]\n{rest}")
    return [each for each in load_with_places(folder).warnings if each.key == "packages"]


@pytest.mark.parametrize(
    ("packages", "companion"),
    [
        ('"iputils-ping"', "linux-sysctl-defaults"),
        ('"podman", "netavark", "nftables", "passt"', "uidmap"),
        ('"docker.io"', "docker-cli"),
        ('"rsyslog"', "logrotate"),
    ],
)
def test_a_package_without_its_companion_is_told_where_it_is_named(
    tmp_path: Path, packages: str, companion: str
) -> None:
    (problem,) = told(tmp_path / "lonely", packages)
    assert f"is without {companion}: " in problem.fact
    assert problem.hint == f'add "{companion}"'
    assert (problem.place.line, problem.place.column) == (1, 13)
    assert not told(tmp_path / "together", f'{packages}, "{companion}"')


def test_any_of_several_companions_will_do(tmp_path: Path) -> None:
    others = '"podman", "netavark", "uidmap", "passt"'
    assert not told(tmp_path / "one", f'{others}, "nftables"')
    assert not told(tmp_path / "other", f'{others}, "iptables"')


@pytest.mark.parametrize(
    ("packages", "around", "settled"),
    [
        ('"dnsmasq"', LAN, '[files."dnsmasq.d/own.conf"]\ntext = "bind-interfaces\\n"\n'),
        (
            '"dnsmasq"',
            LAN,
            '[files."systemd/resolved.conf.d/own.conf"]\n'
            'text = "[Resolve]\\nDNSStubListener=no\\n"\n',
        ),
        (
            '"openssh-server"',
            SSH,
            '[files."ssh/sshd_config.d/10-port.conf"]\ntext = "Port 2222\\n"\n',
        ),
    ],
)
def test_two_programs_on_one_port_are_told_unless_one_of_them_was_moved(
    tmp_path: Path, packages: str, around: str, settled: str
) -> None:
    (problem,) = told(tmp_path / "clash", packages, around)
    assert "listens on port" in problem.fact
    assert not told(tmp_path / "alone", packages)
    assert not told(tmp_path / "settled", packages, around + settled)


def test_a_port_that_is_said_to_be_22_settles_nothing(tmp_path: Path) -> None:
    same = '[files."ssh/sshd_config"]\ntext = "Port 22\\n#Port 2222\\n"\n'
    assert told(tmp_path, '"openssh-server"', SSH + same)


def test_openssh_alone_may_have_port_22(tmp_path: Path) -> None:
    assert not told(tmp_path, '"openssh-server"', f'{SSH}server = "openssh"\n')


@pytest.mark.parametrize(
    ("package", "hint"),
    [
        ("unattended-upgrades", "reconix lock"),
        ("packagekit", "reconix lock"),
        ("grub-pc", "boot partition"),
        ("dkms", "kernel"),
        ("etckeeper", "git"),
        ("snapd", "generation"),
    ],
)
def test_what_looks_after_other_machines_is_told_with_what_does_here(
    tmp_path: Path, package: str, hint: str
) -> None:
    (problem,) = told(tmp_path, f'"{package}"')
    assert problem.fact == f"{package} does nothing on a device"
    assert hint in problem.hint
