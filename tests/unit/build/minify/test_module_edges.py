"""What modules need, and which of them a name or a device means."""

from pathlib import Path

import pytest
from tests.kernel_trees import VERSION, make_modules

from reconix.build.minify.module_edges import ModuleEdges


@pytest.fixture
def edges(tmp_path: Path) -> ModuleEdges:
    return ModuleEdges.read(make_modules(tmp_path) / VERSION, "top")


def test_a_module_reaches_what_it_needs_and_what_is_loaded_with_it(edges: ModuleEdges) -> None:
    assert [*edges.of("top/kernel/a/net.ko")] == [("top/kernel/b/core.ko", "needs the module core")]
    assert [*edges.of("top/kernel/b/core.ko")] == [
        ("top/kernel/c/crc.ko", "is loaded with crypto-crc32c"),
        ("top/kernel/c/dma.ko", "is loaded with dma"),
    ]
    assert [*edges.of("top/modules.alias.bin"), *edges.of("top/kernel/c")] == []


@pytest.mark.parametrize(
    ("alias", "module"),
    [
        ("virtio:d00000001v00001AF4", "a/net"),
        ("acpi:SND1:", "c/sound"),
        ("virtio:d00000002v00001AF4", ""),
        ("pci:v1", ""),
    ],
)
def test_a_device_means_the_modules_with_such_a_pattern(
    edges: ModuleEdges, alias: str, module: str
) -> None:
    found = [each.target for each in edges.means(alias, "")]
    assert found == ([f"top/kernel/{module}.ko"] if module else [])


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("nft-nat", ["c/nft_nat"]),
        ("fs-vfat", ["c/vfat"]),
        ("ext4", []),
        ("none", []),
    ],
)
def test_a_name_means_a_module_or_what_it_is_an_alias_of(
    edges: ModuleEdges, name: str, modules: list[str]
) -> None:
    assert [e.target for e in edges.named(name, "")] == [f"top/kernel/{m}.ko" for m in modules]


def test_a_pattern_means_all_modules_like_it(edges: ModuleEdges) -> None:
    assert [each.target for each in edges.like("*a*", "")] == [
        f"top/kernel/{name}.ko" for name in ("c/dma", "c/nft_nat", "c/vfat")
    ]


def test_older_programs_write_fewer_index_files(tmp_path: Path) -> None:
    folder = make_modules(tmp_path) / VERSION
    (folder / "modules.weakdep").unlink()
    (folder / "modules.softdep").write_text("softdep\nsoftdep core\n")
    assert [*ModuleEdges.read(folder, "top").of("top/kernel/b/core.ko")] == []
