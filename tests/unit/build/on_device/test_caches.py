"""Caches are made at the start where the configuration gives what they are made of."""

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
    (unit,) = caches.make_units([path]).values()
    assert command in unit.decode()


@pytest.mark.parametrize("path", ["ld.so.conf.d/own.txt", "udev/rules.d/1.rules", "x/ld.so.conf"])
def test_other_files_bring_nothing(path: str) -> None:
    assert caches.make_units([path]) == {}
