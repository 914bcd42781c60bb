"""The words of ``reconix why``."""

import json
from pathlib import Path

import pytest
from tests.installed_packages import install, make_project

from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore

LIBRARY = """\
library 2-1
  hosts/gw/machine.toml:1:13: packages asks for tool
  tool needs library (>= 2~)
  shell, which is essential, needs it as well
  other packages that lead to it: 2, with --all
"""
LIBRARY_ALL = """\
library 2-1

  hosts/gw/machine.toml:1:13: packages asks for tool
  tool needs library (>= 2~)

  shell is essential: every Debian system has it
  shell needs library (>= 2) before it is installed

  hosts/gw/systems/mail.toml:1:13: packages asks for server
  server needs tool
  tool needs library (>= 2~)
"""
POST = """\
post 2-1
  hosts/gw/systems/mail.toml:1:13: packages asks for server
  server needs absent | mailer, here post
"""
KERNEL = """\
linux-image-6.12-amd64 6.12-1
  hosts/gw/machine.toml:2:8: kernel.package asks for linux-image-cloud-amd64
  linux-image-cloud-amd64 stands for it
  the kernel; only the images are taken of what it needs
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    make_project(tmp_path / "p")
    with ChrootStore(tmp_path / "store") as store:
        install(store)
    return ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "why"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["library"], LIBRARY),
        (["library", "--all"], LIBRARY_ALL),
        (["post"], POST),
        (["linux-image-6.12-amd64"], KERNEL),
        (["shell"], "shell 2-1\n  shell is essential: every Debian system has it\n"),
    ],
)
def test_the_chain_is_told(
    words: list[str], asked: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "gw:mail", *asked]) == 0
    assert capsys.readouterr().out == told


def test_a_package_that_two_files_name_shows_both(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p/hosts/gw/systems/mail.toml"
    file.write_text(file.read_text().replace('["server"]', '["server", "tool"]'))
    assert main([*words, "gw:mail", "tool"]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "  hosts/gw/machine.toml:1:13: packages asks for tool",
        "  hosts/gw/systems/mail.toml:1:23: packages asks for tool",
    ]


def test_a_program_reads_the_same(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "gw:mail", "post", "--json"]) == 0
    place = "hosts/gw/systems/mail.toml:1:13"
    assert json.loads(capsys.readouterr().out) == {
        "system": "gw:mail",
        "package": "post",
        "version": "2-1",
        "reasons": [
            {
                "package": "server",
                "essential": False,
                "requests": [{"option": "packages", "place": place, "modules": []}],
                "chain": [
                    {
                        "package": "server",
                        "relation": "absent | mailer",
                        "before": False,
                        "needed": "post",
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("asked", "status", "fact"),
    [
        (["gw", "tool"], 2, "which system of gw?"),
        (["gw:none", "tool"], 2, "gw has no system 'none'"),
        (["none:mail", "tool"], 2, "there is no host 'none'"),
        (["gw:mail", "tol"], 2, "gw:mail has no package tol"),
        (["gw:mail", "/usr/bin/tool"], 2, "gw:mail has not been built"),
    ],
)
def test_what_cannot_be_answered_is_an_error(
    words: list[str], asked: list[str], status: int, fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *asked]) == status
    assert fact in capsys.readouterr().err


def test_a_lock_that_does_not_fit_is_told(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = tmp_path / "p/hosts/gw/systems/mail.toml"
    system.write_text('packages = ["another"]\n')
    assert main([*words, "gw:mail", "tool"]) == 64
    assert "the packages of gw:mail have changed since" in capsys.readouterr().err


def test_before_there_is_a_store_the_lock_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "p")
    words = ["--project", str(project), "--store", str(tmp_path / "none"), "why", "gw:mail"]
    assert main([*words, "server"]) == 0
    assert "mail.toml:1:13: packages asks for server" in capsys.readouterr().out
    assert main([*words, "library"]) == main([*words, "/etc/mail"]) == 2
    assert not (tmp_path / "none").exists()
