"""The minimal root has what stays, as it was, and Python's modules in one form."""

import lzma
import os
from pathlib import Path

from tests.device_trees import write

from reconix.build.minify import licences
from reconix.build.minify.minimal_root import OMITTED, Minimal
from reconix.build.software.owners import Owners
from reconix.store.images.nodes import Metadata

P = "usr/lib/python3.13/json"
ROOT = {
    "bin": "> usr/bin",
    "usr/bin/air": "#!/bin/sh\n",
    "usr/bin/gone": "",
    "usr/share/air/x": "data",
    "var/lib/air": None,
    f"{P}/a.py": "source",
    f"{P}/b.py": "source of b",
    f"{P}/__pycache__/a.cpython-313.pyc": "bytecode",
    "losses": "",
    "var/lib/dpkg/info/air.list": "/bin/air\n/usr/share/air/x\n/usr/bin/gone\n/var/lib/air\n",
    "var/lib/dpkg/info/python:amd64.list": f"/{P}/a.py\n/{P}/b.py\n",
    "metadata": "x",
}
STAYS = (
    "bin",
    "usr/bin/air",
    "usr/share/air/x",
    "var/lib/air",
    f"{P}/a.py",
    f"{P}/b.py",
    "etc/own",
)


def made(folder: Path) -> tuple[Minimal, Path]:
    root = write(folder / "root", ROOT)
    minimal = Minimal.of(root, STAYS)
    minimal.write(root, folder / "minimal")
    return minimal, folder / "minimal"


def test_only_what_stays_is_there(tmp_path: Path) -> None:
    _, place = made(tmp_path)
    leaves = (path for path in place.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {str(path.relative_to(place)) for path in leaves}
    assert found == {
        *("bin", "usr/bin/air", "usr/share/air/x", "losses", f"{P}/a.pyc", f"{P}/b.py"),
        *("lists/air.list", "lists/python.list"),
    }
    assert (place / "var/lib/air").is_dir()
    assert (place / "usr/share/air/x").read_text() == "data"


def test_links_and_programs_are_what_they_were(tmp_path: Path) -> None:
    _, place = made(tmp_path)
    assert os.readlink(place / "bin") == "usr/bin"  # noqa: PTH115
    assert os.access(place / "usr/bin/air", os.X_OK)
    assert not (place / "usr/share/air/x").stat().st_mode & 0o111


def test_bytecode_stands_where_the_source_was(tmp_path: Path) -> None:
    _, place = made(tmp_path)
    assert (place / P / "a.pyc").read_text() == "bytecode"
    assert (place / P / "b.py").read_text() == "source of b"


def test_a_source_that_is_asked_for_stays_a_source(tmp_path: Path) -> None:
    minimal = Minimal.of(write(tmp_path, ROOT), STAYS, {f"{P}/a.py"})
    assert f"{P}/a.py" in minimal.origins
    assert f"{P}/a.pyc" not in minimal.origins


def test_of_lists_only_lines_stay_that_count(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {**ROOT, "etc/shells": "/bin/air\n/bin/gone\n"})
    minimal = Minimal.of(root, (*STAYS, "etc/shells"))
    minimal.write(root, tmp_path / "minimal")
    assert (tmp_path / "minimal/etc/shells").read_text() == "/bin/air\n"


def test_licences_are_one_file_for_what_stays(tmp_path: Path) -> None:
    doc = {f"usr/share/doc/{name}/copyright": f"({name})" for name in ("air", "python", "gone")}
    root = write(tmp_path / "root", {**ROOT, **doc})
    for stays, there in ((STAYS, False), ((*STAYS, "usr/share/doc"), True)):
        into = tmp_path / f"minimal {there}"
        Minimal.of(root, stays).write(root, into)
        assert (into / licences.FILE).exists() == there
    text = lzma.decompress((into / licences.FILE).read_bytes())
    assert text == b"=== air\n(air)\n\n=== python\n(python)\n\n"


def test_a_sidecar_follows(tmp_path: Path) -> None:
    minimal, _ = made(tmp_path)
    said = {
        b".": Metadata(0o755),
        b"usr/bin/air": Metadata(0o4755),
        b"usr/bin/gone": Metadata(0o755),
        b"usr": Metadata(0o755),
        f"{P}/a.py".encode(): Metadata(0o644, mtime=5),
        f"{P}/__pycache__/a.cpython-313.pyc".encode(): Metadata(0o600, mtime=7),
    }
    assert minimal.entries(tuple(sorted(said.items()))) == (
        (b".", Metadata(0o755)),
        (b"usr", Metadata(0o755)),
        (b"usr/bin/air", Metadata(0o4755)),
        (f"{P}/a.pyc".encode(), Metadata(0o600, mtime=7)),
    )


def test_packages_are_known_of_what_is_left_of_them(tmp_path: Path) -> None:
    _, place = made(tmp_path)
    owners = Owners.read(place)
    assert owners.of("usr/bin/air").packages == ("air",)
    assert owners.of("var/lib/air").packages == ("air",)
    assert owners.of(f"{P}/a.pyc").packages == ("python",)
    assert owners.of(f"{P}/b.py").packages == ("python",)
    assert (place / "lists/air.list").read_text().splitlines() == [
        *("/usr/bin/air", "/usr/share/air/x", "/var/lib/air"),
    ]
    assert OMITTED == (b"lists", b"losses")
