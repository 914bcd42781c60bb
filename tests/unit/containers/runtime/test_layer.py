"""What is laid over an image: nothing that the image says can lead it elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconix.config.schema.containers import Container, ContainerFile
from reconix.containers.descriptors import BadImage
from reconix.containers.runtime.layer import ImageFiles, MadeLayer, make_layer
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import parse_entries
from reconix.store.tree import File, Folder, files

SAID: Mapping[bytes, Metadata] = {
    b".": Metadata(0o751),
    b"etc": Metadata(0o711, 5, 6),
    b"srv": Metadata(0o2775, 7, 8, 9),
    b"tmp": Metadata(0o700),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("etc", "srv", "tmp", "run", "var"):
        (tmp_path / name).mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "etc/resolv.conf").symlink_to("../run/resolv.conf")
    (tmp_path / "etc/host.conf").write_text("of the image")
    (tmp_path / "out").symlink_to("../../../../..")
    return tmp_path


def make(root: Path, *, localtime: bytes | None = None, **options: object) -> MadeLayer:
    container = Container(image="x", **options)  # type: ignore[arg-type]
    return make_layer("box", container, ImageFiles(root, SAID), localtime=localtime, source="it")


def nodes(made: MadeLayer) -> dict[str, bytes]:
    """The files; of ``metadata`` only that it is there."""
    return {path: n.content for path, n in files(made.tree) if isinstance(n, File)}


def folders(tree: Folder, under: str = "") -> set[str]:
    found = set()
    for name, node in tree.entries:
        if isinstance(node, Folder):
            found |= {f"{under}{name}", *folders(node, f"{under}{name}/")}
    return found


def test_every_container_has_its_places(root: Path) -> None:
    made = make(root)
    given = nodes(made)
    assert {**given, "metadata": b""} == {
        "metadata": b"",
        "root/etc/resolv.conf": b"",
        "root/etc/hosts": b"",
        "root/etc/hostname": b"box\n",
    }
    assert folders(made.tree) == {"root", "root/dev", "root/etc", "root/proc", "root/sys"}


def test_folders_of_the_image_stay_as_they_are(root: Path) -> None:
    said = dict(make(root, files={"/srv/new/file": ContainerFile(text="x")}).entries)
    assert said[b"root"] == Metadata(0o751)
    assert said[b"root/etc"] == Metadata(0o711, 5, 6)
    assert said[b"root/srv"] == Metadata(0o2775, 7, 8, 9)
    assert said[b"root/srv/new"] == Metadata(0o755)
    assert said[b"root/sys"] == Metadata(0o555)
    assert b"root/tmp" not in said


def test_nobody_but_root_gets_in(root: Path) -> None:
    assert dict(make(root).entries)[b"."] == Metadata(0o700)


def test_the_object_says_what_is_said_of_it(root: Path) -> None:
    made = make(root)
    assert parse_entries(nodes(made)["metadata"], source="it") == made.entries


def test_files_have_their_modes_and_take_the_place_of_links(root: Path) -> None:
    given = {
        "/etc/resolv.conf": ContainerFile(text="own"),
        "/etc/host.conf": ContainerFile(text="own", mode=0o4755),
    }
    made = make(root, files=given)
    assert nodes(made)["root/etc/resolv.conf"] == b"own"
    assert dict(made.entries)[b"root/etc/host.conf"] == Metadata(0o4755)


def test_links_are_followed_in_the_image(root: Path) -> None:
    made = make(
        root,
        volumes={"one": "/var/run/app", "two": "/out/srv/data", "three": "/srv"},
        files={"/out/srv/file": ContainerFile(text="x")},
    )
    assert made.volumes == {
        "/var/run/app": "/run/app",
        "/out/srv/data": "/srv/data",
        "/srv": "/srv",
    }
    assert "root/run/app" in folders(made.tree)
    assert nodes(made)["root/srv/file"] == b"x"
    assert not any(path.startswith(("root/out", "root/var")) for path in nodes(made))


def test_volumes_may_lie_in_each_other(root: Path) -> None:
    made = make(root, volumes={"inner": "/data/a/b", "outer": "/data"}, secrets=("x",))
    assert {"root/data", "root/data/a", "root/data/a/b", "root/run/secrets"} <= folders(made.tree)


def test_a_read_only_container_has_a_place_for_what_it_may_write(root: Path) -> None:
    assert "root/var/tmp" not in folders(make(root).tree)
    assert "root/var/tmp" in folders(make(root, read_only=True).tree)


def test_the_zone_comes_in_the_place_of_that_of_the_image(root: Path) -> None:
    (root / "etc/localtime").symlink_to("/nowhere")
    assert nodes(make(root, localtime=b"TZif"))["root/etc/localtime"] == b"TZif"


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp"])
@pytest.mark.parametrize("target", ["/srv", "nowhere", "../../../tmp"])
def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path: Path, name: str, target: str) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / name).symlink_to(target)
    with pytest.raises(BadImage, match=f"/{name} of its image is no folder"):
        make(tmp_path)


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp"])
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(BadImage, match=f"/{name} of its image is no folder"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"volumes": {"v": "/etc/host.conf"}}, "/etc/host.conf is a file"),
        ({"volumes": {"v": "/etc/host.conf/x"}}, "/etc/host.conf is a file"),
        ({"files": {"/srv": ContainerFile(text="")}}, "there is a folder at /srv"),
        ({"files": {"/etc/host.conf/x": ContainerFile(text="")}}, "/etc/host.conf is a file"),
    ],
)
def test_what_does_not_fit_the_image_is_refused(
    root: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadImage, match=message):
        make(root, **options)
