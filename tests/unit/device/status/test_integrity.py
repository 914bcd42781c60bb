"""What the kernel could not read is told by the files that have it."""

import os
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.status_parts import part

from reconix.base.documents import Fields, print_json
from reconix.device.status.integrity import Compared, read_compared
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.store.images.nodes import contents, files
from reconix.store.paths import StorePath


@pytest.fixture
def told(machine: Machine) -> Machine:
    """A device whose kernel was told to compare."""
    machine.boot()
    line = machine.paths.proc / "cmdline"
    line.write_text(f"{line.read_text().strip()} reconix.verity gpt\n")
    machine.paths.dev.mkdir(exist_ok=True)
    say(machine)
    return machine


def say(machine: Machine, *lines: str) -> None:
    records = "".join(f"4,{number},9,-;{line}\n" for number, line in enumerate(lines))
    (machine.paths.dev / "kmsg").write_text(f"6,0,1,-;Linux\n{records}")


def a_content(machine: Machine) -> tuple[str, Path]:
    """A file of what is installed and its content in the pool."""
    registry = machine.registry
    for manifest in registry.manifests():
        for path in manifest.objects:
            for names, file in files(registry.tree(path)):
                if not file.is_inline:
                    shown = "/".join([str(path), *map(os.fsdecode, names)])
                    return shown, registry.pool.path(file.content)
    raise AssertionError("there is no content")


def test_a_kernel_that_was_not_told_compares_nothing(machine: Machine) -> None:
    machine.boot()
    assert read_compared(machine.device) == Compared(by_kernel=False)
    status = read_status(machine.device)
    assert not any(line.startswith("integrity") for line in status_lines(status))
    assert fields(machine).object("integrity").flag("verity") is False


def fields(machine: Machine) -> Fields:
    document = print_json(status_document(read_status(machine.device)))
    return Fields.parse(document, source="status")


def test_where_nothing_was_altered_that_is_told(told: Machine) -> None:
    assert read_compared(told.device) == Compared(by_kernel=True)
    assert fields(told).object("integrity").texts("damaged") == []
    said = "integrity  the kernel compares what it reads, and found nothing altered"
    assert part(status_lines(read_status(told.device)), "integrity") == [said]


def test_an_inode_becomes_the_files_that_have_its_content(told: Machine) -> None:
    shown, path = a_content(told)
    complaint = f"fs-verity (vda3, inode {path.stat().st_ino}): FILE CORRUPTED! pos=4096, level=0"
    say(told, complaint, complaint, "fs-verity: built-in", "audit: fs-verity (vda3, inode 1): no")
    damaged = read_compared(told.device).damaged
    assert shown in damaged
    digest = bytes.fromhex(path.parent.name + path.name)
    assert all(has(told, each, digest) for each in damaged)
    assert f"altered    {damaged[0]}" in status_lines(read_status(told.device))
    assert tuple(fields(told).object("integrity").texts("damaged")) == damaged


def has(machine: Machine, shown: str, digest: bytes) -> bool:
    path = StorePath.parse("/".join(shown.split("/")[:4]))
    return digest in {content for content, _ in contents(machine.registry.tree(path))}


def test_a_name_in_the_pool_becomes_them_too(told: Machine) -> None:
    shown, path = a_content(told)
    say(told, f"overlayfs: lower file '{path.name}' has the wrong fs-verity digest")
    assert shown in read_compared(told.device).damaged


def test_an_inode_of_another_file_system_is_no_matter_of_ours(told: Machine) -> None:
    _, path = a_content(told)
    number = told.paths.system.stat().st_dev
    names = told.paths.sysfs / "dev/block"
    names.mkdir(parents=True, exist_ok=True)
    link = names / f"{os.major(number)}:{os.minor(number)}"
    for device, expected in (("vda3", True), ("sdb1", False)):
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../devices/x/{device}")
        say(told, f"fs-verity (vda3, inode {path.stat().st_ino}): FILE CORRUPTED!")
        assert bool(read_compared(told.device).damaged) is expected


def test_an_image_is_told_by_its_digest(told: Machine) -> None:
    image = sorted(told.registry.images_dir.iterdir())[0]
    say(told, f"fs-verity (vda3, inode {image.stat().st_ino}): FILE CORRUPTED! pos=0, level=0")
    assert read_compared(told.device).damaged == (f"the image {image.name}",)


def test_a_content_that_no_file_has_is_told_by_its_digest(told: Machine) -> None:
    _, path = a_content(told)
    (stray := path.with_name("f" * 62)).write_bytes(b"of nobody")
    say(told, f"fs-verity (vda3, inode {stray.stat().st_ino}): FILE CORRUPTED! pos=0, level=0")
    assert read_compared(told.device).damaged == (path.parent.name + "f" * 62,)


@pytest.mark.parametrize("inode", ["99999999999999999999999", "-1", "x", "123456789"])
def test_a_complaint_that_makes_no_sense_names_nothing(told: Machine, inode: str) -> None:
    say(told, f"fs-verity (vda3, inode {inode}): FILE CORRUPTED!")
    assert read_compared(told.device).damaged == ()


def test_a_log_that_cannot_be_read_is_no_reason_not_to_tell_the_rest(told: Machine) -> None:
    (told.paths.dev / "kmsg").unlink()
    assert read_compared(told.device) == Compared(by_kernel=True)
