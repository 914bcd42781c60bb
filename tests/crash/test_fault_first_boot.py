"""P9, D3 and D4: what persists is made by the first boot, kept apart, and never formatted.

The first boot is cut before each of its steps; the next one finds or makes the same things.

What a first boot makes is the identity of the device and the folders that persist, filled from the
system.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.initrd_functions import SCRIPTS, Functions

STEPS = ("mkdir", "cp", "mv", "rm", "sync", "chmod", "mount")
IDENTITY = ("need", "fault", "make_machine_id", "find_machine_id", "give_machine_id")
PATHS = ("fault", "enter", "fill", "give", "bind_here", "keep", "keep_paths")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A device with an empty ``data``; its system brings something for a folder that persists."""
    for name in ("data", "run", "new/etc", "new/var/lib/app/sub", "toplevel"):
        (tmp_path / "first" / name).mkdir(parents=True)
    (tmp_path / "first/new/var/lib/app/sub/default.conf").write_text("as delivered")
    persist = "systems/mqtt /var/lib/app\nshared /var/lib/keys\n"
    (tmp_path / "first/toplevel/persist").write_text(persist)
    return tmp_path / "first"


def boot(place: Path, *, allowed: int, data: str = "x") -> bool:
    """What a boot does about what persists; ``data`` is empty if it could not be mounted."""
    (place / "run/machine-id").unlink(missing_ok=True)
    setting = {
        "DATA": f"{place}/data",
        "NEW": f"{place}/new",
        "TOPLEVEL": f"{place}/toplevel",
        "data": data,
    }
    if not Functions(IDENTITY, STEPS, place / "run", setting).run(allowed=allowed):
        return False
    used = len((place / "run/count").read_text().splitlines())
    paths = Functions(PATHS, STEPS, place / "run", setting)
    return paths.run(allowed=allowed - used)


def kept(place: Path) -> dict[str, str]:
    data = place / "data"
    return {
        str(path.relative_to(data)): path.read_text() if path.is_file() else ""
        for path in data.rglob("*")
    }


def cuts(new: Path) -> Iterator[Path]:
    """The device after a first boot that was cut at each step, and a second one that was not."""
    for allowed in range(99):
        place = new.with_name(f"cut-{allowed}")
        shutil.copytree(new, place)
        finished = boot(place, allowed=allowed)
        assert boot(place, allowed=99)
        yield place
        if finished:
            assert allowed > 10
            return
    raise AssertionError("the first boot has no end")


def test_p9_a_cut_first_boot_is_made_good_by_the_next(new: Path) -> None:
    for place in cuts(new):
        found = kept(place)
        assert found["systems/mqtt/var/lib/app/sub/default.conf"] == "as delivered"
        assert "shared/var/lib/keys" in found
        assert not [name for name in found if ".new" in name]
        identity = found["machine-id"]
        assert len(identity) == 33
        assert (place / "new/etc/machine-id").read_text() == identity


def test_p9_what_was_kept_is_neither_filled_nor_named_again(new: Path) -> None:
    assert boot(new, allowed=99)
    own = new / "data/systems/mqtt/var/lib/app/sub/default.conf"
    own.write_text("changed")
    before = kept(new)
    assert boot(new, allowed=99)
    assert kept(new) == before


def test_d3_without_data_a_device_starts_and_leaves_them_alone(new: Path) -> None:
    assert boot(new, allowed=99, data="")
    assert kept(new) == {}
    assert len((new / "new/etc/machine-id").read_text()) == 33


def test_d3_nothing_that_starts_a_device_can_format() -> None:
    for script in SCRIPTS:
        assert not re.search(r"mkfs|mke2fs|mkdosfs|wipefs|tune2fs", script.read_text())


def test_d4_two_systems_that_keep_the_same_path_keep_it_apart(new: Path) -> None:
    assert boot(new, allowed=99)
    (new / "toplevel/persist").write_text("systems/web /var/lib/app\n")
    assert boot(new, allowed=99)
    name = "var/lib/app/sub/default.conf"
    (new / "data/systems/web" / name).write_text("changed by web")
    assert kept(new)[f"systems/mqtt/{name}"] == "as delivered"
