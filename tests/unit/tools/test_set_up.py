"""Set-up brings what is missing, says so, and does nothing where all is there."""

import os
import shutil
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.process import CommandFailed, run

LIST = """\
# package  sign  what it is for
shell-of-all   sh                 tests: a shell
rare-thing     no-such-program-1  build: a rare thing
other-thing    no-such-program-2  demo: something else
"""
INSTALLED = "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n"


class Machine:
    """A machine with a database of packages of its own, and an apt that writes down its words."""

    def __init__(self, folder: Path) -> None:
        self.tools = folder / "tools"
        self.programs, self.dpkg, self.log = folder / "bin", folder / "dpkg", folder / "log"
        for each in (self.tools, self.programs, self.dpkg):
            each.mkdir()
        shutil.copy(ROOT / "tools" / "install-packages", self.tools)
        (self.tools / "packages.txt").write_text(LIST)
        self.has()
        self.program("sudo", 'printf "sudo "', '"$@"')
        self.program("apt-get", 'echo "apt-get $*"')
        self.user(0)

    def has(self, *packages: str) -> None:
        """Let these packages be installed."""
        (self.dpkg / "status").write_text("".join(map(INSTALLED.format, packages)))

    def user(self, number: int) -> None:
        """Let this user type the command."""
        self.program("id", f"echo {number}")

    def program(self, name: str, *lines: str) -> None:
        """Put a program before those of the real machine."""
        path = self.programs / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def set_up(self, *purposes: str) -> list[str]:
        """Run the script; gives what it says."""
        there = {"PATH": f"{self.programs}:{os.environ['PATH']}", "DPKG_ADMINDIR": str(self.dpkg)}
        script = self.tools / "install-packages"
        return run("sh", script, *purposes, environment=there).decode().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def brings(*packages: str) -> str:
    """A line of a program that installs packages."""
    status = "".join(map(INSTALLED.format, packages)).replace("\n", "\\n")
    return f"printf '{status}' >> \"$DPKG_ADMINDIR/status\""


def test_nothing_is_done_where_all_is_there(machine: Machine) -> None:
    machine.has("rare-thing", "other-thing")
    assert machine.set_up() == []


@pytest.mark.parametrize(("user", "how"), [(0, ""), (1000, "sudo ")])
def test_what_is_missing_is_told_with_its_purpose_and_installed_at_once(
    machine: Machine, user: int, how: str
) -> None:
    machine.has("other-thing")
    machine.user(user)
    machine.program("apt-get", 'echo "apt-get $*"', f"[ $1 = update ] || {brings('rare-thing')}")
    said = machine.set_up()
    assert said[1].split() == ["rare-thing", "build:", "a", "rare", "thing"]
    assert ("sudo" in said[0]) is bool(how)
    assert said[2].startswith(f"{how}apt-get update")
    assert said[3].startswith(f"{how}apt-get install") and said[3].endswith(" rare-thing")
    assert machine.set_up() == []


def test_what_another_way_has_brought_is_not_installed(machine: Machine) -> None:
    machine.has("rare-thing")
    machine.program("no-such-program-2", "exit 1")
    assert machine.set_up() == []


def test_a_package_that_cannot_be_had_is_named_and_does_not_keep_another_from_it(
    machine: Machine,
) -> None:
    machine.program(
        *("apt-get", "case $* in *rare-thing*) exit 100 ;; update*) exit 0 ;; esac"),
        brings("other-thing"),
    )
    with pytest.raises(CommandFailed) as failed:
        machine.set_up()
    said = failed.value.output.decode()
    assert "missing: no-such-program-1; get it with: sudo apt install rare-thing" in said
    assert "other-thing" not in said


def test_without_a_way_to_be_root_what_is_missing_is_told(machine: Machine) -> None:
    machine.user(1000)
    machine.program("sudo", "echo sudo: a password is required >&2", "exit 1")
    with pytest.raises(CommandFailed, match="get it with: sudo apt install other-thing"):
        machine.set_up()


class Environment:
    """A copy of the files that an environment is made from and a Python that notes its words."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "work"
        (self.place / "tools").mkdir(parents=True)
        for name in ("pyproject.toml", "tools/constraints.txt", "tools/make-environment"):
            shutil.copy(ROOT / name, self.place / name)
        self.python = folder / "python"
        self.python.write_text(
            "#!/bin/sh\n"
            'case "$*" in\n'
            "  --version) echo Python 3.13.1 ;;\n"
            '  \'-m venv \'*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo made ;;\n'
            "  '-m pip install '*) echo filled; ! test -e offline ;;\n"
            "esac\n"
        )
        self.python.chmod(0o755)

    def make(self) -> list[str]:
        """Make it; gives what the Python did."""
        words = ("sh", self.place / "tools/make-environment", self.python, ".venv")
        return run(*words).decode().splitlines()[1:]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def test_the_environment_is_made_once(environment: Environment) -> None:
    assert environment.make() == ["made", "filled"]
    assert environment.make() == []


def test_the_environment_is_made_again_where_its_inputs_have_changed(
    environment: Environment,
) -> None:
    environment.make()
    (environment.place / "pyproject.toml").touch()
    assert environment.make() == [], "only another time"
    with (environment.place / "pyproject.toml").open("a") as file:
        file.write("# more\n")
    assert environment.make() == ["made", "filled"]


def test_an_environment_that_could_not_be_filled_is_made_again(environment: Environment) -> None:
    (environment.place / "offline").touch()
    with pytest.raises(CommandFailed):
        environment.make()
    (environment.place / "offline").unlink()
    assert environment.make() == ["made", "filled"]


def test_only_what_serves_a_purpose_is_installed_where_one_is_named(machine: Machine) -> None:
    machine.program("apt-get", 'echo "apt-get $*"', f"[ $1 = update ] || {brings('rare-thing')}")
    said = machine.set_up("build", "lock")
    assert any("rare-thing" in line for line in said)
    assert not any("other-thing" in line for line in said)
