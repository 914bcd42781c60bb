from pathlib import Path

import pytest

from reconix.config.globs import matching


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "a [b] *"
    for name in ("dist/air-1.whl", "dist/air-2.whl", "dist/deep/air-3.whl", "dist/air.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    (home / "dist/folder.whl").mkdir()
    return home


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("dist/air-1.whl", ["air-1.whl"]),
        ("dist/*.whl", ["air-1.whl", "air-2.whl"]),
        ("dist/air-[2-9].whl", ["air-2.whl"]),
        ("d?st/air-1.whl", ["air-1.whl"]),
        ("**/*.whl", ["air-1.whl", "air-2.whl", "air-3.whl"]),
        ("dist/none.whl", []),
        ("none/*.whl", []),
        ("dist", []),
    ],
)
def test_a_pattern_stands_for_files_wherever_the_project_lies(
    folder: Path, pattern: str, names: list[str]
) -> None:
    assert [path.name for path in matching(folder / pattern)] == names


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "dist/air-[12].whl").touch()
    assert matching(folder / "dist/air-[12].whl") == (folder / "dist/air-[12].whl",)
