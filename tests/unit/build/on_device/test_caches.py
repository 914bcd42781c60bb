"""Caches are made at the start where the configuration gives what they are made of."""

from pathlib import Path

import pytest

from reconix.build.on_device import caches


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("ld.so.conf", "ExecStart=/usr/sbin/ldconfig -X\n"),
        ("ld.so.conf.d/own.conf", "ExecStart=/usr/sbin/ldconfig -X\n"),
        ("udev/hwdb.d/90-own.hwdb", "ExecStart=/usr/bin/systemd-hwdb update\n"),
    ],
)
def test_a_file_brings_the_program_that_reads_it(path: str, command: str) -> None:
    (unit,) = caches.make_units([path], {}).values()
    assert command in unit.decode()


@pytest.mark.parametrize("path", ["ld.so.conf.d/own.txt", "udev/rules.d/1.rules", "x/ld.so.conf"])
def test_other_files_bring_nothing(path: str) -> None:
    assert caches.make_units([path], {}) == {}


@pytest.mark.parametrize(
    ("place", "library", "is_made"),
    [
        ("/usr/local", "lib/libair.so.2", True),
        ("/usr/local/lib", "libair.so.2", True),
        ("/usr/local/lib/x86_64-linux-gnu", "libair.so", True),
        ("/usr/local", "lib/aarch64-linux-gnu/libair.so", True),
        ("/usr/local", "share/libair.so", False),
        ("/usr/local", "lib/air/libair.so", False),
        ("/usr/local/lib/air", "libair.so", False),
        ("/opt/air", "lib/libair.so", False),
    ],
)
def test_libraries_of_a_tree_where_only_the_cache_finds_them_bring_ldconfig(
    tmp_path: Path, place: str, library: str, is_made: bool
) -> None:
    (tmp_path / library).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / library).touch()
    made = caches.make_units([], {place: tmp_path})
    assert ("reconix-libraries.service" in made) is is_made
