"""What of a small root stays and what goes, and that each path has a reason."""

from pathlib import Path

import pytest
from tests.device_trees import Tree, write

from reconix.build.minify.files import Files
from reconix.build.minify.graph import Because
from reconix.build.minify.plan import Wanted, make_plan
from reconix.build.minify.reasons import Reasons
from reconix.build.software.device_files import Part
from reconix.build.software.owners import Owners

S = "usr/lib/systemd/system"
INFO = "var/lib/dpkg/info"
PYTHON = "usr/lib/python3.13"
ROOT: Tree = {
    "bin": "> usr/bin",
    "usr/lib/systemd/systemd": "",
    f"{S}/default.target": "[Unit]\nWants=air.service\n",
    f"{S}/air.service": "[Service]\nExecStart=/usr/bin/air\n",
    f"{S}/idle.service": "[Service]\nExecStart=/usr/bin/idle\n",
    "usr/bin/air": "#!/bin/sh\nsort /etc/air.conf\n",
    "usr/bin/idle": "",
    "usr/bin/also-idle": "> idle",
    "usr/bin/sh": "> dash",
    "usr/bin/dash": "",
    "usr/bin/sort": "",
    "usr/bin/tool": "",
    "usr/bin/other-tool": "",
    "usr/share/tool/data": "",
    "usr/share/doc/air/README": "",
    "usr/share/data/map": "",
    "usr/share/doc/data/README": "",
    "etc/air.conf": "run /usr/bin/named-in-settings\n# and /usr/bin/commented\n",
    "etc/air.d/more": "",
    "etc/idle.conf": "",
    "etc/hosts": "old",
    "usr/bin/named-in-settings": "",
    "usr/bin/commented": "",
    f"{PYTHON}/json.py": "import late\n",
    f"{PYTHON}/late.py": "",
    f"{PYTHON}/unused.py": "",
    "var/lib/air": None,
    "var/lib/idle": None,
    "usr/lib/modules": None,
    f"{INFO}/air.list": "/usr/bin/air\n/etc/air.conf\n/etc/air.d/more\n/var/lib/air\n"
    f"/{S}/air.service\n",
    f"{INFO}/idle.list": "/usr/bin/idle\n/etc/idle.conf\n/var/lib/idle\n",
    f"{INFO}/tool.list": "/usr/bin/tool\n/usr/bin/other-tool\n/usr/share/tool/data\n",
    f"{INFO}/data.list": "/usr/share/data/map\n/usr/share/doc/data/README\n",
    "var/lib/dpkg/status": "Package: air\n",
}


def plan(folder: Path, wanted: Wanted, etc: Tree | None = None) -> Reasons:
    root = write(folder / "root", ROOT)
    parts = (Part("/etc", write(folder / "etc", {"hosts": "new", **(etc or {})})), Part("", root))
    return make_plan(Files.read(parts), Owners.read(root), wanted)


def test_what_is_reached_stays_and_says_how(tmp_path: Path) -> None:
    stays = plan(tmp_path, Wanted()).stays
    assert stays["usr/bin/air"] == Because(f"{S}/air.service", "ExecStart=/usr/bin/air")
    assert stays["usr/bin/sort"] == Because("usr/bin/air", "runs sort")
    assert stays["usr/bin/dash"].by == "usr/bin/air"
    for path in ("bin", "usr/bin/sh", "etc/air.conf", "usr/bin/named-in-settings", "var/lib/air"):
        assert path in stays, path


def test_what_nothing_reaches_goes_and_says_so(tmp_path: Path) -> None:
    goes = plan(tmp_path, Wanted()).goes
    assert goes["usr/bin/idle"] == Because("", "nothing reaches it")
    assert goes["usr/share/doc/air/README"] == Because("documents", "documents are read at a desk")
    assert goes["etc/hosts"] == Because("", "the configuration has a file in its place")
    assert goes["usr/share/doc/air"] == Because("", "nothing in it stays")
    for path in ("etc/idle.conf", "var/lib/idle", "usr/bin/commented", f"{S}/idle.service"):
        assert path in goes, path


def test_every_path_of_the_root_has_one_reason(tmp_path: Path) -> None:
    found = plan(tmp_path, Wanted(packages=("tool",)))
    paths = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")}
    assert paths <= found.stays.keys() | found.goes.keys()
    both = found.stays.keys() & found.goes.keys()
    assert both == {"etc/hosts"}  # the one of the configuration stays


def test_the_same_root_gives_the_same_reasons(tmp_path: Path) -> None:
    first = plan(tmp_path / "a", Wanted(packages=("tool",)))
    again = plan(tmp_path / "b", Wanted(packages=("tool",)))
    assert list(first.stays.items()) == list(again.stays.items())
    assert first == again


