"""A minimal root that lacks what a file of it needs is refused."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_trees import Tree, write

from reconix.base.process import run
from reconix.build.minify.checks import Roots
from reconix.build.software.device_files import Part
from reconix.build.software.programs import BrokenPrograms

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
ROOT: Tree = {
    "usr/bin/sh": "",
    "usr/bin/air": "#!/usr/bin/sh\n",
    "usr/bin/odd": "#!/usr/bin/never-there\n",
    "usr/bin/link": "> air",
    "usr/bin/broken": "> never-there",
    "usr/bin/conf": "> /etc/conf",
    "usr/bin/later": "> /run/x",
}


def faults(folder: Path, *gone: str) -> list[str]:
    full = write(folder / "full", ROOT)
    minimal = write(
        folder / "minimal", {path: text for path, text in ROOT.items() if path not in gone}
    )
    above = [Part("/etc", write(folder / "etc", {"conf": ""}))]
    return [str(each) for each in Roots(minimal, full, above, ARCHITECTURE).faults()]


def test_what_was_broken_before_passes(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


def test_an_interpreter_that_went_is_missed(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, "usr/bin/sh")
    assert said == "/usr/bin/air needs the interpreter /usr/bin/sh, which is not there"


def test_a_link_to_what_went_is_told(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, "usr/bin/air")
    assert said == "/usr/bin/link is a link to something that went"


def test_the_shell_of_an_account_must_stay(tmp_path: Path) -> None:
    accounts = "root:x:0:0::/root:/usr/bin/bash\nme:x:1:1::/:/usr/bin/none\n"
    full = write(tmp_path / "full", {"etc/passwd": accounts, "usr/bin/bash": ""})
    minimal = write(tmp_path / "minimal", {"etc/passwd": accounts})
    assert [str(each) for each in Roots(full, full, (), ARCHITECTURE).faults()] == []
    (fault,) = Roots(minimal, full, (), ARCHITECTURE).faults()
    assert str(fault) == "/etc/passwd has the shell /usr/bin/bash for root, which went"


def test_a_program_that_was_never_there_is_told_and_no_error(tmp_path: Path) -> None:
    lines = ("ExecStart=/usr/bin/none --x", "ExecStop=-/usr/bin/perhaps", "ExecReload=/usr/bin/sh")
    unit = "\n".join(("[Service]", *lines))
    root = write(tmp_path / "root", {"usr/lib/systemd/system/a.service": unit, "usr/bin/sh": ""})
    roots = Roots(root, root, (), ARCHITECTURE)
    roots.check()
    assert [*roots.never_there()] == ["a.service starts /usr/bin/none, which was never there"]


def test_a_library_that_went_is_an_error(tmp_path: Path, need: Callable[..., None]) -> None:
    need("gcc")
    full = write(tmp_path / "full", {"usr/lib/x": ""})
    (tmp_path / "f.c").write_text("int f(void) { return 1; }\n")
    (tmp_path / "main.c").write_text("int f(void);\nint main(void) { return f(); }\n")
    library = full / "usr/lib/libf.so.1"
    run("gcc", "-shared", "-fPIC", "-Wl,-soname,libf.so.1", "-o", library, tmp_path / "f.c")
    (full / "usr/bin").mkdir()
    run("gcc", "-o", full / "usr/bin/air", tmp_path / "main.c", library)
    shutil.copytree(full, tmp_path / "minimal")
    roots = Roots(tmp_path / "minimal", full, (), ARCHITECTURE)
    roots.check()
    (tmp_path / "minimal/usr/lib/libf.so.1").unlink()
    with pytest.raises(BrokenPrograms, match=r"needs the library libf\.so\.1") as caught:
        roots.check()
    assert "minify.keep" in caught.value.hint
