"""Our script image and our control sector, as U-Boot's own programs make them."""

from pathlib import Path

from tests.conftest import Need
from tests.u_boot_disks import ask, make_disk, tree

from reconix.base.process import run
from reconix.boot.control import PARTITION, Request, print_request
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.u_boot import print_script
from reconix.boot.tables import Slot

SCRIPT = b"echo hello\nreset\n"


def test_a_script_is_wrapped_as_mkimage_does_it(tmp_path: Path, need: Need) -> None:
    need("mkimage")
    (tmp_path / "boot.cmd").write_bytes(SCRIPT)
    words = ("-A", "arm64", "-O", "linux", "-T", "script", "-C", "none", "-n", "", "-d")
    made = tmp_path / "boot.scr"
    run("mkimage", *words, tmp_path / "boot.cmd", made, environment={"SOURCE_DATE_EPOCH": "0"})
    assert print_script(SCRIPT) == made.read_bytes()


def test_mkimage_reads_the_script_of_a_slot(tmp_path: Path, need: Need) -> None:
    need("mkimage")
    (script,) = (file for file in tree(1).files if file.path == "boot.scr")
    (tmp_path / "boot.scr").write_bytes(b"".join(script.chunks()))
    said = run("mkimage", "-l", tmp_path / "boot.scr").decode()
    assert "AArch64 Linux Script (uncompressed)" in said


def test_a_request_is_the_environment_that_mkenvimage_makes(tmp_path: Path, need: Need) -> None:
    need("mkenvimage")
    words = tmp_path / "words"
    words.write_text("reconix_version=1\nreconix_slot=slot-2\nreconix_system=mqtt\n")
    made = tmp_path / "sector"
    run("mkenvimage", "-s", str(SECTOR), "-p", "0x00", "-o", made, words)
    assert print_request(Request(Slot(2), "mqtt")) == made.read_bytes()


def test_sgdisk_finds_nothing_wrong_and_the_attribute_of_the_selected_slot(
    tmp_path: Path, need: Need
) -> None:
    need("sgdisk")
    tables = make_disk(tmp_path / "disk", {})
    ask(tmp_path / "disk", tables, Request(Slot(2), "mqtt"))
    assert "No problems found" in run("sgdisk", "--verify", tmp_path / "disk").decode()
    said = run("sgdisk", "--info=1", tmp_path / "disk").decode()
    assert "Attribute flags: 0000000000000004" in said
    assert "Microsoft basic data" in said
    assert tables.named(PARTITION).sectors == 2048
