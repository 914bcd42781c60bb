"""`reconix prove` as a user has it: the answer for programs, and a bad state looked at again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import MIB, Machine
from tests.small_device import make_with_containers, need_recording

from reconix.boot.trial import State, print_state
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore
from reconix.prove.case import read_case, write_case

pytestmark = pytest.mark.prover

HOST, SLOT_BYTES = "gateway", 36 * MIB
WORDS = ("--states", "400", "--seed", "7", "--json")
MACHINE = """\
kernel.package = "linux-image-amd64"
boot.slot_size = "36M"
disk.system_size = "64M"
disk.data_size = "16M"
"""


@pytest.fixture
def prove(
    need: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """The command, in a project with two generations of a small device, other in containers."""
    need_recording(need)
    monkeypatch.setattr("tests.device_model.SLOT_BYTES", SLOT_BYTES)
    project = tmp_path / "project"
    (project / f"hosts/{HOST}/systems").mkdir(parents=True)
    (project / "reconix.toml").write_text('name = "test"\ntrust.require_signature = false\n')
    (project / f"hosts/{HOST}/machine.toml").write_text(MACHINE)
    (project / f"hosts/{HOST}/systems/default.toml").touch()
    with ChrootStore(tmp_path / "store") as store:
        tables = plan(HOST, size_bytes=80 * MIB, sizes=Sizes(2, SLOT_BYTES, MIB, MIB))
        maker = Machine(tmp_path / "none", store, tables)
        for name in ("one", "two"):
            Pins(store.root, "test", HOST).add(make_with_containers(maker, name))

    def prove(*words: str) -> int:
        places = ("--project", str(project), "--store", str(tmp_path / "store"))
        return main([*places, "prove", *words])

    return prove


def test_the_answer_for_programs_has_what_the_table_has(
    prove: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(*WORDS) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["seed"], said["bad"], said["cases"], said["booted"]) == (7, 0, [], 0)
    rows = said["operations"]
    assert said["states"] == sum(row["states"] for row in rows) >= 400
    assert sum(row["new"] for row in rows if row["operation"] == "confirm") > 0
    for step in ("change containers", "restore containers"):
        assert sum(row["new"] for row in rows if row["operation"] == step) > 0
    assert said["update"]["written_bytes"] > said["update"]["changed_bytes"] > 0


def test_a_bad_state_is_kept_and_looked_at_again(
    prove: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def write_state(path: Path, state: State) -> None:
        path.write_bytes(print_state(state))

    with monkeypatch.context() as planted:
        planted.setattr("reconix.device.state.record.write_state", write_state)
        assert prove(*WORDS) == 36, "with the seed that finds nothing without the bug"
    bad = json.loads(capsys.readouterr().out)
    assert bad["bad"] > 0 and bad["problems"]
    case = Path(bad["cases"][0])
    disk = tmp_path / "disk.img"
    assert prove("--replay", str(case), "--output", str(disk)) == 36
    problem = read_case(case).problem
    assert f"now:    {problem}" in capsys.readouterr().out
    assert disk.stat().st_size > 2 * SLOT_BYTES

    good = case.with_name("good.case")
    write_case(good, replace(read_case(case), blocks={}, next_boots=(None,)))
    assert prove("--replay", str(good)) == 0
    assert "now:    good" in capsys.readouterr().out
