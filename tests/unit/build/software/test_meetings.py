"""What a tree meets on a device is told, or is an error."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.build.software import source
from reconix.build.software.meetings import Misplaced, check, told
from reconix.build.software.trees import FoundTree
from reconix.config.schema.software import Tree
from reconix.config.schema.system import Kernel, Persist, System, Volume
from reconix.config.schema.values import FolderPath

SYSTEM = System(kernel=Kernel(package="linux-image"))


@pytest.fixture
def air(tmp_path: Path) -> FolderPath:
    made = tmp_path / "air"
    (made / "bin").mkdir(parents=True)
    (made / "bin/air").write_text("#!/bin/sh\n")
    (made / "bin/air").chmod(0o755)
    (made / "data").mkdir()
    return FolderPath(made)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "usr/bin").mkdir(parents=True)
    (made / "usr/bin/sh").touch()
    (made / "usr/share/bin").mkdir(parents=True)
    (made / "srv/tftp").mkdir(parents=True)
    (made / "srv/tftp/boot.img").touch()
    (made / "opt").symlink_to("usr/opt")
    (made / "usr/link").symlink_to("share")
    return made


def found(place: str, tree: Tree) -> FoundTree:
    return FoundTree(place, tree, source.read(tree.source, tree.exclude))


def refused(place: str, tree: Tree, root: Path, system: System = SYSTEM) -> str:
    with pytest.raises(Misplaced) as failure:
        check(found(place, tree), system, root)
    assert failure.value.hint
    assert str(failure.value).startswith(f'trees."{place}": ')
    return str(failure.value)


@pytest.mark.parametrize(
    ("place", "fact"),
    [
        ("/opt/air", "packages have a link at /opt, where a folder would have to be"),
        ("/usr/link/air", "packages have a link at /usr/link"),
        ("/srv/tftp/boot.img", "packages have a file at /srv/tftp/boot.img"),
        ("/usr/bin/sh", "packages have a file at /usr/bin/sh"),
    ],
)
def test_a_tree_is_where_all_around_it_is_folders(
    air: FolderPath, root: Path, place: str, fact: str
) -> None:
    assert fact in refused(place, Tree(source=air), root)


def a_folder_over_a_file(air: Path) -> None:
    (air / "sh").mkdir()


def a_file_over_a_folder(air: Path) -> None:
    (air / "bin/air").unlink()
    (air / "bin").rmdir()
    (air / "bin").write_text("x")


def a_unit(air: Path) -> None:
    (air / "lib/systemd/system").mkdir(parents=True)
    (air / "lib/systemd/system/air.service").write_text("[Service]\n")


@pytest.mark.parametrize(
    ("place", "make", "fact"),
    [
        ("/usr/bin", a_folder_over_a_file, "packages have a file at /usr/bin/sh"),
        ("/usr/share", a_file_over_a_folder, "bin is a file, and packages have a folder there"),
        ("/usr/local", a_unit, "/usr/local/lib/systemd/system/air.service would count when"),
    ],
)
def test_what_is_laid_over_the_root_fits_to_it(
    air: FolderPath, root: Path, place: str, make: Callable[[Path], None], fact: str
) -> None:
    check(found(place, Tree(source=air)), SYSTEM, root)
    make(air)
    assert fact in refused(place, Tree(source=air), root)


PERSIST = System(kernel=SYSTEM.kernel, persist=Persist(paths=("/srv/air/data",)))
VOLUME = System(kernel=SYSTEM.kernel, volumes={"card": Volume(path="/srv/air/data")})


@pytest.mark.parametrize("system", [PERSIST, VOLUME])
def test_what_is_mounted_in_a_tree_has_its_folder_there(
    air: FolderPath, root: Path, system: System
) -> None:
    check(found("/srv/air", Tree(source=air)), system, root)
    (air / "data").rmdir()
    said = refused("/srv/air", Tree(source=air), root, system)
    assert "/srv/air/data is to be mounted, and the folder has no data" in said
    (air / "data").symlink_to("bin")
    assert "has no data" in refused("/srv/air", Tree(source=air), root, system)


@pytest.mark.parametrize("path", ["bin/gone", "bin", "notes"])
def test_set_id_names_programs(air: FolderPath, root: Path, path: str) -> None:
    (air / "notes").touch()
    check(found("/srv/air", Tree(source=air, set_id=("bin/air",))), SYSTEM, root)
    assert path in refused("/srv/air", Tree(source=air, set_id=(path,)), root)


def test_what_is_hidden_replaced_or_lost_is_told(air: FolderPath, root: Path) -> None:
    (air / "sh").write_text("own")
    (air / "sh").chmod(0o4755)
    tree = Tree(source=air)
    lost = "sh loses the set-ID bit: set_id does not name it"
    assert list(told(found("/srv/tftp", tree), root)) == [
        "/srv/tftp hides boot.img of packages",
        f"/srv/tftp: {lost}",
    ]
    assert list(told(found("/usr/bin", tree), root)) == [
        "/usr/bin replaces /usr/bin/sh of packages",
        f"/usr/bin: {lost}",
    ]
    assert list(told(found("/srv/air", Tree(source=air, set_id=("sh",))), root)) == []


def test_private_files_and_histories_are_told(air: FolderPath, root: Path) -> None:
    tree = Tree(source=air)
    assert list(told(found("/srv/air", tree), root)) == []
    (air / "key").touch(0o600)
    (air / "module/.git").mkdir(parents=True)
    assert list(told(found("/srv/air", tree), root)) == [
        "/srv/air: key is private here, and not on a device: use secrets",
        "/srv/air: module/.git comes onto devices: leave it out with exclude",
    ]
    excluded = Tree(source=air, exclude=(".git", "/key"))
    assert list(told(found("/srv/air", excluded), root)) == []


def test_where_all_files_are_private_it_is_the_umask(air: FolderPath, root: Path) -> None:
    (air / "bin/air").chmod(0o700)
    assert list(told(found("/srv/air", Tree(source=air)), root)) == []


def test_a_tree_that_needs_much_memory_on_devices_is_told(air: FolderPath, root: Path) -> None:
    some = found("/srv/air", Tree(source=air))
    many = replace(some, source=replace(some.source, nodes=some.source.nodes * 9000))
    (line,) = told(many, root)
    assert line == "/srv/air has 27000 entries: devices need more than 64 MiB to take it"
