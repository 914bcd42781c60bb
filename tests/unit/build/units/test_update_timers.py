import re
from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.build.generation import trust_policy
from reconix.build.units.update_timers import make_units
from reconix.config.schema.project import TrustRoot, Updates
from reconix.config.schema.system import Update
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.web import RetryPolicy


def test_the_window_begins_with_a_restart_if_something_is_armed() -> None:
    made = make_units(Update(window="22:30-04:00"))
    assert b"OnCalendar=*-*-* 22:30:00\n" in made["reconix-window.timer"]
    assert b"phase.: .armed" in made["reconix-window.service"]


def test_a_device_looks_as_often_as_it_is_told_and_a_link_that_is_down_is_no_failure() -> None:
    made = make_units(Update(every=6 * 3600))
    assert b"OnBootSec=300\nOnUnitInactiveSec=21600\n" in made["reconix-update.timer"]
    service = made["reconix-update.service"].decode()
    assert "ExecStart=-/" in service
    assert service.endswith("reconix-device.pyz update --unattended\n")
    (limit,) = re.findall(r"^TimeoutStartSec=(\d+)$", service, re.MULTILINE)
    assert int(limit) > RetryPolicy().total_seconds


def test_without_a_policy_there_are_no_timers() -> None:
    assert make_units(Update()) == {}
    assert make_units(Update(receive=False, every=60)) == {}
    assert make_units(Update(automatic=False, window="02:00-04:00")) == {}


def test_a_device_is_told_which_authorities_to_trust(tmp_path: Path) -> None:
    files = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    for file in files:
        file.write_text(f"{file.name}\n")
    assert told(Updates(authorities_files=files)).authorities == "ours.pem\ntheirs.pem\n"
    assert told(Updates()).authorities is None


def test_a_device_is_told_whom_to_ask_in_place_of_the_server() -> None:
    proxy = "http://proxy.example:3128"
    assert told(Updates(proxy=proxy)).proxy == proxy
    assert b"proxy" not in told(Updates()).print()


def told(updates: Updates) -> TrustPolicy:
    """What a device is told of this configuration."""
    return trust_policy(TrustRoot(), updates)


def test_systemd_takes_the_units(tmp_path: Path, need: Callable[..., None]) -> None:
    need("systemd-analyze")
    made = make_units(Update(window="00:00-23:59", every=60))
    for name, content in made.items():
        # The program is on the device only.
        (tmp_path / name).write_bytes(
            content.replace(b"ExecStart=-/usr/bin/python3", b"ExecStart=-/bin/sh")
        )
    timers = [tmp_path / name for name in made if name.endswith(".timer")]
    run("systemd-analyze", "verify", "--man=no", *timers)
