"""No power cut in a first boot or a factory reset leaves half of what a device keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.small_device import need_recording

from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Slot
from reconix.build.boot.initrd import ROOT_SCRIPT, SCRIPT
from reconix.image.ext4 import make_ext4
from reconix.image.layout import MIB, Sizes, plan
from reconix.prove.data_oracle import prove_data, record_data
from reconix.prove.data_workload import DELETE, FILL, RESET, USE, WISH, Persisting
from reconix.prove.prover import Result
from reconix.prove.recorder import Pace

pytestmark = pytest.mark.prover

STATES, SEED = 600, 1
SCRIPTS = SCRIPT.read_text() + ROOT_SCRIPT.read_text()
PATHS = (("shared", "/var/lib/dropbear"), ("systems/web", "/var/lib/web"))


@pytest.fixture
def image(need: Callable[..., None], tmp_path: Path) -> Path:
    """A disk whose data partition is new."""
    need_recording(need)
    image, part = tmp_path / "image", tmp_path / "data"
    sizes = Sizes(2, slot_bytes=MIB, system_bytes=MIB, data_bytes=16 * MIB)
    tables = plan("gateway", size_bytes=24 * MIB, sizes=sizes)
    place = tables.named("data")
    make_ext4(part, None, label="data", size_bytes=place.size_bytes)
    with image.open("wb") as file:
        file.truncate(24 * MIB)
        for write in tables.writes(Slot(1)):
            file.seek(write.offset)
            file.write(write.content)
        file.seek(place.first * SECTOR)
        file.write(part.read_bytes())
    return image


def found(image: Path, *, scripts: str = SCRIPTS, pace: Pace = Pace.QUIET) -> Result:
    persisting = Persisting(scripts, PATHS)
    folder = image.with_name("job")
    folder.mkdir()
    job = record_data(image, persisting, folder, pace=pace)
    return prove_data(job, persisting, wanted=STATES, seed=SEED)


@pytest.mark.parametrize("pace", list(Pace))
def test_p9_p10_every_crash_state_of_the_data_is_whole(image: Path, pace: Pace) -> None:
    result = found(image, pace=pace)
    assert result.bad == 0, result.cases
    assert result.states >= STATES
    by_step = {row.step: row for row in result.rows}
    assert list(by_step) == [FILL, USE, WISH, RESET, DELETE]
    assert all(by_step[step].old > 3 and by_step[step].new > 3 for step in (FILL, WISH, RESET))


def planted(image: Path, right: str, wrong: str) -> set[str]:
    """What is said of scripts in which something is wrong."""
    assert SCRIPTS.count(right) == 1
    result = found(image, scripts=SCRIPTS.replace(right, wrong))
    assert result.bad > 0
    return {case.problem for case in result.cases}


def test_a_copy_under_its_final_name_is_found(image: Path) -> None:
    said = planted(
        image,
        'cp -a "$NEW$1" "$DATA/.new"',
        'mkdir "./$name" && sync && cp -a "$NEW$1/." "./$name/" && cp -a "$NEW$1" "$DATA/.new"',
    )
    assert any("not all that the system gave it" in each for each in said)


def test_an_order_that_goes_before_it_is_carried_out_is_found(image: Path) -> None:
    begins = '        set_aside "$what"'
    said = planted(image, begins, f'        rm "$order" && sync;{begins}')
    assert any("nothing orders it" in each for each in said)
