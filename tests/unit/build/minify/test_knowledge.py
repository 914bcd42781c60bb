"""Facts about programs count where the program stays."""

import re
from pathlib import Path

import pytest
from tests.device_trees import make

from reconix.build.minify import knowledge
from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.units import UnitEdges
from reconix.build.minify.knowledge import KnownEdges

ROOT = {
    "usr/lib/systemd/systemd": "",
    "usr/lib/systemd/system/default.target": "",
    "usr/lib/systemd/system/other.target": "",
    "usr/lib/systemd/system-generators/one": "",
    "usr/lib/systemd/system-generators/masked": "",
    "usr/lib/systemd/system/user@.service": "",
    "usr/lib/systemd/user/default.target": "",
    "usr/lib/x86_64-linux-gnu/libc.so.6": "",
    "etc/nsswitch.conf": "",
    "etc/rc.local": "",
    "usr/lib/systemd/system/rc-local.service": "",
    "usr/lib/postgresql/17/bin/postgres": "",
    "usr/share/zoneinfo/UTC": "",
    "usr/share/zoneinfo/right/UTC": "",
    "usr/sbin/xtables-nft-multi": "",
    "usr/lib/x86_64-linux-gnu/xtables/libxt_standard.so": "",
    "usr/bin/containerd": "",
    "usr/bin/containerd-shim-runc-v2": "",
    "usr/sbin/runc": "",
    "usr/bin/podman": "",
    "usr/bin/conmon": "",
    "usr/libexec/podman/rootlessport": "",
    "usr/libexec/podman/podman-testing": "",
    "etc/containers/policy.json": "",
    "usr/share/containers/seccomp.json": "",
    "usr/bin/python3.13": "",
    "usr/lib/python3.13/encodings/utf_8.py": "",
    "usr/lib/python3.13/encodings/cp037.py": "",
}


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        (
            "usr/lib/systemd/systemd",
            {"usr/lib/systemd/system/default.target", "usr/lib/systemd/system-generators/one"},
        ),
        ("usr/lib/systemd/system/user@.service", {"usr/lib/systemd/user/default.target"}),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", {"etc/nsswitch.conf"}),
        ("usr/bin/python3.13", {"usr/lib/python3.13/encodings/utf_8.py"}),
        ("etc/nsswitch.conf", set()),
        ("etc/rc.local", {"usr/lib/systemd/system/rc-local.service"}),
        ("usr/lib/postgresql/17/bin/postgres", {"usr/share/zoneinfo/UTC"}),
        (
            "usr/sbin/xtables-nft-multi",
            {"usr/lib/x86_64-linux-gnu/xtables/libxt_standard.so"},
        ),
        ("usr/bin/containerd", {"usr/bin/containerd-shim-runc-v2", "usr/sbin/runc"}),
        (
            "usr/bin/podman",
            {
                *("usr/bin/conmon", "usr/libexec/podman/rootlessport"),
                *("etc/containers/policy.json", "usr/share/containers/seccomp.json"),
            },
        ),
    ],
)
def test_a_file_reaches_what_is_known_of_it(path: str, reached: set[str], tmp_path: Path) -> None:
    masks = {"systemd/system-generators/masked": "> /dev/null"}
    files = make(tmp_path, ROOT, etc=masks)
    known = KnownEdges(files, UnitEdges(files, ScriptEdges(files)))
    assert {edge.target for edge in known.of(path)} == reached


def test_each_fact_is_a_sentence_about_a_file_that_can_be() -> None:
    for fact in knowledge.ALL:
        assert re.fullmatch(r"[a-z].*[a-z]", fact.how)
        assert fact.paths or fact.units or fact.user_units
        re.compile(fact.when)
        re.compile(fact.paths)
