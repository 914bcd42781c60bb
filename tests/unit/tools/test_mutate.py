"""What mutmut noted is counted as it was meant."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tools.mutate import Fate, Score, Trial, shut_in

STATUS = {0: "survived", 1: "killed", 3: "killed", 33: "untested", -24: "timeout", None: "waiting"}
STOPPED = {-2: "waiting", -15: "waiting"}


@pytest.mark.parametrize(("status", "fate"), (STATUS | STOPPED).items())
def test_each_exit_status_is_a_fate(status: int | None, fate: str) -> None:
    assert Fate.of(status) is Fate(fate)


def test_what_was_found_is_counted_and_what_nobody_noticed_is_named(tmp_path: Path) -> None:
    trial = Trial("store/nar", tmp_path)
    found = tmp_path / "store-nar" / "mutants" / "src" / "reconix" / "store" / "nar.py.meta"
    found.parent.mkdir(parents=True)
    codes = dict(zip("abcdef", STATUS, strict=True))
    found.write_text(json.dumps({"exit_code_by_key": codes}))
    score = trial.score()
    assert score == Score("store/nar", killed=2, timeout=1, survived=1, untested=1, waiting=1)
    assert (score.tried, score.percent) == (5, 60)
    assert trial.survivors() == ["a", "d"]


def test_a_module_of_which_nothing_was_tried_has_no_score(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing was found about store/nar"):
        Trial("store/nar", tmp_path).score()


def test_what_root_runs_writes_to_its_folder_only(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    need("unshare")
    if os.geteuid() != 0:
        pytest.skip("only what root runs is shut in")
    (tmp_path / "place").mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as other:
        tried = f"touch made; touch {other}/made; chmod 0 {other}; test ! -w / -a ! -w /tmp"
        subprocess.run(shut_in(tmp_path, tmp_path / "place", ["sh", "-c", tried]), check=True)
        assert [*Path(other).iterdir()] == [] and Path(other).stat().st_mode & 0o777
    assert (tmp_path / "place" / "made").exists()
