"""The identity of a device is what the configuration says of it, signed by the project's key."""

from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.build.generation import key_set
from reconix.device.identity import FILE_NAME, parse_signed
from reconix.project.files import ProjectFiles
from reconix.signing import identities, project_keys
from reconix.transfer.trust.trust import Trust

MACHINE = """\
kernel.package = "linux-image-cloud-amd64"
[devices.GW-0001]
hostname = "gateway-0001"
"""


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    (tmp_path / "hosts/gw/systems").mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (tmp_path / "hosts/gw/machine.toml").write_text(MACHINE)
    (tmp_path / "hosts/gw/systems/default.toml").write_text("")
    return ProjectFiles.read(tmp_path)


def test_devices_trust_what_the_project_signs(project: ProjectFiles) -> None:
    host = project.host(None)
    content = identities.files_of(project, host, "GW-0001")[FILE_NAME]
    trust = Trust(key_set(project_keys.root_of(project)))
    identity = parse_signed(content, trust, source="x")
    assert (identity.host, identity.serial, identity.hostname) == ("gw", "GW-0001", "gateway-0001")


def test_the_same_device_gives_the_same_bytes(project: ProjectFiles) -> None:
    host = project.host(None)
    once = identities.files_of(project, host, "GW-0001")
    assert identities.files_of(project, host, "GW-0001") == once


def test_a_device_that_is_not_there_is_refused_with_the_nearest(project: ProjectFiles) -> None:
    with pytest.raises(UsageError) as failure:
        identities.identity_of(project.host(None), "GW-001")
    assert failure.value.hint == "did you mean GW-0001?"
