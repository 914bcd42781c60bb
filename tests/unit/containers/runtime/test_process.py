"""What runs in a container, of what its image and its configuration say."""

from pathlib import Path

import pytest

from reconix.config.schema.containers import Container, ContainerFile
from reconix.containers.descriptors import BadImage
from reconix.containers.runtime.process import CAPABILITIES, Process, describe, process_of
from reconix.containers.settings import Settings
from reconix.containers.users import Ids

IMAGE = Settings(
    command=("/bin/run",), environment=(("B", "1"), ("A", "=2")), user="app", folder="/srv"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "srv").mkdir()
    (tmp_path / "etc/passwd").write_text("app:x:1000:50:::\nfar:x:65536:50:::\n")
    return tmp_path


def of(root: Path, container: Container, image: Settings = IMAGE) -> Process:
    return process_of("box", container, image, root, source="containers.box")


def test_an_image_says_all(root: Path) -> None:
    found = of(root, Container(image="x"))
    assert found == Process(
        ("/bin/run",),
        (
            ("A", "=2"),
            ("B", "1"),
            ("HOSTNAME", "box"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ),
        Ids(1000, 50),
        "/srv",
    )


def test_a_configuration_wins(root: Path) -> None:
    container = Container(
        image="x",
        command=("other",),
        environment={"A": "new", "PATH": "/bin"},
        user="7:8",
        working_directory="/etc",
        set_id=True,
    )
    found = of(root, container)
    environment = {"A": "new", "B": "1", "HOSTNAME": "box", "PATH": "/bin"}
    ids = Ids(7, 8)
    assert found == Process(("other",), tuple(environment.items()), ids, "/etc", gains_rights=True)


@pytest.mark.parametrize(
    "container",
    [
        Container(image="x", working_directory="/data/app", volumes={"v": "/data/app"}),
        Container(image="x", working_directory="/data", volumes={"v": "/data/app"}),
    ],
)
def test_a_folder_may_be_there_because_of_a_volume(root: Path, container: Container) -> None:
    assert of(root, container).folder == container.working_directory


def test_a_folder_may_be_there_because_of_a_file(root: Path) -> None:
    files = {"/opt/app/conf": ContainerFile(text="x")}
    container = Container(image="x", working_directory="/opt/app", files=files)
    assert of(root, container).folder == "/opt/app"


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (Container(image="x", working_directory="/none"), "the folder /none is not in its image"),
        (Container(image="x", working_directory="/etc/passwd"), "is not in its image"),
        (Container(image="x", user="nobody"), "user 'nobody' is not in its /etc/passwd"),
        (Container(image="x", user="far"), "runs under the number 65536"),
        (Container(image="x", user="1:65536"), "runs under the number 65536"),
    ],
)
def test_what_is_not_there_is_refused(root: Path, container: Container, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        of(root, container)


def test_root_has_the_capabilities_of_podman_and_others_none() -> None:
    root, other = (Process(("x",), (), Ids(number, 0), "/") for number in (0, 1))
    assert describe(root)["capabilities"] == {
        "ambient": (),
        "bounding": CAPABILITIES,
        "effective": CAPABILITIES,
        "inheritable": (),
        "permitted": CAPABILITIES,
    }
    assert describe(other)["capabilities"] == {
        "ambient": (),
        "bounding": (),
        "effective": (),
        "inheritable": (),
        "permitted": (),
    }


def test_another_command_runs_as_the_same_user() -> None:
    process = Process(("x",), (("A", "b=c"),), Ids(1, 2, (3,)), "/srv")
    own, other = describe(process), describe(process, ("check",))
    assert other == {**own, "args": ("check",)}
    assert own["env"] == ["A=b=c"]
    assert own["user"] == {"uid": 1, "gid": 2, "additionalGids": (3,), "umask": 0o022}
