"""A project with anything in place of its files, or in them, gets an error that says which."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.base.test_foreign_files import KINDS, at_once, put

from reconix.cli.main import main

__all__ = ["at_once"]  # a fixture

FILES = (
    "reconix.toml",
    "hosts/gateway/machine.toml",
    "hosts/gateway/systems/default.toml",
    "hosts/gateway/more.toml",
    "reconix.lock",
    "modules/pump.py",
    "keys/operator.pub",
    "keys/update.pub",
    "page",
)
SYSTEM = """\
imports = ["../more.toml"]
users.ann.authorized_keys_files = ["../../../keys/operator.pub"]
files."srv/page".source = "../../../page"
"""
HOSTILE = {
    "half a character": b'name = "\xed\xa0\x80"\n',
    "half a character in a comment": b"# \xed\xa0\x80\n",
    "an escape for half a character": b'name = "\\ud800"\n',
    "a zero byte": b"\0",
    "a byte order mark": b'\xef\xbb\xbfname = "a"\n',
    "a huge number": b"name = " + b"1" * 5000 + b"\n",
    "a huge hexadecimal number": b"name = 0x" + b"f" * 9000 + b"\n",
    "a number of 65 bits": b"kernel = %d\n" % (1 << 64),
    "no number": b"name = nan\nkernel = inf\n",
    "lists in lists": b"name = " + b"[" * 20000 + b"]" * 20000 + b"\n",
    "tables in tables": b"name = " + b"{a=" * 20000 + b"1" + b"}" * 20000 + b"\n",
    "a long key": b"a" + b".a" * 300 + b" = 1\n",
    "no day": b"name = 2026-02-30T25:61:61Z\n",
    "no year": b"name = 0000-01-01\n",
    "the last moment": b"name = 9999-12-31T23:59:59-23:59\n",
    "JSON, nested deeply": b"[" * 50000,
    "JSON with half a character": b'{"version": 1, "digest": "\\ud800"}',
    "JSON with a huge number": b'{"version": ' + b"1" * 5000 + b"}",
    "JSON with no number": b'{"version": NaN}',
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "reconix.lock").unlink()
    (folder / "modules/pump.py").unlink()
    trust = '[trust]\nkeys_files = ["keys/update.pub"]\n'
    (folder / "reconix.toml").write_text(f'name = "test"\n{trust}')
    (folder / "hosts/gateway/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (folder / "hosts/gateway/systems/default.toml").write_text(SYSTEM)
    key = "release:" + "A" * 43 + "=\n"
    (folder / "keys/update.pub").write_text(key)
    return folder


def fails(project: Path, *words: str) -> bool:
    """Whether a command ends as it should: good or with an error that has a name."""
    return main(["--project", str(project), "--store", str(project / "store"), *words]) != 0


def test_the_project_is_good(project: Path) -> None:
    assert not fails(project, "check")


COMMANDS: tuple[tuple[str, ...], ...] = (("check",), ("fmt",), ("keys", "list"), ("status",))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_command_waits_for_what_is_no_file(project: Path, name: str, kind: str) -> None:
    (project / name).unlink(missing_ok=True)
    put(project / name, kind)
    results = [fails(project, *words) for words in COMMANDS]
    assert any(results) or name in ("reconix.lock", "modules/pump.py", "page", "keys/operator.pub")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_content_ends_a_command_with_a_traceback(
    project: Path, name: str, content: bytes
) -> None:
    (project / name).write_bytes(content)
    for words in COMMANDS:
        fails(project, *words)


@pytest.mark.parametrize(
    "make",
    [
        lambda hosts: (hosts / "\udcff").mkdir(),
        lambda hosts: (hosts / "gateway/systems/\udcff.toml").touch(),
        lambda hosts: (hosts / "gateway/systems/\x1b]0;a.toml").touch(),
        lambda hosts: (hosts.parent / "modules/\udcff.py").touch(),
    ],
)
def test_no_name_ends_a_command_with_a_traceback(
    project: Path, make: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    make(project / "hosts")
    for words in COMMANDS:
        fails(project, *words, *(["--json"] if words != ("fmt",) else []))
    assert "\x1b" not in "".join(capfd.readouterr())
