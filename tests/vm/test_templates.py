"""What ``reconix init`` writes locks, builds and boots.

``test_tutorials.py`` shows it of those with which a tutorial begins.
"""

import re
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted, reconix
from tests.tutorials import TUTORIALS

from reconix.base.documents import Fields
from reconix.cli.init import TEMPLATES
from reconix.cli.main import main
from reconix.vm.login import Login
from reconix.vm.machine import BOOT_SECONDS

_BEGINS = re.compile(r"^reconix init(?: --template (\S+))? ", re.MULTILINE)


def shown() -> set[str]:
    """The templates of the tutorials."""
    found = _BEGINS.findall("".join(tutorial.read_text() for tutorial in TUTORIALS))
    return {template or "gateway" for template in found}


@pytest.mark.vm
@pytest.mark.archive
@pytest.mark.parametrize("template", sorted({*TEMPLATES} - shown()))
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
