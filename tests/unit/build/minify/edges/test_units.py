"""What units reach."""

from pathlib import Path

import pytest
from tests.device_trees import Tree, make

from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.units import UnitEdges, is_drop_in

S = "usr/lib/systemd/system"


def targets(
    tmp_path: Path, tree: Tree, path: str, *parameters: str, etc: Tree | None = None
) -> set[str]:
    files = make(tmp_path, tree, etc=etc or {})
    found = UnitEdges(files, ScriptEdges(files), parameters).of(path)
    return {edge.target for edge in found or ()}


@pytest.mark.parametrize(
    "key", ["Requires", "Wants", "BindsTo", "Upholds", "OnFailure", "OnSuccess", "Requisite"]
)
def test_a_unit_starts_what_it_names(key: str, tmp_path: Path) -> None:
    tree = {f"{S}/a.service": f"[Unit]\n{key}=b.service c@x.service\nAfter=d.service\n"}
    tree |= {f"{S}/{name}.service": "" for name in ("b", "c@", "d")}
    assert targets(tmp_path, tree, f"{S}/a.service") == {f"{S}/b.service", f"{S}/c@.service"}


@pytest.mark.parametrize(
    ("kind", "partner"),
    [("socket", "service"), ("timer", "service"), ("path", "service"), ("automount", "mount")],
)
def test_a_unit_starts_its_partner(kind: str, partner: str, tmp_path: Path) -> None:
    tree = {f"{S}/a.{kind}": "", f"{S}/a.{partner}": ""}
    assert targets(tmp_path, tree, f"{S}/a.{kind}") == {f"{S}/a.{partner}"}


def test_a_timer_starts_the_unit_that_it_says(tmp_path: Path) -> None:
    tree = {f"{S}/a.timer": "[Timer]\nUnit=b.service\n", f"{S}/b.service": ""}
    assert targets(tmp_path, tree, f"{S}/a.timer") == {f"{S}/b.service"}


def test_programs_and_files_of_command_lines_are_reached(tmp_path: Path) -> None:
    service = (
        "[Service]\nExecStartPre=-/usr/bin/mkdir /run/x\n"
        "ExecStart=@/usr/bin/air name -c /etc/air.conf\n"
        "ExecStop=/usr/bin/sh -c 'kill $MAINPID; sleep 1'\nEnvironmentFile=-/etc/default/air\n"
        "PAMName=air\nExecReload=ip a\n"
    )
    tree = {f"{S}/a.service": service, "usr/sbin/ip": "", "usr/bin/sleep": ""}
    assert targets(tmp_path, tree, f"{S}/a.service") >= {
        *("usr/bin/mkdir", "usr/bin/air", "etc/air.conf", "usr/bin/sh", "usr/bin/sleep"),
        *("etc/default/air", "etc/pam.d/air", "usr/sbin/ip"),
    }


def test_drop_ins_and_links_of_its_name_belong_to_a_unit(tmp_path: Path) -> None:
    tree = {
        f"{S}/a-b.target": "",
        f"{S}/a-b.target.wants/c.service": "> ../c.service",
        f"{S}/a-b.target.wants/missing.service": "> ../missing.service",
        f"{S}/c.service": "",
        f"{S}/a-b.target.d/x.conf": "",
        f"{S}/a-.target.d/y.conf": "",
        f"{S}/target.d/z.conf": "",
        f"{S}/other.target.d/z.conf": "",
    }
    etc = {"systemd/system/a-b.target.requires/c.service": "> /usr/lib/systemd/system/c.service"}
    assert targets(tmp_path, tree, f"{S}/a-b.target", etc=etc) == {
        f"{S}/a-b.target.wants/c.service",
        f"{S}/a-b.target.d/x.conf",
        f"{S}/a-.target.d/y.conf",
        f"{S}/target.d/z.conf",
        "etc/systemd/system/a-b.target.requires/c.service",
    }


def test_a_link_to_a_unit_means_the_unit_of_its_name(tmp_path: Path) -> None:
    link = f"{S}/a.target.wants/c.service"
    tree = {link: "> ../c.service", f"{S}/c.service": ""}
    etc = {"systemd/system/c.service": "[Service]\n"}
    assert targets(tmp_path, tree, link, etc=etc) == {"etc/systemd/system/c.service"}


def test_a_masked_unit_is_not_started(tmp_path: Path) -> None:
    tree = {f"{S}/a.target": "[Unit]\nWants=c.service\n", f"{S}/c.service": ""}
    etc = {"systemd/system/c.service": "> /dev/null"}
    assert targets(tmp_path, tree, f"{S}/a.target", etc=etc) == set()


