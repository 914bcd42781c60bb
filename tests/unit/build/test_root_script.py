"""The root of a system as a device has it, put together by the real script with real mounts."""

import itertools
import os
import resource
import shlex
import stat
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.boot import initrd

LAY_OVER = """
say() {{ echo "$*"; }}
fail() {{ say "$*"; exit 1; }}
. {script}
TOPLEVEL={toplevel} NEW={new} DATA={data} data=x
mount -t tmpfs root $NEW && cd $NEW && mkdir -p etc home media mnt opt root srv usr var
cd / && lay_over && apply_metadata && keep_paths
{then}
"""


@pytest.fixture
def toplevel(tmp_path: Path) -> Path:
    """As packages leave it: most of the folders that Debian has are empty."""
    place = tmp_path / "toplevel"
    for folder in ("etc", "root/etc", "root/var/lib", "root/usr", "root/home", "root/media/x"):
        (place / folder).mkdir(parents=True)
    for path in ("root/srv/tftp/boot.img", "root/opt/app/.hidden", "root/root/.profile"):
        (place / path).parent.mkdir(parents=True)
        (place / path).write_text("as delivered")
    (place / "root/lib32").symlink_to("usr/lib32")
    (place / "metadata").write_text("0700 0 0 /root\n0755 0 65534 /srv/tftp\n")
    (place / "persist").write_text("systems/web /srv/tftp\n")
    return place


def started(toplevel: Path, then: str) -> str:
    """What a program sees in the new root; its mounts are gone with it."""
    Need()("unshare", "mount")
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder = toplevel.parent
    for name in ("new", "data"):
        (folder / name).mkdir(exist_ok=True)
    script = LAY_OVER.format(
        script=shlex.quote(str(initrd.ROOT_SCRIPT)),
        toplevel=shlex.quote(str(toplevel)),
        new=folder / "new",
        data=folder / "data",
        then=then,
    )
    return run("unshare", "--mount", "sh", "-c", script).decode()


def test_what_packages_bring_outside_usr_is_there_and_can_be_changed(toplevel: Path) -> None:
    said = started(
        toplevel,
        "cat $NEW/opt/app/.hidden; stat -c ' %a %g' $NEW/root $NEW/srv/tftp;"
        "echo own > $NEW/opt/app/.hidden; echo own > $NEW/home/x; cat $NEW/opt/app/.hidden",
    )
    assert said == "as delivered 700 0\n 755 65534\nown\n"
    assert (toplevel / "root/opt/app/.hidden").read_text() == "as delivered"


def test_a_folder_below_them_persists(toplevel: Path) -> None:
    started(toplevel, "echo own > $NEW/srv/tftp/boot.img; umount $NEW/srv/tftp")
    assert started(toplevel, "cat $NEW/srv/tftp/boot.img") == "own\n"


def test_a_link_of_packages_is_there(toplevel: Path) -> None:
    assert started(toplevel, "readlink $NEW/lib32") == "usr/lib32\n"


def test_where_packages_bring_nothing_nothing_is_mounted(toplevel: Path) -> None:
    mounted = started(toplevel, "cut -d ' ' -f 2 /proc/mounts").split()
    ours = {path.rpartition("/new/")[2] for path in mounted if "/new/" in path}
    assert ours == {"etc", "var", "opt", "root", "srv", "srv/tftp"}


SHELLS = {
    "initrd": (
        ("busybox", "sh"),
        "mkdir applets && busybox --install -s applets && PATH=$PWD/applets",
    ),
    "soft reboot": (("sh",), ""),
}
LINES = 12_000
SECONDS = 4


@pytest.mark.parametrize("where", SHELLS)
def test_owners_and_modes_take_time_in_proportion_to_their_number(
    tmp_path: Path, need: Need, where: str
) -> None:
    """A list that grows by one was copied each time: this many took 8 s, and 100 s on a device."""
    need("busybox")
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    (tmp_path / "new").mkdir()
    owners, modes = itertools.cycle([0, 0, 65534]), itertools.cycle(["0600", "4755"])
    lines = []
    for name, owner, mode in zip(range(LINES), owners, modes, strict=False):
        (tmp_path / f"new/{name}").touch()
        lines.append(f"{mode} {owner} {owner} /{name}\n")
    (tmp_path / "metadata").write_text("".join(lines))
    words, setting = SHELLS[where]
    script = f"{setting}\n. {initrd.ROOT_SCRIPT}\nNEW=$PWD/new TOPLEVEL=$PWD\napply_metadata"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(*words, "-c", script, folder=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
    for name, line in enumerate(lines):
        status = (tmp_path / f"new/{name}").stat()
        found = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid} {status.st_gid}"
        assert line == f"{found} /{name}\n"
