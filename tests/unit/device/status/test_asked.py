"""A device tells which secrets it lacks, and for whom."""

import json

from tests.asking import device_that_asks, put
from tests.device_model import Machine
from tests.status_parts import part

from reconix.device.status.asked import read_asked
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines


def test_what_is_asked_for_is_known_with_its_systems_and_units(machine: Machine) -> None:
    asking = device_that_asks(machine)
    put(asking, "banner", b"hello")
    put(asking, "of-old", b"once")
    banner, password, of_old = read_asked(asking.device)
    assert (banner.is_there, banner.is_required) == (True, False)
    assert banner.units == ("air.service", "web@.service")
    assert (password.is_there, password.systems) == (False, ("default", "mqtt"))
    assert (of_old.is_there, of_old.systems, of_old.is_required) == (True, (), False)


def test_the_status_has_a_line_for_each_that_is_missing(machine: Machine) -> None:
    asking = device_that_asks(machine)
    put(asking, "banner", b"hello")
    status = read_status(asking.device)
    assert part(status_lines(status), "missing") == [
        "missing    secret mqtt-password, for air.service of default, mqtt"
    ]
    document = json.loads(json.dumps(status_document(status)))
    assert document["missing_secrets"] == [
        {
            "name": "mqtt-password",
            "systems": ["default", "mqtt"],
            "units": ["air.service"],
            "required": True,
        }
    ]


def test_a_link_in_the_place_of_a_value_is_told(machine: Machine) -> None:
    asking = device_that_asks(machine)
    put(asking, "mqtt-password", b"x")
    (asking.paths.secrets / "banner").symlink_to("/etc/passwd")
    assert part(status_lines(read_status(asking.device)), "missing") == [
        "missing    secret banner, for air.service, web@.service of default, mqtt, which can do "
        "without: it is not a file"
    ]


def test_a_folder_that_cannot_be_looked_at_is_no_reason_to_tell_nothing(machine: Machine) -> None:
    """A status is for every user; what is on ``data`` is not."""
    asking = device_that_asks(machine)
    asking.paths.secrets.symlink_to(asking.paths.secrets)  # as root, one that leads nowhere
    lines = status_lines(read_status(asking.device))
    assert not [line for line in lines if line.startswith("missing")]
    assert part(lines, "committed")
