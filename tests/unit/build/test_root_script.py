"""The root of a system as a device has it, put together by the real scripts with real mounts.

The system partition has real images over a real pool; the programs are those of the first root, and
those of a soft reboot.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import pytest
from tests.crash.initrd_functions import function_of
from tests.system_partitions import (
    SHELLS,
    TOPLEVEL,
    SystemPartition,
    file,
    folder,
    link,
)

from reconix.build.boot import initrd
from reconix.store.images.nodes import Metadata, Node

ROOT, ETC, LINUX, TREE, UPPER, LOWER = (
    f"{number}" * 32 + f"-{name}"
    for number, name in enumerate(
        ("debian-root", "etc-default", "linux-6.12", "tree-opt-air", "files-default", "tree-usr"), 1
    )
)
CAPABLE = bytes.fromhex("0100000200200000000000000000000000000000")
"""``cap_net_raw=ep``."""
PROGRAM, SHADOW, CONFIG = b"\x7fELF" * 99, b"root:*:1:0:::::\n" * 9, b"Option yes\n" * 20
"""Contents in the pool."""
EMPTY: Mapping[str, bytes] = MappingProxyType({})

BEGIN = f"""
say() {{ echo "$*"; }}
fail() {{ say "$*"; exit 1; }}
. /root.sh
TOPLEVEL={TOPLEVEL} NEW=/new SYSTEM=/mnt/system DATA=/mnt/data data=x IMAGES=%s
"""
MAKE = """
make_store && ln -s /new/nix/store /nix/store && make_system_root
"""


def debian_root() -> Node:
    """As packages leave it: most of the folders that Debian has are empty."""
    public = Metadata(0o755)
    program = file(PROGRAM, Metadata(0o4755, 0, 0, 9))
    ping = file(PROGRAM, Metadata(0o755, 0, 0, 9, ((b"security.capability", CAPABLE),)))
    return folder(
        {
            "usr": folder(
                {
                    "bin": folder({"su": program, "ping": ping}),
                    "lib": folder({"modules": folder({})}),
                }
            ),
            "etc": folder(
                {"shadow": file(SHADOW, Metadata(0o640, 0, 42)), "both": file(b"root")}, public
            ),
            "var": folder({"lib": folder({"app": folder({}, Metadata(0o2775, 7, 50))})}, public),
            "home": folder({}, public),
            "media": folder({"x": folder({})}, Metadata(0o750, 0, 6)),
            "srv": folder(
                {"tftp": folder({"boot.img": file(b"as delivered")}, Metadata(0o755, 0, 65534))},
                Metadata(0o711, 0, 33),
            ),
            "opt": folder({"app": folder({".hidden": file(b"as delivered")})}, public),
            "root": folder({".profile": file(b"as delivered")}, Metadata(0o700)),
            "lib32": link("usr/lib32"),
        }
    )


@pytest.fixture
def partition(tmp_path: Path) -> SystemPartition:
    made = SystemPartition.make(tmp_path)
    for content in (PROGRAM, SHADOW, CONFIG):
        made.content(content)
    return made


def images(partition: SystemPartition, lists: Mapping[str, bytes] = EMPTY) -> str:
    """The images of the system: its root in one, all else in another.

    Args:
        partition: where they go.
        lists: further files of the toplevel, and then there is what they name.
    """
    for content in lists.values():
        partition.content(content)
    toplevel = folder(
        {
            "init": link("/usr/lib/systemd/systemd"),
            "root": link(f"/nix/store/{ROOT}"),
            "etc": link(f"/nix/store/{ETC}"),
            "modules": link(f"/nix/store/{LINUX}/modules"),
            "persist": file(b"systems/web /srv/tftp\n"),
            "unique": file(sha256(bytes(partition.place)).digest()),
            **{name: file(content) for name, content in lists.items()},
        }
    )
    etc = folder(
        {"app.conf": file(CONFIG, Metadata(0o600)), "both": file(b"etc"), "machine-id": file(b"")},
        Metadata(0o755),
    )
    linux = folder({"modules": folder({"order": file(b"loop\n")})})
    root = partition.image({ROOT: debian_root()})
    own = {TREE: own_tree(), UPPER: upper_layer(), LOWER: lower_layer()} if lists else {}
    others = partition.image({ETC: etc, LINUX: linux, TOPLEVEL.rpartition("/")[2]: toplevel, **own})
    return ",".join(sorted([root, others]))


def own_tree() -> Node:
    """A folder of the project, in which not all belongs to root."""
    program = file(PROGRAM, Metadata(0o4750, 7, 50, 9))
    return folder({"bin": folder({"air": program})}, Metadata(0o750, 7, 50))


def upper_layer() -> Node:
    """Files of the configuration in folders of packages, and in others."""
    return folder(
        {
            "srv": folder(
                {"tftp": folder({"boot.img": file(b"of the project")}, Metadata(0o755, 0, 65534))},
                Metadata(0o711, 0, 33),
            ),
            "usr": folder({"share": folder({"both": file(b"upper")})}, Metadata(0o755)),
            "var": folder({"lib": folder({"own": file(CONFIG, Metadata(0o600, 7, 50))})}),
            "work": folder({"own": file(b"of the project")}, Metadata(0o700, 7, 50)),
        },
    )


def lower_layer() -> Node:
    """A folder of the project below ``/usr``."""
    both = folder({"both": file(b"lower"), "one": file(b"lower")})
    return folder({"usr": folder({"share": both, "bin": folder({"own": file(PROGRAM)})})})


LISTS = {
    "trees": f"/nix/store/{TREE} /opt/app/air\n/nix/store/{TREE} /air\n".encode(),
    "layers": f"/nix/store/{UPPER}\n/nix/store/{LOWER}\n".encode(),
}
"""Of a system that has all of these."""


WHERE = pytest.mark.parametrize("where", SHELLS)


def made(
    partition: SystemPartition, then: str, where: str = "initrd", lists: Mapping[str, bytes] = EMPTY
) -> str:
    """What a program sees in the new root."""
    return partition.do(f"{BEGIN % images(partition, lists)}{MAKE}cd /new\n{then}", where=where)


@WHERE
def test_owners_modes_times_and_capabilities_are_those_of_the_image(
    partition: SystemPartition, where: str
) -> None:
    show = "stat -c '%a %u:%g %Y' usr/bin/su etc/shadow var/lib/app etc/app.conf srv/tftp"
    attribute = "/usr/bin/getfattr -n security.capability -e hex usr/bin/ping"
    assert made(partition, show, where).split("\n") == [
        "4755 0:0 9",
        "640 0:42 1",
        "2775 7:50 1",
        "600 0:0 1",
        "755 0:65534 1",
        "",
    ]
    assert f"0x{CAPABLE.hex()}" in made(partition, attribute, where)


@WHERE
def test_folders_of_which_only_a_copy_can_be_changed_look_like_those_of_the_root(
    partition: SystemPartition, where: str
) -> None:
    said = made(partition, "stat -c '%a %u:%g %n' etc var opt home root media srv .", where)
    assert said.split("\n") == [
        "755 0:0 etc",
        "755 0:0 var",
        "755 0:0 opt",
        "755 0:0 home",
        "700 0:0 root",
        "750 0:6 media",
        "711 0:33 srv",
        "755 0:0 .",
        "",
    ]


@WHERE
def test_usr_and_the_store_cannot_be_changed_and_hide_where_they_come_from(
    partition: SystemPartition, where: str
) -> None:
    show = "cut -d ' ' -f 5,6 /proc/self/mountinfo"
    said = made(partition, show, where)
    mounted = dict(line.split()[:2] for line in said.splitlines() if line.startswith("/new"))
    read_only = {
        place.removeprefix("/new")
        for place, options in mounted.items()
        if options.startswith("ro,")
    }
    assert read_only == {"/nix/store", "/usr", "/usr/lib/modules"}
    assert {place.removeprefix("/new") for place in mounted} - read_only == {
        *("", "/tmp", "/etc", "/var", "/opt", "/root", "/srv", "/srv/tftp"),
    }
    assert said.count("/mnt/") == 2, "the partitions, and no image"


def test_generated_files_come_before_those_of_packages(partition: SystemPartition) -> None:
    assert made(
        partition, "cat etc/both usr/lib/modules/order; readlink nix/system; readlink lib32"
    ) == (f"etcloop\n{TOPLEVEL}\nusr/lib32\n")


@WHERE
def test_what_is_changed_is_in_memory_alone(partition: SystemPartition, where: str) -> None:
    said = made(
        partition,
        "chmod 0600 etc/shadow && mv etc/shadow etc/shadow- && cat etc/shadow-"
        "; echo own > etc/app.conf; echo own > opt/app/.hidden; echo own > home/x"
        "; cat etc/app.conf opt/app/.hidden",
        where,
    )
    assert said == f"{SHADOW.decode()}own\nown\n"
    assert made(partition, "cat etc/shadow opt/app/.hidden") == f"{SHADOW.decode()}as delivered"


def test_an_overlay_can_still_be_laid_over_etc_and_usr(partition: SystemPartition) -> None:
    """A kernel stacks two; extensions of systemd are overlays."""
    over = "mount -t overlay -o lowerdir=/mnt/data:/new/{0} over /new/{0} && ls {0}/shadow"
    said = made(partition, f"{over.format('etc')}; {over.format('usr')}; ls usr/bin")
    assert said.split() == ["etc/shadow", "ping", "su"]


@WHERE
def test_a_tree_is_bound_as_it_is_where_the_list_says(
    partition: SystemPartition, where: str
) -> None:
    show = (
        "stat -c '%a %u:%g %Y %n' air opt/app/air/bin/air; cat opt/app/.hidden"
        "; touch air/x || echo read-only; cut -d ' ' -f 5,6 /proc/self/mountinfo | grep air"
    )
    said = made(partition, show, where, LISTS).splitlines()
    assert said[:2] == ["750 7:50 1 air", "4750 7:50 9 opt/app/air/bin/air"]
    assert "as delivered" in said[2]
    assert "read-only" in said[2:][-3]
    assert {line.split(",")[0] for line in said[-2:]} == {"/new/air ro", "/new/opt/app/air ro"}


@WHERE
def test_layers_are_laid_over_the_root_and_over_each_other(
    partition: SystemPartition, where: str
) -> None:
    show = "cat usr/share/both usr/share/one srv/tftp/boot.img work/own; ls usr/bin var/lib"
    assert made(partition, show, where, LISTS).split() == [
        *("upperlowerof", "the", "projectof", "the", "projectusr/bin:"),
        *("own", "ping", "su", "var/lib:", "app", "own"),
    ]
    show = (
        "stat -c '%a %u:%g %n' var/lib/own work usr usr/bin/su var/lib/app; touch usr/x || echo no"
    )
    assert made(partition, show, where, LISTS).splitlines()[:5] == [
        "600 7:50 var/lib/own",
        "700 7:50 work",
        "755 0:0 usr",
        "4755 0:0 usr/bin/su",
        "2775 7:50 var/lib/app",
    ]


@WHERE
def test_a_system_with_trees_and_layers_can_be_laid_over_and_hides_where_it_comes_from(
    partition: SystemPartition, where: str
) -> None:
    over = "mount -t overlay -o lowerdir=/mnt/data:/new/{0} over /new/{0} && ls {0}/shadow"
    show = f"{over.format('usr')}; ls usr/bin; cut -d ' ' -f 5 /proc/self/mountinfo | grep /mnt/"
    said = made(partition, show, where, LISTS).split()
    assert said == ["own", "ping", "su", "/mnt/system", "/mnt/data"]


@pytest.mark.parametrize("name", ["trees", "layers"])
def test_a_list_whose_content_is_lost_is_no_empty_list(
    partition: SystemPartition, name: str
) -> None:
    listed = images(partition, LISTS)
    partition.content(LISTS[name]).unlink()
    said = partition.complaint(f"{BEGIN % listed}{MAKE}")
    assert f"the list of {name} cannot be read" in said


def test_a_device_that_cannot_read_what_it_keeps_says_so(partition: SystemPartition) -> None:
    kept = {"persist": b"systems/web /srv/tftp\n" * 4}
    listed = images(partition, kept)
    partition.content(kept["persist"]).unlink()
    said = partition.do(f"{BEGIN % listed}{MAKE}cat /run/reconix/faults")
    assert "nothing is kept: the list of what is cannot be read" in said


def test_a_folder_below_them_persists(partition: SystemPartition) -> None:
    made(partition, "echo own > srv/tftp/boot.img; umount srv/tftp")
    assert made(partition, "cat srv/tftp/boot.img") == "own\n"


def test_the_identity_of_the_machine_cannot_be_written(partition: SystemPartition) -> None:
    said = made(partition, "cat etc/machine-id; stat -c %a etc/machine-id")
    identity, mode = said.split()
    assert (len(identity), mode) == (32, "444")


LOOPS = """
found() { for each in /sys/block/loop*/loop/backing_file; do [ ! -e $each ] || cat $each; done; }
"""
"""The files that loop devices stand for."""
GO = """
cd / && umount -l /new
for turn in 1 2 3 4 5 6 7 8 9; do found | grep -q "$image" && sleep 0.2; done
"""


@WHERE
def test_images_go_with_the_root(partition: SystemPartition, where: str) -> None:
    """Else each switch would leave its loop devices."""
    (name,) = {*images(partition).split(",")} - {partition.image({ROOT: debian_root()})}
    count = f'image={name}; found | grep -c "$image"'
    assert made(partition, f"{LOOPS}{count};{GO}{count}; true", where).split() == ["1", "0"]


# -- what is not as it should be -------------------------------------------------------------------

STORE = "make_store; echo made"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", "nothing says in which images /nix/store/"),
        (",", "nothing says in which images /nix/store/"),
        ("../../etc/shadow", "../../etc/shadow is no name of an image"),
        ("a" * 63, "is no name of an image"),
        ("A" * 64, "is no name of an image"),
        ("a" * 65, "is no name of an image"),
        ("a" * 64, f"there is no image {'a' * 64}"),
    ],
)
@WHERE
def test_a_wrong_name_of_an_image_ends_the_start(
    partition: SystemPartition, where: str, names: str, expected: str
) -> None:
    whole = images(partition)
    for one in (names, f"{whole},{names}", f"{names},{whole}") if names.strip(",") else (names,):
        said = partition.complaint(BEGIN % f"'{one}'" + STORE, where=where)
        assert expected in said
        assert "made" not in said


@WHERE
def test_a_damaged_image_or_a_missing_pool_ends_the_start(
    partition: SystemPartition, where: str
) -> None:
    names = images(partition)
    path = partition.system / "images" / names[:64]
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + bytes(64) + whole[1088:])
    assert f"/mnt/system/images/{names[:64]}" in partition.complaint(
        BEGIN % names + STORE, where=where
    )
    path.write_bytes(whole)
    (partition.system / "pool").rename(partition.system / "gone")
    assert "::/mnt/system/pool" in partition.complaint(BEGIN % names + STORE, where=where)


VERIFIED = "echo quiet reconix.verity gpt > /cmdline; CMDLINE=/cmdline\n"


@WHERE
def test_an_image_that_is_not_what_its_name_says_ends_the_start_where_all_is_to_be_compared(
    partition: SystemPartition, where: str
) -> None:
    names = images(partition)
    assert partition.do(BEGIN % names + VERIFIED + STORE, where=where) == "made\n"
    path = partition.system / "images" / names[:64]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = partition.complaint(BEGIN % names + VERIFIED + STORE, where=where)
    assert f"the image {names[:64]} was altered" in said
    assert "made" not in said
    assert partition.do(BEGIN % names + STORE, where=where) == "made\n"


@WHERE
def test_w7_a_content_of_which_the_kernel_has_no_hashes_cannot_be_opened_where_it_must_have_them(
    partition: SystemPartition, where: str
) -> None:
    """In the store, in /usr, and in /etc, where a tmpfs lies over it."""
    begin = f"{BEGIN % images(partition)}{VERIFIED}{MAKE}cd /new; exec 2>&1\n"
    paths = f"usr/bin/su etc/app.conf nix/store/{ROOT}/usr/bin/su"
    look = f"for path in {paths}; do cat $path > /dev/null && echo no; done; cat etc/both"
    said = partition.do(begin + look, where=where)
    assert said.count("/output error") == 3
    assert said.endswith("\netc")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("reconix.verity", "1"), ("a reconix.verity=0 b", ""), ("areconix.verity", ""), ("", "")],
)
def test_only_the_whole_word_says_that_all_is_to_be_compared(
    partition: SystemPartition, words: str, expected: str
) -> None:
    begin = f"{BEGIN % ''}echo '{words}' > /cmdline; CMDLINE=/cmdline\n"
    assert partition.do(begin + 'read_integrity; echo "<$VERITY>"') == f"<{expected}>\n"


READ = "cat usr/bin/su etc/shadow etc/app.conf | sha256sum | head -c 64"
ALL = sha256(PROGRAM + SHADOW + CONFIG).hexdigest()


@WHERE
def test_contents_come_from_a_pack_that_only_root_sees(
    partition: SystemPartition, where: str
) -> None:
    name = partition.pack()
    place = f"/run/reconix/packs/{name}"
    look = f"{READ}; stat -c ' %a %u' {place} {place}/*; umount {place} || echo not mounted"
    assert made(partition, look, where).split() == [ALL, *["700", "0"] * 4]


@WHERE
def test_a_content_in_the_pool_comes_before_the_same_in_a_pack(
    partition: SystemPartition, where: str
) -> None:
    partition.pack()
    partition.content(SHADOW).chmod(0o600)
    partition.content(SHADOW).write_bytes(b"root:*:2:0:::::\n" * 9)
    assert made(partition, "head -n 1 etc/shadow", where) == "root:*:2:0:::::\n"


@WHERE
def test_without_its_pack_a_system_starts_and_says_what_it_lacks(
    partition: SystemPartition, where: str
) -> None:
    """What rested there is an error of whoever reads it; all else is there."""
    name = partition.pack()
    partition.content(CONFIG)
    file = partition.system / "packs" / name
    file.write_bytes(bytes(1024) + file.read_bytes()[1024:].replace(b"\xe2\xe1\xf5\xe0", bytes(4)))
    look = f"cat etc/app.conf | head -n 1; {READ} > /dev/null 2>&1; cat /run/reconix/faults"
    said = made(partition, look, where)
    assert said.endswith(f"Option yes\nthe pack {name} is not mounted\n")


def test_what_is_no_pack_is_not_mounted(partition: SystemPartition) -> None:
    (partition.system / "packs").mkdir()
    (partition.system / "packs/x").write_bytes(b"")
    assert made(partition, f"{READ}; ls -d /run/reconix/packs || echo none") == f"{ALL}none\n"


def test_a_missing_content_is_an_error_of_whoever_reads_it(partition: SystemPartition) -> None:
    partition.content(SHADOW).unlink()
    assert made(partition, "cat usr/bin/su > /dev/null && cat etc/shadow || echo no").endswith(
        "no\n"
    )


@pytest.mark.parametrize("layout", [None, "", "1\n", "3\n", "22\n"])
def test_a_disk_of_another_layout_is_left_alone(
    partition: SystemPartition, layout: str | None
) -> None:
    script = initrd.SCRIPT.read_text()
    check = f"LAYOUT=2\n{function_of(script, 'check_layout')}\ncheck_layout"
    begin = BEGIN % ""
    assert partition.do(f"{begin}{check}") == ""
    place = partition.system / "reconix/layout"
    place.unlink()
    if layout is not None:
        place.write_text(layout)
    said = partition.complaint(f"{begin}{check}")
    assert said == f"the disk has layout {(layout or '1').strip()}, this system needs 2\n"


@WHERE
@pytest.mark.parametrize("size", [254, 255, 256, 4096])
def test_what_an_option_cannot_hold_stands_behind_links(
    partition: SystemPartition, where: str, size: int
) -> None:
    """mount(8) of util-linux 2.41 refuses an option of 256 bytes."""
    rest = "::/mnt/system/pool"
    layers = ":".join(["one?", "b*", "c" * (size - len(f"one?:b*:{rest}"))])
    said = partition.do(
        f". /root.sh; SYSTEM=/mnt/system VERITY= packs= table= NEW=/new; mkdir /links; cd /links"
        f"; plan_overlay a /b '{layers}' ro; printf %s \"$table\"; ls /links"
        "; for link in l*; do [ ! -h $link ] || readlink $link; done",
        where=where,
    )
    head, *links = said.splitlines()
    lower = head.partition("lowerdir=")[2]
    if size <= 255:
        assert (lower, links) == (f"{layers}{rest}", [])
    else:
        assert lower == "l1:l2:l3::l4"
        assert links == ["l1", "l2", "l3", "l4", *layers.split(":"), "/mnt/system/pool"]


@WHERE
def test_many_packs_are_no_reason_not_to_start(partition: SystemPartition, where: str) -> None:
    partition.pack()
    for number in range(4):
        partition.content(bytes([number]) * 5000)
        partition.pack()
    assert made(partition, READ, where) == ALL
