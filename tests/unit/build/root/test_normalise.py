"""Normalising: what differs between two installations goes, everything else stays."""

import importlib.util
import marshal
import py_compile
from pathlib import Path

import pytest

from reconix.build.root import normalise


@pytest.mark.parametrize(
    "path",
    [
        "dev/null",
        "etc/machine-id",
        "etc/hostname",
        "etc/shadow-",
        "etc/dropbear/dropbear_ed25519_host_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "var/log/dpkg.log",
        "var/log/apt/history.log",
        "var/lib/apt/lists/whatever",
        "var/lib/dpkg/status-old",
        "var/cache/ldconfig/aux-cache",
    ],
)
def test_what_tells_of_time_or_chance_is_removed(path: str) -> None:
    assert not normalise.keep(path, folder=False)


@pytest.mark.parametrize(
    "path",
    ["etc/shadow", "etc/ssh/sshd_config", "usr/bin/env", "var/lib/dpkg/status", "var/lib/x/y"],
)
def test_what_the_packages_brought_stays(path: str) -> None:
    assert normalise.keep(path, folder=False)


def test_folders_of_logs_and_caches_stay_since_services_expect_them() -> None:
    assert normalise.keep("var/log/nginx", folder=True)
    assert not normalise.keep("etc/machine-id", folder=True)
    assert not normalise.keep("var/cache/apt/archives/partial", folder=True)


def test_the_day_of_a_password_does_not_show() -> None:
    found = b"root:*:20415:0:99999:7:::\nmosquitto:!:20415::::::\n"
    assert normalise.content("etc/shadow", found) == (
        b"root:*:1:0:99999:7:::\nmosquitto:!:1::::::\n"
    )


def test_compiled_python_is_valid_without_the_time_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "answer.py"
    source.write_text("ANSWER = 42\n")
    compiled = Path(str(py_compile.compile(str(source), doraise=True)))
    normalised = normalise.content("usr/lib/answer.pyc", compiled.read_bytes())
    compiled.write_bytes(normalised)
    # The source changes, and Python still takes the compiled file: it does not compare.
    source.write_text("ANSWER = 43\n")
    specification = importlib.util.spec_from_file_location("answer", source)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.ANSWER == 42
    assert marshal.loads(normalised[16:]) is not None


def test_every_rule_has_a_reason() -> None:
    assert all(rule.reason for rule in normalise.RULES)
