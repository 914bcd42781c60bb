from pathlib import Path

import pytest

from reconix.config.project_paths import in_project, whole


@pytest.mark.parametrize("folder", [".", "../gateway", "x/../../gateway"])
def test_a_project_may_be_named_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "gateway").mkdir()
    monkeypatch.chdir(tmp_path / "gateway")
    assert whole(Path(folder)) == tmp_path / "gateway"
    assert in_project(tmp_path / "gateway/dist/air.deb", Path(folder)) == "dist/air.deb"
    assert in_project(tmp_path / "gateway-2/air.deb", Path(folder)) is None