@pytest.mark.parametrize(
    ("wanted", "path", "how"),
    [
        (Wanted(packages=("tool",)), "usr/bin/tool", "is a program of tool, which was asked for"),
        (Wanted(packages=("data",)), "usr/share/data/map", "is of data, which was asked for"),
        (Wanted(keep=("/usr/bin/idle",)), "usr/bin/idle", "is named in minify.keep"),
        (Wanted(keep=("/usr/share/doc",)), "usr/share/doc/air/README", "is named in minify.keep"),
        (
            *(Wanted(keep=("package:idle",)), "usr/bin/idle"),
            "is of a package that is named in minify.keep",
        ),
        (
            *(Wanted(keep=("/usr/bin/idle", "package:idle")), "usr/bin/idle"),
            "is named in minify.keep",
        ),
        (Wanted(commands=(("idle", "x"),)), "usr/bin/idle", "is started by x"),
        (Wanted(modules=("json",)), f"{PYTHON}/json.py", "is imported by the agent as json"),
    ],
)
def test_what_the_configuration_wants_stays(
    wanted: Wanted, path: str, how: str, tmp_path: Path
) -> None:
    assert path in plan(tmp_path / "without", Wanted()).goes
    assert plan(tmp_path / "with", wanted).stays[path] == Because("", how)


@pytest.mark.parametrize("named", ["/usr/bin/also-idle", "/bin/also-idle"])
def test_a_link_that_is_kept_stays_with_what_it_leads_to(named: str, tmp_path: Path) -> None:
    stays = plan(tmp_path, Wanted(keep=(named,))).stays
    assert {"usr/bin/also-idle", "usr/bin/idle"} <= stays.keys()


def test_of_a_package_that_is_kept_documents_have_to_be_named(tmp_path: Path) -> None:
    readme = "usr/share/doc/data/README"
    kept = plan(tmp_path / "package", Wanted(keep=("package:data",)))
    assert "usr/share/data/map" in kept.stays
    assert kept.goes[readme].by == "documents"
    named = plan(tmp_path / "named", Wanted(keep=("package:data", f"/{readme}")))
    assert readme in named.stays


def test_of_a_package_with_many_programs_the_named_ones_stay(tmp_path: Path) -> None:
    found = plan(tmp_path, Wanted(packages=("tool",), programs=("tool",)))
    assert "usr/bin/tool" in found.stays
    assert "usr/bin/other-tool" in found.goes


def test_a_module_brings_what_it_imports(tmp_path: Path) -> None:
    found = plan(tmp_path, Wanted(modules=("json",)))
    assert found.stays[f"{PYTHON}/late.py"] == Because(f"{PYTHON}/json.py", "imports late")
    assert f"{PYTHON}/unused.py" in found.goes


def test_files_and_units_of_the_configuration_reach_what_they_name(tmp_path: Path) -> None:
    etc = {
        "tool.conf": "/usr/bin/tool",
        "systemd/system/own.service": "[Service]\nExecStart=/usr/bin/idle\n",
        "systemd/system/own.target.wants/idle.service": f"> /{S}/idle.service",
    }
    stays = plan(tmp_path, Wanted(), etc).stays
    assert stays["usr/bin/tool"].by == "etc/tool.conf"
    assert stays["usr/bin/idle"].by == "etc/systemd/system/own.service"
    assert f"{S}/idle.service" not in stays  # nothing starts own.target


def test_a_circle_of_links_is_reached_by_nobody_and_told(tmp_path: Path) -> None:
    root = write(
        tmp_path / "root",
        {**ROOT, "usr/bin/one": "> two", "usr/bin/two": "> one", "etc/x.conf": "/usr/bin/one"},
    )
    reasons = make_plan(
        Files.read([Part("", root)]), Owners.read(root), Wanted(keep=("/etc/x.conf",))
    )
    assert reasons.goes["usr/bin/one"] == Because("", "leads in a circle")
    assert "etc/x.conf" in reasons.stays


AGENT = "nix/store/0-reconix-device"


@pytest.mark.parametrize(
    ("containers", "by"), [(False, f"{AGENT}/root.sh"), (True, f"{AGENT}/container")]
)
def test_the_script_for_containers_counts_only_where_there_are_any(
    containers: bool, by: str, tmp_path: Path
) -> None:
    agent = write(
        tmp_path / "agent", {"container": "tool\nother-tool\n", "root.sh": "other-tool\n"}
    )
    root = write(tmp_path / "root", ROOT)
    parts = [Part(f"/{AGENT}", agent, hides=True), Part("", root)]
    wanted = Wanted(containers=containers)
    reasons = make_plan(Files.read(parts), Owners.read(root), wanted)
    assert reasons.stays["usr/bin/other-tool"].by == by
    assert ("usr/bin/tool" in reasons.stays) == containers


@pytest.mark.parametrize(
    ("others", "ours"),
    [
        ({}, True),
        ({f"{PYTHON}/json.py": ""}, True),
        ({"usr/bin/own": "#!/usr/bin/python3\n"}, False),
        ({"usr/lib/x/libpython3.13.so.1.0": ""}, False),
    ],
)
def test_who_else_runs_python_is_told(others: Tree, ours: bool, tmp_path: Path) -> None:
    keep = tuple(f"/{path}" for path in others)
    root = write(tmp_path / "root", {**ROOT, **others})
    found = make_plan(Files.read([Part("", root)]), Owners.read(root), Wanted(keep=keep))
    assert found.is_python_ours is ours
