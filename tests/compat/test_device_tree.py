"""Device trees out of packages, with overlays, held against dtc."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.boot.device_tree import FILE, BadDeviceTree, make_device_tree
from reconix.build.boot.fdt import parse_tree

BOARD = """/dts-v1/;
/ { model = "a board"; chosen { }; led: led { status = "disabled"; }; };
"""
BY_LABEL = """/dts-v1/;
/plugin/;
&led { status = "okay"; };
"""
BY_PATH = """/dts-v1/;
/plugin/;
/ { fragment { target-path = "/"; __overlay__ { added { }; }; }; };
"""
NAME = "maker/board.dtb"
Made = Callable[..., str]


def compiled(text: str, into: Path) -> Path:
    into.parent.mkdir(parents=True, exist_ok=True)
    source = into.with_suffix(".text")
    source.write_text(text)
    run("dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", into, source)
    source.unlink()
    return into


@pytest.fixture
def package(tmp_path: Path, need: Need) -> Path:
    """A package as Debian makes those of kernels."""
    need("dtc", "dpkg-deb")
    root = tmp_path / "root"
    compiled(BOARD, root / "usr/lib/linux-image-6.12-arm64" / NAME)
    (root / "usr/lib/linux-image-6.12-arm64/maker/text.dtb").write_text("no tree")
    (root / "DEBIAN").mkdir()
    said = (
        "Package: k\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: k\n"
    )
    (root / "DEBIAN/control").write_text(said)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, tmp_path / "k.deb")
    return tmp_path / "k.deb"


@pytest.fixture
def made(tmp_path: Path, package: Path) -> Made:
    """Make a device tree and read it as text."""

    def made(*overlays: Path, name: str = NAME) -> str:
        make_device_tree([package], name, overlays, tmp_path / "made")
        assert [path.name for path in (tmp_path / "made").iterdir()] == [FILE]
        return run("dtc", "-q", "-I", "dtb", "-O", "dts", tmp_path / "made" / FILE).decode()

    return made


def test_the_tree_that_is_named_is_taken_as_it_is(tmp_path: Path, made: Made) -> None:
    assert 'model = "a board"' in made()
    original = tmp_path / "root/usr/lib/linux-image-6.12-arm64" / NAME
    assert (tmp_path / "made" / FILE).read_bytes() == original.read_bytes()


def test_our_reader_finds_what_dtc_wrote(tmp_path: Path, made: Made) -> None:
    made()
    tree = parse_tree((tmp_path / "made" / FILE).read_bytes())
    assert tree.root.texts("model") == ("a board",)
    led = tree.find("/led")
    assert led is not None and not led.is_used


def test_overlays_are_applied_in_order_compiled_or_text(tmp_path: Path, made: Made) -> None:
    (tmp_path / "led.dtso").write_text(BY_LABEL)
    said = made(tmp_path / "led.dtso", compiled(BY_PATH, tmp_path / "added.dtbo"))
    assert 'status = "okay"' in said and "added {" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("board.dtb", "did you mean maker/board.dtb"),
        ("maker/bored.dtb", "did you mean maker/board.dtb"),
        ("maker/text.dtb", "is no device tree"),
    ],
)
def test_a_tree_that_is_not_in_the_package_is_told_with_what_is(
    made: Made, name: str, said: str
) -> None:
    with pytest.raises(BadDeviceTree, match=said):
        made(name=name)


@pytest.mark.parametrize(
    "text", [BY_LABEL.replace("&led", "&lamp"), "no tree"], ids=["for another board", "no overlay"]
)
def test_an_overlay_that_does_not_fit_is_told(tmp_path: Path, made: Made, text: str) -> None:
    (tmp_path / "x.dtso").write_text(text)
    with pytest.raises(BadDeviceTree, match=r"the overlay x\.dtso does not fit"):
        made(tmp_path / "x.dtso")
