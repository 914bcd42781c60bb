"""What a build looks at before it makes anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.locked_containers import lock_of, locked
from tests.oci_images import file, image, layer, write_layout
from tests.unit.project.test_files import LOCKED, SYSTEM

from reconix.cli.main import main
from reconix.config.lock.document import FILE_NAME, print_lock
from reconix.config.lock.hosts import Lock
from reconix.nix.chroot import ChrootStore
from reconix.project.building import expect_fitting
from reconix.project.downloads import Downloads
from reconix.project.files import ProjectFiles

IMAGE = (layer(file("bin/run", b"program", mode=0o755)),)
CONTAINER = """
[containers.app]
image = "oci:images:app"
user = "nobody"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_layout(
        tmp_path / "images", app=image(tmp_path / "images", IMAGE, config={"Cmd": ["/bin/run"]})
    )
    systems = tmp_path / "hosts/gw/systems"
    systems.mkdir(parents=True)
    project_file = 'name = "test"\narchive.suites = ["trixie", "trixie-updates"]\n'
    (tmp_path / "reconix.toml").write_text(project_file)
    (tmp_path / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (systems / "default.toml").write_text(CONTAINER)
    host = ProjectFiles.read(tmp_path).configuration.hosts["gw"]
    containers = {"app": locked(tmp_path, "oci:images:app")}
    asked = tuple(sorted(set(host.systems["default"].packages)))
    system = replace(SYSTEM, asked=asked, containers=containers)
    lock = replace(
        LOCKED, systems={"default": system}, ranges=lock_of(host, containers, "default").ranges
    )
    (tmp_path / FILE_NAME).write_bytes(print_lock(Lock({"gw": lock})))
    return tmp_path


def test_an_image_that_does_not_fit_is_refused_before_anything_is_built(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The packages of this lock are nowhere, so a build that went on would say that."""
    assert main(["--project", str(project), "--store", str(project / "store"), "build"]) == 65
    said = capsys.readouterr().err
    assert "default.toml:4:1: containers.app.user: user 'nobody' is not in its /etc/passwd" in said
    assert 'user = "nobody"' in said, "the line itself"


def test_a_check_tells_it_once_the_image_was_unpacked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--project", str(project), "--store", str(project / "store"), "check"]
    with ChrootStore(project / "store"):
        pass
    assert main(words) == 0
    main([*words[:-1], "build"])
    capsys.readouterr()
    assert main(words) == 2
    assert "default.toml:4:1: containers.app.user" in capsys.readouterr().err


def test_an_image_that_fits_is_no_reason_to_stop(project: Path) -> None:
    system = project / "hosts/gw/systems/default.toml"
    system.write_text(CONTAINER.replace("nobody", "1000"))
    files = ProjectFiles.read(project)
    host = files.host(None)
    with ChrootStore(project / "store") as store:
        workshop = files.workshop(store, Downloads(project / "cache"))
        expect_fitting(files, host, workshop, files.host_lock(host))
