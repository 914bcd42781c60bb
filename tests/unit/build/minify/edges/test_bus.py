"""What services of the message bus reach."""

from pathlib import Path

from tests.device_trees import make

from reconix.build.minify.edges.bus import BusEdges
from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.units import UnitEdges

SERVICES = "usr/share/dbus-1/system-services"
TEXT = b"[D-BUS Service]\nName=x.Air\nExec=/usr/libexec/air --bus\nSystemdService=air.service\n"


def reached(folder: Path, path: str) -> list[str]:
    files = make(
        folder, {"usr/lib/systemd/system/air.service": "", "usr/lib/systemd/user/air.service": ""}
    )
    edges = BusEdges(UnitEdges(files, ScriptEdges(files)))
    return list(dict.fromkeys(edge.target for edge in edges.of(path, TEXT)))


def test_a_service_reaches_its_program_and_its_unit(tmp_path: Path) -> None:
    program = "usr/libexec/air"
    assert reached(tmp_path / "a", f"{SERVICES}/x.Air.service") == [
        program,
        "usr/lib/systemd/system/air.service",
    ]
    assert reached(tmp_path / "b", "usr/share/dbus-1/services/x.Air.service") == [
        program,
        "usr/lib/systemd/user/air.service",
    ]


def test_services_of_systemd_are_reached_from_their_tools(tmp_path: Path) -> None:
    assert not reached(tmp_path / "a", f"{SERVICES}/org.freedesktop.hostname1.service")
    assert reached(tmp_path / "b", f"{SERVICES}/org.freedesktop.PolicyKit1.service")
    assert not reached(tmp_path / "c", "usr/share/other/x.Air.service")
