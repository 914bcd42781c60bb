"""What scripts reach."""

from pathlib import Path

import pytest
from tests.device_trees import make

from reconix.build.minify.edges.scripts import ScriptEdges

ROOT = {
    "usr/bin/sh": "> dash",
    "usr/bin/dash": "",
    "usr/bin/env": "",
    "usr/bin/python3": "",
    "usr/bin/grep": "",
    "usr/sbin/ip": "",
    "etc/air.conf": "",
}


SHELL = {"usr/bin/sh", "etc/air.conf", "usr/sbin/ip", "usr/bin/grep"}


@pytest.mark.parametrize(
    ("script", "reached"),
    [
        ("#!/usr/bin/python3 -I\nimport grep\n", {"usr/bin/python3"}),
        ("#! /usr/bin/env -S python3 -I\n", {"usr/bin/env", "usr/bin/python3"}),
        ("#!/usr/bin/env python3\n", {"usr/bin/env", "usr/bin/python3"}),
        ("#!/usr/bin/sh\n. /etc/air.conf\nip a | grep x\n", SHELL),
        ("ip a\n", set()),
        ("#!\n", set()),
    ],
)
def test_a_script_reaches_its_interpreter_and_a_shell_what_it_names(
    script: str, reached: set[str], tmp_path: Path
) -> None:
    edges = ScriptEdges(make(tmp_path, ROOT))
    assert {edge.target for edge in edges.of("usr/bin/x", script.encode())} == reached


def test_what_shells_read_when_somebody_logs_in_is_a_script(tmp_path: Path) -> None:
    edges = ScriptEdges(make(tmp_path, ROOT))
    assert [edge.target for edge in edges.of("etc/profile", b"ip a\n")] == ["usr/sbin/ip"]
    assert [edge.target for edge in edges.of("nix/store/x-reconix-device/leave", b"grep x")] == [
        "usr/bin/grep"
    ]
    assert [edge.target for edge in edges.of("etc/reconix/secrets/x", b"ip a\n")] == ["usr/sbin/ip"]


def test_a_reason_names_the_program(tmp_path: Path) -> None:
    edges = ScriptEdges(make(tmp_path, ROOT))
    assert [edge.how for edge in edges.of("usr/bin/x", b"#!/usr/bin/sh\nexec ip a\n")] == [
        *("is run by /usr/bin/sh", "names /usr/bin/sh", "runs ip"),
    ]
