"""What NixOS does on a device before it finds its store: the module of the example."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.nixos_shape import nix_environment
from tests.system_partitions import SHELLS, SystemPartition, file, folder

from reconix.base.process import run
from reconix.build.boot import initrd

FOLDER = Path(__file__).parents[2] / "examples/nixos/nixos"
CONTENT = b"what is run " * 99

STUB = """
let
  module = import {folder}/reconix.nix {{
    config = {{ reconix.systemPartition = "/dev/x"; boot.initrd.systemd.enable = {enabled}; }};
    lib = {{ mkOption = x: x; types.str = "str"; mkIf = when: what: if when then what else ""; }};
    pkgs.util-linux = "/util-linux";
  }};
in module.config.boot.initrd // {{ inherit (module.config) fileSystems; }}
"""
"""The module with the few words of NixOS that it needs."""


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_the_module_mounts_the_store_in_both_kinds_of_stage_1(
    need: Callable[..., None], tmp_path: Path, enabled: str
) -> None:
    need("nix-instantiate")
    text = STUB.format(folder=FOLDER, enabled=enabled)
    words = ("nix-instantiate", "--eval", "--strict", "--json", "-E", text)
    made = json.loads(run(*words, environment=nix_environment(tmp_path)))
    assert made["fileSystems"]["/system"]["neededForBoot"]
    script = made["systemd"]["services"]["reconix-store"]["script"]
    assert script.startswith("(\nroot=/sysroot\n")
    assert ("root=$targetRoot" in made["postMountCommands"]) == (enabled == "false")
    for each in (script, made["postMountCommands"]):
        run("busybox", "sh", "-n", "-c", each)


@pytest.fixture
def partition(tmp_path: Path) -> SystemPartition:
    made = SystemPartition.make(tmp_path)
    made.content(CONTENT)
    return made


def script(images: str) -> str:
    text = (FOLDER / "store.sh").read_text().replace("$(cat /proc/cmdline)", f"quiet {images}")
    begin = "mkdir -p /new/system && mount --bind /mnt/system /new/system\nset -e\nroot=/new\n"
    return begin + text


@pytest.mark.parametrize("where", SHELLS)
def test_the_script_mounts_all_images_over_the_pool(partition: SystemPartition, where: str) -> None:
    names = ",".join(
        partition.image({name: folder({"file": file(CONTENT)})}) for name in ("one", "two")
    )
    look = "cat /new/nix/store/one/file /new/nix/store/two/file; cat /run/reconix/images"
    count = "grep -c -e erofs -e ' /new/nix/store ' /proc/self/mounts; ls /run/reconix"
    said = partition.do(f"{script(f'reconix.images={names}')}\n{look}; {count}", where=where)
    assert said == f"{CONTENT.decode() * 2}{names}\n1\nimages\n"


@pytest.mark.parametrize("where", SHELLS)
def test_the_script_finds_contents_in_a_pack(partition: SystemPartition, where: str) -> None:
    image = partition.image({"one": folder({"file": file(CONTENT)})})
    pack = partition.pack()
    look = "cat /new/nix/store/one/file; ls /run/reconix/packs"
    said = partition.do(f"{script(f'reconix.images={image}')}\n{look}", where=where)
    assert said == f"{CONTENT.decode()}{pack}\n"


@pytest.mark.parametrize("where", SHELLS)
@pytest.mark.parametrize("does", ["rm images/*", "mv pool gone", "echo 3 > reconix/layout"])
def test_the_script_fails_where_the_store_cannot_be_mounted(
    partition: SystemPartition, where: str, does: str
) -> None:
    name = partition.image({"one": folder({"file": file(CONTENT)})})
    run("sh", "-c", f"cd {shlex.quote(str(partition.system))}; {does}")
    said = partition.complaint(f"{script(f'reconix.images={name}')}\necho mounted", where=where)
    assert "mounted\n" not in said


@pytest.mark.parametrize("where", SHELLS)
def test_the_script_has_the_kernel_compare_all_that_is_read_if_it_is_told(
    partition: SystemPartition, where: str
) -> None:
    name = partition.image({"one": folder({"file": file(CONTENT), "small": file(b"small")})})
    words = f"reconix.images={name} reconix.verity"
    look = "cd /new/nix/store/one; cat small; cat file > /dev/null 2>&1 || echo no"
    assert partition.do(f"{script(words)}\n{look}", where=where) == "smallno\n"
    path = partition.system / "images" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = partition.complaint(f"{script(words)}\necho mounted", where=where)
    assert f"the image {name} was altered" in said
    assert "mounted\n" not in said


def test_it_needs_the_layout_that_the_initrd_of_debian_needs() -> None:
    assert "LAYOUT=2 " in initrd.SCRIPT.read_text()
    assert '"$layout" != 2 ' in (FOLDER / "store.sh").read_text()
