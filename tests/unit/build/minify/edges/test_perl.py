"""What modules and scripts in Perl reach."""

from pathlib import Path

from tests.device_trees import make

from reconix.build.minify.edges.perl import PerlEdges

ARCH = "usr/lib/x86_64-linux-gnu"
ROOT = {
    "usr/share/perl5/PgCommon.pm": "",
    f"{ARCH}/perl-base/strict.pm": "",
    f"{ARCH}/perl-base/POSIX.pm": "",
    f"{ARCH}/perl-base/auto/POSIX/POSIX.so": "",
    f"{ARCH}/perl/5.40": "> 5.40.1",
    f"{ARCH}/perl/5.40.1/Deep/Er.pm": "",
    "usr/share/perl5/Parent/One.pm": "",
    "usr/share/perl5/lib.pl": "",
    "usr/share/perl5/Documented.pm": "",
    "usr/share/perl5/Behind.pm": "",
}
SCRIPT = b"""#!/usr/bin/perl -wT
use strict; use POSIX qw/setsid :sys_wait_h/;
  use PgCommon;
use parent -norequire, qw(Parent::One);
require "lib.pl"; eval { require Deep::Er; };
=pod

use Documented;

=cut
system "/usr/bin/df";
__END__
use Behind;
"""


def reached(folder: Path, path: str, content: bytes) -> set[str]:
    return {edge.target for edge in PerlEdges(make(folder, ROOT)).of(path, content)}


def test_a_script_reaches_its_modules_and_their_libraries(tmp_path: Path) -> None:
    assert reached(tmp_path, "usr/bin/pg", SCRIPT) == {
        "usr/share/perl5/PgCommon.pm",
        f"{ARCH}/perl-base/strict.pm",
        f"{ARCH}/perl-base/POSIX.pm",
        f"{ARCH}/perl-base/auto/POSIX/POSIX.so",
        f"{ARCH}/perl/5.40/Deep/Er.pm",
        f"{ARCH}/perl/5.40.1/Deep/Er.pm",
        "usr/share/perl5/Parent/One.pm",
        "usr/share/perl5/lib.pl",
        "usr/bin/df",
        "usr/bin/perl",
    }


def test_a_module_is_one_where_perl_looks(tmp_path: Path) -> None:
    assert reached(tmp_path / "a", "usr/share/perl5/X.pm", b"package X;\nuse strict;\n")
    assert not reached(tmp_path / "b", "usr/share/doc/X.pm", b"package X;\nuse strict;\n")
    assert not reached(tmp_path / "c", "usr/bin/sh", b"#!/bin/sh\nuse strict;\n")
    assert not reached(tmp_path / "d", f"{ARCH}/perl-base/Config.pm", b"use strict;\n")
