import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from tests.wheels import make_wheel

from reconix.build.software.python import bytecode
from reconix.build.software.python import wheel as wheel_module
from reconix.build.software.python.unpack import unpack
from reconix.build.software.python.wheel import BadWheel, Wheel
from reconix.store import nar

SITE = "lib/python3.13/site-packages"
PLACE = "/opt/air-venv"
HERE = (sys.executable, "-I", "-S", "-B", "-W", "ignore")


def unpacked(path: Path, into: Path, *, compiled: bool = False) -> Path:
    def compile_here(archive: bytes) -> bytes:
        return bytecode.compile_with(HERE, archive)

    unpack(Wheel.read(path), "3.13", PLACE, into, compile_here if compiled else None)
    return into


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def test_each_part_of_a_wheel_goes_where_it_belongs(tmp_path: Path) -> None:
    data = "air-1.4.data"
    files = {
        "air/__init__.py": "",
        f"{data}/purelib/extra.py": "",
        f"{data}/headers/air.h": "",
        f"{data}/data/share/air/x.txt": "x",
        f"{data}/scripts/tool": "#!python\nprint(1)\n",
        f"{data}/scripts/shell": "#!/bin/sh\n",
    }
    modes = {f"{data}/scripts/shell": 0o100755}
    path = make_wheel(tmp_path, files=files, scripts={"air": "air:run"}, modes=modes)
    found = unpacked(path, tmp_path / "tree")
    about = f"{SITE}/air-1.4.dist-info"
    assert names(found) == sorted(
        [
            *("bin/air", "bin/shell", "bin/tool"),
            "include/site/python3.13/air/air.h",
            *(f"{SITE}/air/__init__.py", f"{SITE}/extra.py", "share/air/x.txt"),
            *(f"{about}/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")),
            f"{about}/entry_points.txt",
        ]
    )
    for script in ("air", "tool"):
        assert (found / "bin" / script).read_text().startswith(f"#!{PLACE}/bin/python3\n")
    assert os.access(found / "bin/air", os.X_OK) and os.access(found / "bin/shell", os.X_OK)
    assert (found / about / "INSTALLER").read_text() == "reconix\n"


def test_a_wheel_has_the_same_bytes_whoever_unpacks_it(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, scripts={"air": "air:run"})
    one = nar.digest(unpacked(path, tmp_path / "one", compiled=True))
    before = os.umask(0o077)
    try:
        other = nar.digest(unpacked(path, tmp_path / "a longer name", compiled=True))
    finally:
        os.umask(before)
    assert one == other


def test_modules_are_compiled_beside_their_sources(tmp_path: Path) -> None:
    files = {"air/__init__.py": "X = 1\n", "air/bad.py": "def", "air/data.txt": ""}
    path = make_wheel(tmp_path, files=files)
    tree = unpacked(path, tmp_path / "tree", compiled=True)
    found = [name for name in names(tree) if name.endswith(".pyc")]
    assert found == [f"{SITE}/air/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"]


def test_what_somebody_else_has_compiled_is_left_out(tmp_path: Path) -> None:
    files = {"air/__init__.py": "", "air/__pycache__/__init__.cpython-313.pyc": "x"}
    tree = unpacked(make_wheel(tmp_path, files=files), tmp_path / "tree")
    assert not [name for name in names(tree) if "__pycache__" in name]


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", "-x", ".hidden", "a b", "x\x1b", "python3", "activate"]
)
def test_a_script_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    path = make_wheel(tmp_path, scripts={name: "air:run"})
    with pytest.raises(BadWheel) as failure:
        unpacked(path, tmp_path / "tree")
    assert str(failure.value).isprintable()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("function", ["", "air", "air:", "a b:c", "air:run\n[x", "%(x)s:y"])
def test_entry_points_that_cannot_be_read_are_refused(tmp_path: Path, function: str) -> None:
    path = make_wheel(tmp_path, scripts={"air": function})
    with pytest.raises(BadWheel, match=r"entry_points\.txt cannot be read"):
        unpacked(path, tmp_path / "tree")


def test_the_umask_of_whoever_builds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to the whole process, and wheels are unpacked by several threads."""
    path = make_wheel(tmp_path, scripts={"air": "air:run"}, modes={"air/__init__.py": 0o100755})
    asked: list[int] = []
    monkeypatch.setattr(os, "umask", asked.append)
    unpacked(path, tmp_path / "tree")
    assert not asked


@pytest.mark.parametrize(
    "name",
    [
        "air-1.4.data/data/pyvenv.cfg",
        "air-1.4.data/scripts/python",
        "air-1.4.data/data/bin/python3.13",
        "air-1.4.data/data/lib64/x",
    ],
)
def test_what_the_environment_has_itself_no_wheel_brings(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadWheel, match="is of the environment itself"):
        unpacked(make_wheel(tmp_path, files={name: "x"}), tmp_path / "tree")


@pytest.mark.parametrize(
    "files",
    [
        {"air/x": "1", "air-1.4.data/purelib/air/x": "2"},
        {"air": "1", "air-1.4.data/purelib/air/x": "2"},
        {"air-1.4.data/scripts/air": "#!python\n"},
    ],
)
def test_two_files_of_one_name_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    path = make_wheel(tmp_path, files=files, scripts={"air": "air:run"})
    with pytest.raises(BadWheel, match="two of its files have one name"):
        unpacked(path, tmp_path / "tree")


def test_a_part_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWheel, match="not contained in a valid"):
        unpacked(make_wheel(tmp_path, files={"air-1.4.data/etc/x": "x"}), tmp_path / "tree")


def test_a_wheel_that_its_record_does_not_describe_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadWheel, match="RECORD"):
        unpacked(make_wheel(tmp_path, record=False), tmp_path / "tree")
    path = make_wheel(tmp_path, files={"air/x": "content", "air/y": "other"})
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(other, "w") as bad:
        for entry in good.infolist():
            content = good.read(entry)
            bad.writestr(entry, b"CONTENT" if entry.filename == "air/x" else content)
    for large in (False, True):
        monkeypatch.setattr(wheel_module, "_IN_MEMORY_BYTES", 0 if large else 1 << 20)
        with pytest.raises(BadWheel, match="air/x didn't match RECORD"):
            unpacked(other, tmp_path / f"changed {large}")
        unpacked(path, tmp_path / f"good {large}")


def test_a_set_id_bit_of_an_archive_is_nothing(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, files={"air/x": "x"}, modes={"air/x": 0o104755})
    mode = (unpacked(path, tmp_path / "tree") / SITE / "air/x").stat().st_mode
    assert mode & (stat.S_ISUID | stat.S_ISGID) == 0
