"""What stands at the paths of a device."""

from collections.abc import Mapping

import pytest

from reconix.build.software.placed import Bound, Layer, Placed
from reconix.composition.device_view import DeviceView, Provenance
from reconix.config.schema.system import Kernel, System
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder

SYSTEM = System(kernel=Kernel(package="linux-image-amd64"))

Files = Mapping[str, File | Symlink | Folder]

ROOT: Files = {
    "bin": Symlink("usr/bin"),
    "usr/bin/tool": File(b"of the root"),
    "usr/lib/modules/old": File(b""),
    "etc/conf": File(b"of the root"),
    "etc/own/other": File(b""),
    "srv/link": Symlink("/opt/air"),
    "srv/circle": Symlink("circle"),
}
ETC: Files = {"conf": File(b"generated"), "own/one": File(b"")}
LAYER: Files = {"usr/bin/tool": File(b"of the project"), "usr/local/bin/more": File(b"")}


@pytest.fixture
def view(store: ChrootStore) -> DeviceView:
    def add(name: str, files: Files) -> StorePath:
        return store.add_files(folder({**files}), name)

    root, etc, layer = add("root", ROOT), add("etc", ETC), add("layer", LAYER)
    linux = add("linux", {"modules/6.12/x.ko": File(b""), "vmlinuz": File(b"")})
    tree, sidecar = add("tree", {"bin/air": File(b"")}), add("x.sidecar", {})
    placed = Placed((Bound("/opt/air", tree, sidecar),), (Layer(layer, sidecar),))
    top = folder(
        {
            "root": Symlink(str(root)),
            "etc": Symlink(str(etc)),
            "modules": Symlink(f"{linux}/modules"),
            **{name: File(content) for name, content in placed.lists().items()},
        }
    )
    toplevel = store.add_files(top, "system-x", [root, etc, layer, linux, tree])
    return DeviceView.read(store, SYSTEM, toplevel)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("usr/bin/tool", [Provenance.LAYER, Provenance.ROOT]),
        ("usr/local/bin/more", [Provenance.LAYER]),
        ("etc/conf", [Provenance.ETC, Provenance.ROOT]),
        ("etc/own", [Provenance.ETC, Provenance.ROOT]),
        ("etc/own/other", [Provenance.ROOT]),
        ("usr/lib/modules/6.12/x.ko", [Provenance.MODULES]),
        ("opt/air", [Provenance.TREE]),
        ("opt/air/bin/air", [Provenance.TREE]),
        ("opt/airy", []),
        ("usr/bin/nothing", []),
    ],
)
def test_a_path_is_in_these_objects(view: DeviceView, path: str, parts: list[Provenance]) -> None:
    found = list(view.find(path))
    assert [each.provenance for each in found] == parts
    assert all(each.place.exists() for each in found)


def test_folders_above_a_path_are_followed(view: DeviceView) -> None:
    assert view.real("bin/tool") == "usr/bin/tool"
    assert view.real("srv/link/bin/air") == "opt/air/bin/air"
    assert view.real("srv/link") == "srv/link", "the link itself is meant"
    assert view.real("../srv/circle/../../x") == "x"
    assert list(view.find(view.real("srv/circle/x"))) == []


def test_the_names_in_a_folder_are_those_of_all_objects(view: DeviceView) -> None:
    assert view.names("etc/own") == {"one", "other"}
    assert view.names("usr/bin") == {"tool"}
    assert view.names("usr/bin/tool") == set()
    assert {"usr", "etc", "bin"} <= view.names("")
