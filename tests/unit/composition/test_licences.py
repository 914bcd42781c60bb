"""Licences that copyright files name."""

from pathlib import Path

import pytest

from reconix.composition.licences import SPDX, Licences, parse_copyright, spdx

MACHINE = b"""\
Format: https://www.example.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tool

Files: *
Copyright: somebody
License: GPL-2+
 On Debian systems
 License: not this line

Files: lib/*
License:   Expat
"""


def test_what_a_machine_can_read_is_read() -> None:
    assert parse_copyright(MACHINE) == ("Expat", "GPL-2+")


@pytest.mark.parametrize("text", [b"", b"This is free.\nLicense: GPL\n", b"\xff\xfe"])
def test_free_words_tell_nothing(text: bytes) -> None:
    assert parse_copyright(text) == ()


def test_names_are_bounded() -> None:
    long = MACHINE + b"\nLicense: " + b"x" * 5000 + b"\xff\n"
    assert max(map(len, parse_copyright(long))) == 120


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-Clause", "BSD-3-Clause"),
        ("zlib", "Zlib"),
        ("GPL-1+ or Artistic", None),
        ("public-domain", None),
    ],
)
def test_spdx_has_a_name_only_where_both_mean_the_same(name: str, known: str | None) -> None:
    assert spdx(name) == known


def test_no_two_spellings_that_differ_in_case_mean_two_licences() -> None:
    assert len({name.lower() for name in SPDX}) == len(SPDX)


def test_a_package_that_shares_the_folder_of_another_has_its_file(tmp_path: Path) -> None:
    docs = tmp_path / "usr/share/doc"
    (docs / "base").mkdir(parents=True)
    (docs / "base/copyright").write_bytes(MACHINE)
    (docs / "library").symlink_to("base")
    (docs / "away").symlink_to("/../../../base")
    known = Licences(tmp_path)
    assert known.of("library") == known.of("base") == ("Expat", "GPL-2+")
    assert known.of("away") == known.of("none") == ()
