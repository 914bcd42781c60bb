"""Each tutorial does what it says, on this machine and with a virtual device."""

import os
import sys
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS
from tests.tutorials import TUTORIALS, Reader


@pytest.mark.vm
@pytest.mark.archive
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_can_be_followed(tutorial: Path, tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS, "curl", "gpg", "apt-ftparchive", "buildah", "busybox")
    storage = tmp_path / "storage.conf"
    places = "".join(f'{key} = "{tmp_path / key}"\n' for key in ("graphroot", "runroot"))
    storage.write_text(f'[storage]\ndriver = "vfs"\n{places}')
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "LC_ALL": "C.UTF-8",
    }
    Reader(tmp_path, environment).follow(tutorial)
