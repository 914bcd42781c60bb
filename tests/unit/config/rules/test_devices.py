"""What is said of single devices is checked like everything else."""

from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration

MACHINE = """\
kernel.package = "linux-image-cloud-amd64"
[network.lan]
match = "en*"
dhcp = true
"""


def project(folder: Path, devices: str) -> Path:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(f"{MACHINE}{devices}\n")
    (folder / "hosts/gw/systems/default.toml").write_text("")
    return folder


def test_devices_have_a_name_an_address_and_keys_of_their_own(tmp_path: Path) -> None:
    text = '[devices.GW-0001]\nhostname = "gw-0001"\naddress = { lan = "192.0.2.11/24" }'
    device = load(project(tmp_path, text)).hosts["gw"].machine.devices["GW-0001"]
    assert (device.hostname, dict(device.address)) == ("gw-0001", {"lan": "192.0.2.11/24"})


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('[devices.A]\naddress = { wan = "192.0.2.11/24" }', "no system has a network 'wan'"),
        (
            "".join(f'[devices.{name}]\naddress.lan = "192.0.2.11/24"\n' for name in "AB"),
            "192.0.2.11/24 is also the address of A",
        ),
    ],
)
def test_an_address_belongs_to_a_network_and_to_one_device(
    tmp_path: Path, text: str, fact: str
) -> None:
    with pytest.raises(BadConfiguration) as failure:
        load(project(tmp_path, text))
    (problem,) = failure.value.problems
    assert problem.fact == fact
