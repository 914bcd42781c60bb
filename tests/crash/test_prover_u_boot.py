"""The prover with U-Boot: the control sector in every state that a cut leaves, and bugs in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.small_device import SmallDevice, need_recording, small_device

from reconix.base.firmware import FirmwareKind
from reconix.boot import control
from reconix.boot.control import Request
from reconix.boot.disk import Disk
from reconix.boot.gpt import Partition
from reconix.prove.prover import Result, prove
from reconix.prove.record import record
from reconix.prove.rig import Rig
from reconix.prove.workload import everything, receiving, trying

pytestmark = pytest.mark.prover

STATES, SEED = 1500, 1
Steps = Callable[[Rig], None]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDevice]:
    folder = tmp_path_factory.mktemp("device")
    with small_device(folder, firmware=FirmwareKind.U_BOOT) as made:
        yield made


@pytest.fixture
def find(need: Callable[..., None], device: SmallDevice, tmp_path: Path) -> Callable[..., Result]:
    need_recording(need)

    def found(*, all_of_it: bool = False) -> Result:
        def workload(rig: Rig) -> None:
            if all_of_it:
                everything(rig, device.update)
                return
            receiving(rig, device.update)
            trying(rig, device.update)

        job = record(device.image, device.known, tmp_path, workload)
        return prove(job, wanted=STATES, seed=SEED, processes=1)

    return found


def test_each_state_boots_what_was_meant(find: Callable[..., Result]) -> None:
    result = find(all_of_it=True)
    assert result.bad == 0, result.cases
    assert result.states >= STATES
    assert sum(row.trials for row in result.rows) > 0


def problems(result: Result) -> str:
    return " ".join(case.problem for case in result.cases)


def test_a_request_that_is_obeyed_before_its_zeros_are_kept_is_found(
    monkeypatch: pytest.MonkeyPatch, find: Callable[..., Result]
) -> None:
    monkeypatch.setattr(Rig, "_forget", lambda *_: None)
    assert "was obeyed already" in problems(find())


def test_a_request_by_two_writes_is_found(
    monkeypatch: pytest.MonkeyPatch, find: Callable[..., Result]
) -> None:
    whole = control.write_request

    def in_two(disk: Disk, place: Partition, request: Request | None) -> None:
        if request is not None and request.slot is not None:
            whole(disk, place, Request(request.slot, None))
        whole(disk, place, request)

    monkeypatch.setattr("reconix.boot.oneshots.u_boot.write_request", in_two)
    assert "without a system of it" in problems(find())
