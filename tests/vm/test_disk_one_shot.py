"""A device whose firmware keeps nothing: the disk remembers that a trial was begun.

Nothing can write the variables of its OVMF. A generation whose kernel panics after the initrd is
left; one that is healthy is kept, although it asks for what minify is said to have taken.
"""

from collections.abc import Callable, Iterator

import pytest
from tests.vm import missing
from tests.vm.project import Project
from tests.vm.test_hangs import PANICS, PROGRAMS, WITH_WATCHDOG, Box, booted

from reconix.store.tree import File

ONE_SHOT = """\
[update]
trial_attempts = 1
[boot]
one_shot = "disk"
"""


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory, need: Callable[..., None]) -> Iterator[Box]:
    need(*PROGRAMS)
    machine = WITH_WATCHDOG.replace("[boot]", ONE_SHOT)
    project = Project.make(tmp_path_factory.mktemp("project"), machine)
    project.reconix("lock")
    project.reconix("build")
    with booted(project, is_protected=True) as box:
        yield box


@pytest.mark.vm
@pytest.mark.archive
def test_b5_a_trial_without_variables_is_left_after_a_panic_and_kept_when_healthy(
    box: Box,
) -> None:
    box.try_out(box.broken(PANICS))
    box.keep(box.broken({"note": File(b"another one\n"), **missing.asking()}))
    assert missing.was_missed(box.status())
    assert not box.answer("sh", "-c", missing.LEFT).strip()
    assert "way-back" not in box.answer("ls", "/run/reconix/system/reconix").decode()
