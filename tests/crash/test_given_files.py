"""Files that the generation has in a folder that persists: who was said to win, wins.

The real scripts with real mounts, as in ``test_kept_folders.py``.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.crash.initrd_functions import Functions
from tests.crash.made_roots import INITRD, SOFT_REBOOT, Maker

KEPT = "data/systems/web/etc/app"
STEPS = ("cp", "mv", "rm", "sync", "mkdir", "mount")
FUNCTIONS = (
    *("fault", "enter", "fill", "back", "is_kept", "is_given", "give", "bind_here", "keep"),
    "keep_paths",
)


@pytest.fixture(params=[INITRD, SOFT_REBOOT])
def maker(request: pytest.FixtureRequest, need: Callable[..., None], tmp_path: Path) -> Maker:
    """A device that has kept an older state of the folder."""
    need("busybox", "unshare")
    made = Maker(tmp_path, request.param)
    made.keeps("systems/web /etc/app")
    made.brings("etc/app/ours", "etc/app/theirs", "etc/app/sub/new", "etc/app/of-a-package")
    given = "generation /etc/app/ours\ndevice /etc/app/theirs\ndevice /etc/app/sub/new\n"
    (tmp_path / "top/given").write_text(given + "generation /etc/application/other\n")
    return made


OLD = f"mkdir -p {KEPT}; for name in ours theirs; do printf old > {KEPT}/$name; done"
SHOW = f"cd {KEPT}; for name in ours theirs sub/new of-a-package; do cat $name; echo; done"


def test_each_side_wins_where_it_was_said_and_what_is_new_arrives(maker: Maker) -> None:
    said = maker.do(OLD, "keep_paths", f"({SHOW}) 2>/dev/null")
    assert said.split("\n") == ["x", "old", "x", "", ""]
    assert maker.faults() == []


def test_an_empty_device_gets_all(maker: Maker) -> None:
    assert maker.do("keep_paths", SHOW).split() == ["x"] * 4


def test_what_is_the_same_is_not_written_again(maker: Maker) -> None:
    inodes = f"stat -c %i {KEPT}/ours {KEPT}/sub/new"
    said = maker.do("keep_paths", inodes, "umount new/etc/app; keep_paths", inodes).split()
    assert said[:2] == said[2:]


def test_owner_and_mode_are_those_of_the_generation(maker: Maker) -> None:
    (maker.place / "new/etc/app/ours").chmod(0o600)
    said = maker.do(f"{OLD}; printf x > {KEPT}/ours", "keep_paths", f"stat -c %a {KEPT}/ours")
    assert said == "600\n"


def test_a_link_of_the_generation_replaces_a_file_and_follows_its_target(maker: Maker) -> None:
    ours = maker.place / "new/etc/app/ours"
    ours.unlink()
    ours.symlink_to("/nowhere/one")
    again = "umount new/etc/app; ln -sfn /nowhere/two new/etc/app/ours; keep_paths"
    said = maker.do(OLD, "keep_paths", f"readlink {KEPT}/ours", again, f"readlink {KEPT}/ours")
    assert said.split() == ["/nowhere/one", "/nowhere/two"]
    assert maker.faults() == []


IN_THE_WAY = {
    "a link to a secret": (f"ln -s $DATA/secret {KEPT}/ours", []),
    "a link that leads nowhere": (f"ln -s /none {KEPT}/ours", []),
    "a folder": (f"mkdir -p {KEPT}/ours/x", ["/etc/app/ours is not that of the generation"]),
    "a link on the way": (
        f"mkdir data/other; ln -s $DATA/other {KEPT}/sub",
        ["/etc/app/sub/new is not that of the generation"],
    ),
}


@pytest.mark.parametrize("way", IN_THE_WAY)
def test_w4_what_a_service_has_made_in_its_way_leads_nowhere(maker: Maker, way: str) -> None:
    made, expected = IN_THE_WAY[way]
    said = maker.do(
        f"echo mine > data/secret; mkdir -p {KEPT}; {made}",
        "keep_paths",
        "cat data/secret; [ ! -e data/other ] || ls data/other",
        "grep -q /new/etc/app /proc/self/mounts && echo kept",
    )
    assert said.split() == ["mine", "kept"]
    assert [fault.partition(":")[0] for fault in maker.faults()] == expected


def test_a_full_disk_leaves_the_old_file_and_is_told(maker: Maker) -> None:
    maker.brings("etc/app/ours", size_bytes=200_000)
    full = Maker(maker.place, maker.program, "size=64k")
    assert full.do(OLD, "keep_paths", f"cat {KEPT}/ours; ls data/.new 2>/dev/null") == "old"
    assert re.match("/etc/app/ours is not that of the generation: .*space", full.faults()[0])


def test_a_cut_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    for allowed in range(99):
        place = tmp_path / str(allowed)
        for folder in ("new/etc/app", "top", "run", KEPT):
            (place / folder).mkdir(parents=True)
        (place / "new/etc/app/ours").write_text("new")
        (place / KEPT / "ours").write_text("old")
        (place / "top/persist").write_text("systems/web /etc/app\n")
        (place / "top/given").write_text("generation /etc/app/ours\n")
        setting = {"DATA": f"{place}/data", "NEW": f"{place}/new", "TOPLEVEL": f"{place}/top"}
        functions = Functions(FUNCTIONS, STEPS, place / "run", {**setting, "data": "x"})
        finished = functions.run(allowed=allowed)
        assert (place / KEPT / "ours").read_text() in ("old", "new")
        assert functions.run(allowed=99)
        assert (place / KEPT / "ours").read_text() == "new"
        if finished:
            assert allowed > 3
            return
    raise AssertionError("it has no end")


def test_files_below_var_are_given_as_those_below_etc(maker: Maker) -> None:
    """Wherever the configuration has a file: what persists around it may be anywhere."""
    maker.keeps("shared /var/lib/air")
    maker.brings("var/lib/air/ours", "var/lib/air/theirs", "var/lib/air/sub/new")
    given = (
        "generation /var/lib/air/ours\ndevice /var/lib/air/theirs\ndevice /var/lib/air/sub/new\n"
    )
    (maker.place / "top/given").write_text(given)
    kept = "data/shared/var/lib/air"
    old = f"mkdir -p {kept}; for name in ours theirs; do printf old > {kept}/$name; done"
    show = f"cd {kept}; for name in ours theirs sub/new; do cat $name; echo; done"
    assert maker.do(old, "keep_paths", show).split() == ["x", "old", "x"]
    assert maker.faults() == []
