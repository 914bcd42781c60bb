"""What a system consists of is held against each other before it is a generation."""

from pathlib import Path

import pytest

from reconix.build.software import source
from reconix.build.software.device_files import DeviceFiles, Part
from reconix.build.software.programs import BrokenPrograms, Programs
from reconix.build.software.together import (
    DanglingLink,
    NoProgram,
    check_commands,
    check_environment,
    check_tree,
    check_units,
)
from reconix.build.software.trees import FoundTree
from reconix.build.users.accounts import Account, Accounts, Group, UnknownAccount
from reconix.config.schema.health import CommandCheck, Health, TcpCheck
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.software import Tree
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FolderPath

ACCOUNTS = Accounts(
    (Account("air", 300, 301, "", "/nonexistent", "/usr/sbin/nologin"),), (Group("data", 301),)
)


class Desk:
    """A tree and the root of a system."""

    def __init__(self, folder: Path) -> None:
        self.air, self.root = folder / "air", folder / "root"
        (self.air / "bin").mkdir(parents=True)
        (self.root / "usr/bin").mkdir(parents=True)
        self.program(self.root / "usr/bin/sh")
        self.program(self.air / "bin/air")

    def program(self, path: Path, text: str = "#!/bin/sh\n") -> None:
        path.write_text(text)
        path.chmod(0o755)

    @property
    def programs(self) -> Programs:
        parts = (Part("/opt/air", self.air, hides=True), Part("", self.root))
        system = System(kernel=Kernel(package="linux-image"))
        return Programs(DeviceFiles.of(system, parts), "amd64")

    def check(self, *unchecked: str) -> None:
        tree = Tree(source=FolderPath(self.air), unchecked=unchecked)
        found = FoundTree("/opt/air", tree, source.read(tree.source))
        check_tree(found, self.air, self.programs)

    def check_environment(self, *unchecked: str) -> None:
        environment = PythonEnvironment(path="/opt/air", unchecked=unchecked)
        check_environment("air", environment, self.air, self.programs)

    def check_unit(self, *lines: str) -> None:
        text = "".join(f"{line}\n" for line in ("[Service]", *lines))
        check_units({"air.service": [text]}, ACCOUNTS, self.programs)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("target", ["/usr/bin/sh", "/bin/sh", "/opt/air/bin", "/run/x", "/var/x"])
def test_an_absolute_link_leads_to_something_or_to_what_a_device_makes(
    desk: Desk, target: str
) -> None:
    (desk.air / "link").symlink_to(target)
    desk.check()


def test_a_link_to_what_no_device_has_is_refused(desk: Desk) -> None:
    (desk.air / "link").symlink_to("/home2/ann/build/air")
    with pytest.raises(DanglingLink, match="link is a link to /home2/ann/build/air") as failure:
        desk.check()
    assert "exclude" in failure.value.hint


def test_programs_that_would_not_run_are_refused_but_for_those_that_are_not_for_the_system(
    desk: Desk,
) -> None:
    desk.program(desk.air / "bin/tool", "#!/usr/bin/perl\n")
    with pytest.raises(BrokenPrograms, match="/opt/air/bin/tool needs the interpreter") as failure:
        desk.check()
    assert "unchecked" in failure.value.hint
    for pattern in ("tool", "/bin/", "/bin/t*", "bin/tool"):
        desk.check(pattern)
    with pytest.raises(BrokenPrograms):
        desk.check("/tool", "bin/tool/")


def test_a_unit_starts_programs_that_are_there(desk: Desk) -> None:
    desk.check_unit("ExecStart=/opt/air/bin/air", "ExecStop=sh -c true", "User=air", "Group=data")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ExecStart=/opt/air/bin/gone", "ExecStart starts /opt/air/bin/gone, which is not there"),
        ("ExecStop=gone", "ExecStop starts gone, which is not there"),
        ("ExecStart=/opt/air/bin", "which is a folder"),
        ("ExecStart=/opt/air/note", "which is not executable"),
        ("ExecStart=/usr/bin/tool", "which needs the interpreter /usr/bin/perl"),
    ],
)
def test_a_unit_that_could_not_start_is_refused(desk: Desk, line: str, said: str) -> None:
    (desk.air / "note").write_text("x")
    desk.program(desk.root / "usr/bin/tool", "#!/usr/bin/perl\n")
    with pytest.raises(NoProgram, match=r"air\.service: ") as failure:
        desk.check_unit(line)
    assert said in str(failure.value)


@pytest.mark.parametrize(
    ("line", "said"), [("User=data", "no such user"), ("Group=air", "no such group")]
)
def test_a_unit_runs_as_somebody_who_exists(desk: Desk, line: str, said: str) -> None:
    with pytest.raises(UnknownAccount, match=said) as failure:
        desk.check_unit("ExecStart=/bin/sh", line)
    assert "system = true" in failure.value.hint


def test_a_program_of_a_python_environment_that_would_not_run_is_told(desk: Desk) -> None:
    desk.check_environment()
    desk.program(desk.air / "bin/tool", "#!/usr/bin/perl\n")
    with pytest.raises(BrokenPrograms, match=r"python\.air has programs") as failure:
        desk.check_environment()
    assert "/opt/air/bin/tool needs the interpreter /usr/bin/perl" in str(failure.value)
    desk.check_environment("bin/tool")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/usr/bin/gone", "--x"), "health.checks runs /usr/bin/gone, which is not there"),
        (("/opt/air/bin",), "which is a folder"),
        (("/opt/air/bin/air",), ""),
        (("sh", "-c", "true"), ""),
        (("/var/lib/air/check",), ""),
    ],
)
def test_a_health_check_runs_what_is_there(desk: Desk, command: tuple[str, ...], said: str) -> None:
    health = Health(checks=(CommandCheck(command=command), TcpCheck(tcp=22)))
    system = System(kernel=Kernel(package="linux-image"), health=health)
    if said:
        with pytest.raises(NoProgram) as failure:
            check_commands(system, desk.programs)
        assert said in str(failure.value)
    else:
        check_commands(system, desk.programs)
