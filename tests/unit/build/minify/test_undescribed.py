"""Only modules of Python itself are compiled once more, and only where there is a Python."""

from pathlib import Path

import pytest
from tests.device_trees import write

from reconix.base.architecture import Architecture
from reconix.build.minify import undescribed

AMD64 = Architecture("amd64")
OWN = "usr/lib/python3.13/json/decoder.py"


def test_a_root_without_python_has_nothing_to_compile(tmp_path: Path) -> None:
    assert not undescribed.compiled(write(tmp_path, {OWN: ""}), [OWN], AMD64)


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/python3/dist-packages/x.py",
        "usr/lib/python3.13/dist-packages/x.py",
        "opt/app/x.py",
        "usr/lib/python3.13/lib-dynload/x.so",
    ],
)
def test_what_is_not_pythons_own_is_left_alone(path: str, tmp_path: Path) -> None:
    link = "usr/lib/python3.13/sitecustomize.py"
    root = write(tmp_path, {path: "", link: "> /etc/x", "usr/bin/python3": "no program"})
    assert not undescribed.compiled(root, [path, link], AMD64)
