"""Of some lists only those lines stay that somebody on a device, or a bill, asks for."""

from reconix.build.inspect.packages import STATUS, parse_status
from reconix.build.minify import rewritten
from reconix.build.minify.library_cache import Library, LibraryCache, parse_cache
from reconix.composition.installed import parse_installed

AIR = b"""\
Package: air
Essential: yes
Status: install ok installed
Priority: optional
Section: net
Installed-Size: 10
Maintainer: Somebody <somebody@example.org>
Architecture: amd64
Source: wind (1.0)
Version: 1.1-1
Provides: breeze (= 1.1)
Depends: libc6 (>= 2.38),
 water
Pre-Depends: fire | smoke
Recommends: nothing
Conffiles:
 /etc/air 0123
Description: moves
 Several lines,
 .
 with others.

"""
WATER = b"Package: water\nStatus: install ok installed\nVersion: 2\nDescription: runs\n"


def test_a_status_says_the_same_about_packages_in_fewer_lines() -> None:
    short = rewritten.status(AIR + WATER, ())
    assert parse_installed(short) == parse_installed(AIR + WATER)
    assert parse_status(short) == parse_status(AIR + WATER)
    assert b" water\n" in short, "a line that goes on"
    for gone in (b"Several", b"with others", b"/etc/air", b"Maintainer", b"Recommends"):
        assert gone not in short


def test_what_is_short_already_stays_as_it_is() -> None:
    short = rewritten.status(AIR + WATER, ())
    assert rewritten.status(short, ()) == short
    assert rewritten.status(b"", ()) == b""


def test_only_shells_that_are_there_are_listed() -> None:
    listed = b"# shells\n/bin/sh\n/usr/bin/sh\n/bin/rbash\n/opt/own/shell\n"
    left = rewritten.shells(listed, {"usr/bin/sh", "opt/own/shell"})
    assert left == b"# shells\n/bin/sh\n/usr/bin/sh\n/opt/own/shell\n"


def test_only_libraries_that_are_there_are_listed() -> None:
    both = tuple(
        Library(name, b"/lib/" + name, 771, 0) for name in (b"libwind.so.1", b"libair.so.1")
    )
    left = rewritten.libraries(LibraryCache(both, None).print(), {"usr/lib/libair.so.1"})
    assert parse_cache(left) == LibraryCache(both[1:], None)


def test_the_status_is_the_one_that_others_read() -> None:
    assert STATUS in rewritten.ALL
