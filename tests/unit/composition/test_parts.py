"""What a generation has, part by part."""

from pathlib import Path

import pytest
from tests.installed_packages import KERNEL_FILE, add_generation

from reconix.base.digests import Digest
from reconix.build.measured import Measured
from reconix.composition.parts import Content, Kind, Part, contents, owned
from reconix.device.settings.containers import Container, print_containers
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, print_sidecar
from reconix.store.tree import File, folder

KERNEL = Part("kernel", "6.12", Kind.KERNEL)
BOTH = frozenset({"default", "mail"})


@pytest.fixture
def found(built: ChrootStore) -> list[Content]:
    return contents(built, read_generation(built.store_dir, add_generation(built)))


def sizes(found: list[Content], part: Part) -> list[tuple[str, int, frozenset[str]]]:
    return sorted((c.area, c.size_bytes, c.systems) for c in found if c.part == part)


def test_contents_are_those_that_a_device_has(built: ChrootStore) -> None:
    generation = read_generation(built.store_dir, add_generation(built))
    found = contents(built, generation)
    measured = Measured(built)
    whole = measured.generation(generation.path).size
    assert (len(found), _sum(found)) == (whole.contents, whole.contents_bytes)
    for system in generation.systems:
        own = [each for each in found if system.name in each.systems]
        size = measured.system(system.toplevel).size
        assert (len(own), _sum(own)) == (size.contents, size.contents_bytes)


def test_what_a_sidecar_omits_is_left_out_with_all_below_it(tmp_path: Path) -> None:
    with ChrootStore(tmp_path) as store:
        files = {"doc/copyright": File(b"c" * 500), "doc/more/deep/old": File(b"o" * 600)}
        tree = store.add_files(folder(files), "root")
        sidecar = Sidecar(tree, omitted=(b"doc/more",))
        said = store.add_files(File(print_sidecar(sidecar)), sidecar.name, [tree])
        assert _sum(owned(store, {"one": [tree]})) == 1100
        assert _sum(owned(store, {"one": [tree, said]})) == 500


def _sum(found: list[Content]) -> int:
    return sum(each.size_bytes for each in found)


def test_files_of_a_root_are_those_of_its_packages(found: list[Content]) -> None:
    tool = Part("tool", "2-1", Kind.PACKAGE)
    assert sizes(found, tool) == [
        ("usr/bin", len("tool usr/bin/tool") * 9, BOTH),
        ("usr/lib/tool", len("tool usr/lib/tool/tool.py") * 9, BOTH),
    ]
    server = Part("server", "2-1", Kind.PACKAGE)
    assert {systems for _, _, systems in sizes(found, server)} == {frozenset({"mail"})}
    names = {each.part.name for each in found}
    assert {"tool", "library", "shell", "server", "post", "kernel", "(agent)"} <= names


def test_a_content_that_several_parts_have_counts_with_the_first(found: list[Content]) -> None:
    assert sizes(found, KERNEL) == [("", 3000, BOTH), ("modules", 200, BOTH)]
    assert len(KERNEL_FILE.content) == 3000, "the boot partition has it, too"
    boot = sizes(found, Part("(boot partition)", kind=Kind.BOOT))
    assert [size for _, size, systems in boot if not systems] == [400, 735], "and what it is"
    assert sizes(found, Part("(initrd)", kind=Kind.KERNEL)) == [("", 500, BOTH)]


def test_modules_of_an_object_of_their_own_are_of_the_kernel(built: ChrootStore) -> None:
    generation = add_generation(built, modules_apart=True)
    found = contents(built, read_generation(built.store_dir, generation))
    assert sizes(found, KERNEL) == [("", 3000, BOTH), ("modules", 200, BOTH)]


def test_a_program_and_a_file_that_are_equal_are_one_content(found: list[Content]) -> None:
    shell = sizes(found, Part("shell", "2-1", Kind.PACKAGE))
    assert shell == [("usr/bin", len("shell bin/shell") * 9, BOTH)]
    assert not [c for c in found if c.size_bytes == shell[0][1] and c.part.name != "shell"]


def test_what_is_not_on_a_device_does_not_count(found: list[Content]) -> None:
    assert all(each.size_bytes != len("what is not on a device" * 99) for each in found)
    assert all(each.size_bytes > 64 for each in found)


def containers(store: ChrootStore) -> StorePath:
    """Two containers with one image, in which there is a program of the system."""
    tool = b"tool usr/bin/tool" * 9
    image = store.add_files(
        folder({"root/bin/tool": File(tool), "root/bin/own": File(b"own" * 99)}), "container-root"
    )
    layers = {
        name: store.add_files(folder({"root/conf": File(name.encode() * 99)}), f"layer-{name}")
        for name in ("app", "web")
    }
    listed = [
        Container(name, f"{name}.service", Digest.of(b""), objects=(layer, image))
        for name, layer in layers.items()
    ]
    tree = folder({"containers.json": File(print_containers(listed)), "x": File(b"x" * 99)})
    return store.add_files(tree, "containers-mail", [image, *layers.values()])


def test_what_containers_take_besides_counts_with_their_names(built: ChrootStore) -> None:
    path = add_generation(built, {"mail": containers(built)})
    found = contents(built, read_generation(built.store_dir, path))
    app, web = (Part(f"container {name}", kind=Kind.CONTAINER) for name in ("app", "web"))
    mail = frozenset({"mail"})
    assert sizes(found, app) == [("root", 297, mail), ("root/bin", 297, mail)]
    assert sizes(found, web) == [("root", 297, mail)]
    tool = Part("tool", "2-1", Kind.PACKAGE)
    assert sizes(found, tool)[0] == ("usr/bin", len("tool usr/bin/tool") * 9, BOTH)
    generated = [each for each in found if each.part.name == "(generated files)"]
    assert 99 in [each.size_bytes for each in generated]
