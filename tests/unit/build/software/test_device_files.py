"""A path of a device leads to a file on the build machine, or nobody knows yet where it leads."""

from pathlib import Path

import pytest

from reconix.build.software.device_files import Absent, DeviceFiles, Part
from reconix.config.schema.system import Kernel, Persist, System

SYSTEM = System(kernel=Kernel(package="linux-image"), persist=Persist(paths=("/opt/kept",)))


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    for path in (
        *("root/usr/bin/sh", "root/usr/share/both", "root/opt/air/hidden", "root/etc/both"),
        *("etc/both", "etc/alternatives/editor", "layer/usr/share/both", "layer/srv/own"),
        *("air/bin/air", "air/current/x"),
    ):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path)
    (tmp_path / "root/usr/bin/editor").symlink_to("/etc/alternatives/editor")
    (tmp_path / "root/usr/bin/air").symlink_to("../../opt/air/latest")
    (tmp_path / "air/latest").symlink_to("bin/air")
    (tmp_path / "air/up").symlink_to("../../usr/bin")
    (tmp_path / "air/circle").symlink_to("circle")
    (tmp_path / "air/state").symlink_to("/var/lib/air/state")
    return tmp_path


@pytest.fixture
def files(objects: Path) -> DeviceFiles:
    parts = (
        Part("/opt/air", objects / "air", hides=True),
        Part("/etc", objects / "etc"),
        Part("", objects / "layer"),
        Part("", objects / "root"),
    )
    return DeviceFiles.of(SYSTEM, parts)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/usr/bin/sh", "root/usr/bin/sh"),
        ("/bin/sh", "root/usr/bin/sh"),
        ("/bin/../bin/sh", "root/usr/bin/sh"),
        ("/usr/bin/editor", "etc/alternatives/editor"),
        ("/usr/bin/air", "air/bin/air"),
        ("/opt/air/up/sh", "root/usr/bin/sh"),
        ("/opt/air", "air"),
        ("/etc/both", "etc/both"),
        ("/usr/share/both", "layer/usr/share/both"),
        ("/srv/own", "layer/srv/own"),
        ("/", "layer"),
    ],
)
def test_a_path_is_followed_through_all_that_a_device_has(
    files: DeviceFiles, objects: Path, path: str, found: str
) -> None:
    where = files.find(path)
    assert isinstance(where, Path)
    assert where.resolve() == objects / found


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/usr/bin/gone", Absent.MISSING),
        ("/opt/air/hidden", Absent.MISSING),
        ("/opt/air/circle", Absent.MISSING),
        ("/opt/air/state", Absent.UNKNOWN),
        ("/run/x", Absent.UNKNOWN),
        ("/var/lib/air/program", Absent.UNKNOWN),
        ("/opt/kept/x", Absent.UNKNOWN),
        ("/opt/keptx", Absent.MISSING),
    ],
)
def test_what_is_not_there_is_missing_or_not_known_yet(
    files: DeviceFiles, path: str, why: Absent
) -> None:
    assert files.find(path) is why


def test_folders_of_one_name_are_one_on_the_device(files: DeviceFiles, objects: Path) -> None:
    assert list(files.inside("/usr/share")) == [
        objects / "layer/usr/share",
        objects / "root/usr/share",
    ]
    assert list(files.inside("/opt/air")) == [objects / "air/"]
