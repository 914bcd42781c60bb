"""What ``reconix init`` writes locks, builds and boots.

The demo shows it of ``gateway``, ``test_tutorials.py`` of those with software of their own.
"""

from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted, reconix

from reconix.base.documents import Fields
from reconix.cli.init import TEMPLATES
from reconix.cli.main import main
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS

SHOWN = {"gateway", "python-app", "vendor-deb"}
"""Elsewhere."""


@pytest.mark.vm
@pytest.mark.archive
@pytest.mark.parametrize("template", sorted({*TEMPLATES} - SHOWN))
def test_a_new_project_boots_and_lets_its_maker_in(
    template: str, tmp_path: Path, need: Need
) -> None:
    need(*PROGRAMS)
    project = tmp_path / "project"
    assert main(["init", "--template", template, str(project)]) == 0
    reconix(project, "lock")
    image = Path(reconix(project, "image").text("image"))
    with booted(image, tmp_path / "device", [22]) as machine:
        login = Login(project / "keys/operator")
        machine.wait_for_ssh(login, seconds=BOOT_SECONDS)
        said = machine.ssh(login, "reconix-device", "status", "--json")
    assert Fields.parse(said, source="status").object("booted").text("system") == "default"
