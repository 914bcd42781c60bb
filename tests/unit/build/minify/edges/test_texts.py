"""Paths and words that stand in texts."""

import pytest

from reconix.build.minify.edges import texts


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b"run /usr/bin/awk.", ["usr/bin/awk"]),
        (b"PATH=/usr/local/bin:/usr/bin", ["usr/local/bin", "usr/bin"]),
        (b"\0/lib/x.so.1\0/etc/ssl/\0", ["lib/x.so.1", "etc/ssl"]),
        (b"/usr/lib/systemd/system/%s /usr/lib/%s.so", []),
        (b"$HOME/usr/bin/x ${A}/etc/x x/usr/bin/y /home/usr/x", []),
        (b"/etc/a /etc/a", ["etc/a"]),
        (b'"/usr/bin/a", `/usr/bin/b`', ["usr/bin/a", "usr/bin/b"]),
        (b"air -c/etc/air.conf --x=/etc/x F=-/etc/y", ["etc/air.conf", "etc/x", "etc/y"]),
    ],
)
def test_paths_that_stand_as_a_whole_are_found(text: bytes, paths: list[str]) -> None:
    assert list(texts.paths(text)) == paths


def test_words_that_may_be_programs_are_found() -> None:
    script = """\
# mount the disk
grep_all() { grep -r "$1" .; }
PATH=/bin FOO=bar
if test -e x; then exec mount -o ro /dev/x "$(id -u)" | sort; fi
grep_all x  # then sed
sh -c 'chown a b' && ./local /usr/bin/env $awk -cut
"""
    found = texts.words(script)
    for word in ("grep", "test", "mount", "id", "sort", "sh", "chown"):
        assert word in found, word
    for word in ("grep_all", "if", "exec", "disk", "sed", "awk", "PATH", "local", "env", "cut"):
        assert word not in found, word


def test_words_of_messages_are_no_programs() -> None:
    script = """\
say "who can install the link of $(readlink "$x" | sort) and tail"
sh -c "mount /x"; eval "umount /y"; "ip" a; fail "no `id -u` here"
"""
    found = texts.words(script)
    for word in ("readlink", "sort", "mount", "umount", "ip", "id", "sh"):
        assert word in found, word
    for word in ("who", "install", "can"):
        assert word not in found, word


def test_quotes_and_parentheses_may_be_within_each_other() -> None:
    script = """\
case $x in a) mv "$(dirname "$(cat "a b")")/.x" y ;; esac
z=$(case $x in a) one ;; esac; two "no words"); trap "rm x" EXIT; three (four
"""
    found = texts.words(script)
    for word in ("mv", "dirname", "cat", "one", "two", "rm", "three", "four"):
        assert word in found, word
    assert "words" in found  # as a parenthesis is left open