@pytest.mark.parametrize(
    ("conditions", "starts"),
    [
        ("ConditionFirstBoot=yes", False),
        ("ConditionFirstBoot=no", True),
        ("ConditionNeedsUpdate=/etc", False),
        ("ConditionNeedsUpdate=|/etc\nConditionPathExists=|/run/x", True),
        ("ConditionNeedsUpdate=|/etc\nConditionFileNotEmpty=|!/etc/full", False),
        ("ConditionNeedsUpdate=|/etc\nConditionFileNotEmpty=|!/etc/missing", True),
        ("ConditionCredential=x", False),
        ("ConditionKernelCommandLine=quiet", True),
        ("ConditionKernelCommandLine=console", True),
        ("ConditionKernelCommandLine=resume", False),
        ("ConditionKernelCommandLine=!resume", True),
        ("ConditionPathExists=/etc/initrd-release", False),
        ("ConditionPathExists=!/etc/initrd-release", True),
        ("ConditionPathExists=/usr/bin/missing", False),
        ("ConditionPathExists=/usr/bin/there", True),
        ("ConditionPathExists=/var/x", True),
        ("ConditionFileNotEmpty=/lib/modules/%v/modules.devname", True),
        ("ConditionPathExists=/usr/lib/%p/x", True),
        ("ConditionVirtualization=container", True),
    ],
)
def test_a_unit_whose_condition_never_holds_is_not_started(
    conditions: str, *, starts: bool, tmp_path: Path
) -> None:
    tree = {
        f"{S}/a.target": "[Unit]\nWants=c.service\n",
        f"{S}/c.service": f"[Unit]\n{conditions}\n",
        "usr/bin/there": "",
    }
    etc = {"full": "x"}
    parameters = ("quiet", "console=ttyS0")
    found = targets(tmp_path, tree, f"{S}/a.target", *parameters, etc=etc)
    assert (f"{S}/c.service" in found) == starts


def test_other_files_are_no_units(tmp_path: Path) -> None:
    files = make(tmp_path, {"usr/bin/a.service": "", f"{S}/README": ""})
    edges = UnitEdges(files, ScriptEdges(files))
    assert edges.of("usr/bin/a.service") is None
    assert edges.of(f"{S}/README") is None


def test_a_drop_in_is_told_from_its_place() -> None:
    assert is_drop_in(f"{S}/a.service.d/x.conf")
    assert not is_drop_in(f"{S}/a.service.d/README")
    assert not is_drop_in("etc/tmpfiles.d/x.conf")


def test_a_drop_in_starts_what_it_names(tmp_path: Path) -> None:
    drop_in = f"{S}/a.service.d/x.conf"
    tree = {drop_in: "[Unit]\nWants=b.service\n[Service]\nExecStartPre=/usr/bin/x\n"}
    files = make(tmp_path, {**tree, f"{S}/b.service": ""})
    edges = UnitEdges(files, ScriptEdges(files))
    assert {each.target for each in edges.of_drop_in(drop_in)} == {f"{S}/b.service", "usr/bin/x"}


def test_the_condition_of_a_drop_in_counts(tmp_path: Path) -> None:
    """As of ``systemd-logind.service``, which wants a bus or does not start."""
    tree = {
        f"{S}/a.target": "[Unit]\nWants=c.service\n",
        f"{S}/c.service": "[Service]\nExecStart=/usr/bin/c\n",
        f"{S}/c.service.d/bus.conf": "[Unit]\n"
        "ConditionPathExists=|/lib/systemd/system/bus.service\n",
        "lib": "> usr/lib",
    }
    assert targets(tmp_path / "without", tree, f"{S}/a.target") == set()
    tree |= {f"{S}/bus.service": ""}
    assert targets(tmp_path / "with", tree, f"{S}/a.target") == {f"{S}/c.service"}


def test_a_required_unit_is_there_although_it_never_starts(tmp_path: Path) -> None:
    tree = {
        f"{S}/a.target": "[Unit]\nRequires=c.service\n",
        f"{S}/c.service": "[Unit]\nConditionFirstBoot=yes\n[Service]\nExecStart=/usr/bin/c\n",
    }
    assert targets(tmp_path, tree, f"{S}/a.target") == {f"{S}/c.service"}
    assert targets(tmp_path, tree, f"{S}/c.service") == set()
