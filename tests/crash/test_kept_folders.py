"""What is kept is whole and is a folder of its own, or it is not kept and that is told.

Each test runs the real scripts with real mounts: those of the first root, and those of a soft
reboot, beside which programs may still run.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.crash.made_roots import INITRD, SOFT_REBOOT, Maker

WEB = "systems/web /var/lib/web"
KEPT = "data/systems/web/var/lib/web"
SECRET = "mkdir -p data/systems/other && echo mine > data/systems/other/secret"
IS_BOUND = "cat new/var/lib/web/* 2>/dev/null; echo end"


@pytest.fixture(params=[INITRD, SOFT_REBOOT])
def maker(request: pytest.FixtureRequest, need: Callable[..., None], tmp_path: Path) -> Maker:
    """A device of which nothing was kept yet."""
    need("busybox", "unshare")
    made = Maker(tmp_path, request.param)
    made.keeps(WEB)
    made.brings("var/lib/web/given")
    return made


def test_what_the_system_brings_is_kept_with_owner_and_mode(maker: Maker) -> None:
    (maker.place / "new/var/lib/web").chmod(0o750)
    said = maker.do(
        "keep_paths", f"stat -c %a {KEPT}", "echo own > new/var/lib/web/own", f"ls {KEPT}"
    )
    assert said.split() == ["750", "given", "own"]
    assert maker.faults() == []


@pytest.mark.parametrize("limits", ["size=128k", "size=1m,nr_inodes=9"], ids=["blocks", "inodes"])
def test_a_full_disk_leaves_no_half_copy_and_it_is_told(maker: Maker, limits: str) -> None:
    maker.brings(*(f"var/lib/web/{number}" for number in range(5)), size_bytes=40_000)
    full = Maker(maker.place, maker.program, limits)
    said = full.do(
        "keep_paths", "find data/* data/.new", "mountpoint -q new/var/lib/web && echo bound"
    )
    assert said.split()[-1] == "data/systems/web/var/lib"
    assert full.faults() == [
        "/var/lib/web is not kept: it cannot be filled: No space left on device"
    ]


LINKS = {
    "its own place": f"mkdir -p {KEPT.rpartition('/')[0]} && ln -s $DATA/systems/other {KEPT}",
    "a relative one": f"mkdir -p {KEPT.rpartition('/')[0]} && ln -s ../../../other {KEPT}",
    "one that leads nowhere": f"mkdir -p {KEPT.rpartition('/')[0]} && ln -s ../../none {KEPT}",
    "on the way": "mkdir -p data/systems/web/var && ln -s ../../other data/systems/web/var/lib",
    "above all": "ln -s other data/systems/web",
    "a file": f"mkdir -p {KEPT.rpartition('/')[0]} && echo file > {KEPT}",
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_w4_a_link_below_data_leads_nowhere(maker: Maker, link: str) -> None:
    before = f"{SECRET}; mkdir data/systems/other/web; {link}; find data | sort > before"
    said = maker.do(before, "keep_paths", IS_BOUND, "find data | sort | cmp before -")
    assert said == "xend\n", "what the system brings is there, in memory"
    assert [fault.partition(":")[0] for fault in maker.faults()] == ["/var/lib/web is not kept"]


def test_a_link_in_the_root_leads_nowhere(maker: Maker) -> None:
    maker.do(
        "mv new/var/lib new/var/real; ln -s real new/var/lib",
        "keep_paths",
        "mountpoint -q new/var/real/web && exit 1; true",
    )
    assert [fault.partition(":")[0] for fault in maker.faults()] == ["/var/lib/web is not kept"]


SWAP = f"mv {{place}}/{KEPT} {{place}}/data/aside; ln -s $DATA/systems/other {{place}}/{KEPT}"
BEFORE = {
    "cd": "cd() { [ $PWD/$2 != $DATA/systems/web/var/lib/./web ] || { %s; }; command cd $1 $2; }",
    "mount": "mount() { %s; command mount $@; }",
}
"""What a program does that runs beside a soft reboot, at the worst moment."""


@pytest.mark.parametrize("step", BEFORE)
def test_w4_a_link_that_comes_in_between_leads_nowhere(maker: Maker, step: str) -> None:
    swap = SWAP.format(place=maker.place)
    said = maker.do(
        f"{SECRET}; mkdir -p {KEPT}; echo own > {KEPT}/own; touch new/var/lib/web/sub",
        f"{BEFORE[step] % swap}; keep_paths; unset -f {step}",
        f"{IS_BOUND}; ls data/systems/other; readlink {KEPT}",
    )
    assert said.split()[-2:] == ["secret", f"{maker.place}/data/systems/other"]
    assert "mine" not in said


def test_the_identity_is_kept_whole_or_told(maker: Maker) -> None:
    full = Maker(maker.place, maker.program, "size=4k")
    said = full.do("echo x > data/fills; find_machine_id; ls -A data; cat run/machine-id")
    assert said.split()[0] == "fills" and len(said.split()[1]) == 32
    assert full.faults() == ["the machine-id is not kept"]


@pytest.mark.parametrize(
    "bad",
    ["ln -s other data/machine-id", "mkfifo data/machine-id", "echo {id}{id} > data/machine-id"],
)
def test_an_identity_that_is_none_is_made_anew(maker: Maker, bad: str) -> None:
    known = "0123456789abcdef" * 2
    said = maker.do(
        f"echo {known} > data/other; {bad.replace('{id}', known)}",
        "find_machine_id; cat data/machine-id run/machine-id data/other",
    )
    kept, used, other = said.split()
    assert kept == used != known
    assert other == known
