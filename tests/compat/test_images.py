"""The kernel, fsck.erofs, dump.erofs and the tools of composefs read our images.

The kernel mounts an image over a pool, as a device does, and shows exactly the tree that was
written.
"""

import ast
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conftest import Need
from tests.image_trees import (
    CAPABILITY,
    POOLED,
    Row,
    file,
    folder,
    forests,
    link,
    rows,
)
from tests.unit.store.images.test_verity import KNOWN, content

from reconix.base.process import Word, run, succeeds
from reconix.build.archive.addresses import addresses
from reconix.build.archive.apt import Source, machine_settings
from reconix.config.schema.project import Archive
from reconix.store.images.erofs import redirect, write_image
from reconix.store.images.nodes import (
    EXECUTABLE,
    MAX_INLINE_BYTES,
    READ_ONLY,
    Attributes,
    ImageFile,
    ImageFolder,
    Metadata,
    Node,
)
from reconix.store.images.verity import digest

SUITE = "sid"
"""It has the tools of composefs."""

Forest = Sequence[tuple[bytes, Node]]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting is for root only")

MOUNT = """
set -e
cd "$1"
layers=
for image in images/*; do
    mkdir -p "layers/${image#images/}"
    mount -t erofs -o loop,ro "$image" "layers/${image#images/}"
    layers="$layers${layers:+:}layers/${image#images/}"
done
mkdir -p store
mount -t overlay -o "ro,metacopy=on,redirect_dir=follow,lowerdir=$layers::pool" overlay store
umount layers/*
exec "$2" -I -S -c "$3" store
"""

SHOW = """
import os, stat, sys

def show(path, inside):
    found = os.lstat(path)
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    kind = kind[stat.S_IFMT(found.st_mode)]
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {
        os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in names
    }
    target, content = b"", b""
    if kind == "link":
        target = os.readlink(path)
    if kind == "file":
        with open(path, "rb") as source:
            source.seek(max(0, found.st_size - (1 << 20)))
            content = source.read()
    size = 0 if kind == "folder" else found.st_size
    print((inside, kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid,
           found.st_mtime_ns // 10**9, size, target, content, tuple(sorted(attributes.items()))))
    if kind == "folder":
        for name in sorted(os.listdir(path)):
            show(path + b"/" + name, inside + b"/" + name)

show(os.fsencode(sys.argv[1]), b"")
"""
"""Prints what a mounted file system shows; only the last MiB of a content."""


class Device:
    """Images and a pool as on a device, mounted for nobody else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("images", "pool", "layers"):
            (root / name).mkdir()

    def add_image(self, trees: Forest) -> Path:
        """Write an image; the later ones are below those before them."""
        path = self.root / "images" / f"{len(list((self.root / 'images').iterdir())):03}"
        with path.open("wb") as image:
            write_image(trees, image.write)
        return path

    def add_content(self, name: bytes) -> Path:
        """Make place in the pool for a content."""
        path = self.root / "pool" / redirect(name).decode().lstrip("/")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return path

    def fill(self, contents: Iterable[bytes]) -> None:
        for each in contents:
            path = self.add_content(digest(each))
            path.write_bytes(each)
            path.chmod(0o400)

    def shown(self) -> list[Row]:
        """All that the kernel shows of the store."""
        words = ("unshare", "--mount", "sh", "-c", MOUNT, "sh", self.root, sys.executable, SHOW)
        said = run(*words, limit_bytes=1 << 28).decode()
        return [_named(Row(*ast.literal_eval(line))) for line in said.splitlines()]


def _named(row: Row) -> Row:
    """With the name of a content where a tree has it."""
    is_whole = MAX_INLINE_BYTES < len(row.content) == row.size_bytes
    return row._replace(content=digest(row.content)) if is_whole else row


def expected(*forests: Forest) -> list[Row]:
    entries = sorted(entry for forest in forests for entry in forest)
    return list(rows(ImageFolder(EXECUTABLE, tuple(entries))))


@pytest.fixture
def new_device(tmp_path: Path, need: Need) -> Callable[[], Device]:
    need("unshare", "losetup")
    known = Path("/proc/filesystems").read_text().split()
    if "erofs" not in known and not succeeds("modprobe", "erofs"):
        pytest.skip("the kernel has no EROFS")
    return lambda: Device(Path(tempfile.mkdtemp(dir=tmp_path)))


LARGE = content(300_001)

FOREST: Forest = [
    (b"a-program", file(LARGE, EXECUTABLE)),
    (b"link", link(b"a-program")),
    (
        b"root",
        folder(
            Metadata(0o1777, 1, 2, 3),
            empty=file(b""),
            small=file(b"x" * MAX_INLINE_BYTES),
            larger=file(b"x" * (MAX_INLINE_BYTES + 1)),
            setuid=file(LARGE, Metadata(0o4755, 0, 42, 1_700_000_000)),
            setgid=file(LARGE, Metadata(0o2755, 1000, (1 << 32) - 2, 1 << 33)),
            ping=file(LARGE, Metadata(0o755, 0, 0, 9, ((b"security.capability", CAPABILITY),))),
            long=link(b"t" * 4095),
            within=folder(Metadata(0o700, 5, 5), **{str(each): folder() for each in range(9)}),
            many=folder(**{f"{each:05}": file(b"%d" % each) for each in range(5000)}),
            names=folder(**dict.fromkeys(["!", "+", "-", ".a", "...", "n" * 255], link(b"/x"))),
        ),
    ),
]


@as_root
def test_the_kernel_shows_the_trees_of_an_image(new_device: Callable[[], Device]) -> None:
    device = new_device()
    device.add_image(FOREST)
    device.fill([LARGE, b"x" * (MAX_INLINE_BYTES + 1)])
    assert device.shown() == expected(FOREST)


@as_root
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(trees=forests)
def test_the_kernel_shows_any_tree(new_device: Callable[[], Device], trees: Forest) -> None:
    device = new_device()
    device.add_image(trees)
    device.fill(POOLED)
    assert device.shown() == expected(trees)
    shutil.rmtree(device.root)


@as_root
def test_images_are_layers_of_one_store(new_device: Callable[[], Device]) -> None:
    """One that stands in several is shown as in the first."""
    device = new_device()
    first: Forest = [(b"a", folder(x=file(LARGE))), (b"same", folder(y=file(LARGE)))]
    second: Forest = [(b"b", folder(x=file(LARGE, EXECUTABLE), z=link(b"x")))]
    third: Forest = [(b"same", folder(y=file(LARGE))), (b"c", file(b"small"))]
    for forest in (first, second, third):
        device.add_image(forest)
    device.fill([LARGE])
    assert device.shown() == expected(first, second, third[1:])


@as_root
def test_a_content_of_more_than_4_gib_is_there_to_its_end(
    new_device: Callable[[], Device],
) -> None:
    """It is one chunk, whatever its size: its place in the image is 4 bytes."""
    device = new_device()
    end = b"the end"
    sizes = [(1 << 32) - 1, 1 << 32, (1 << 32) + 4097, 5 << 30]
    trees = []
    for size in sizes:
        name = digest(b"%d" % size)  # the kernel does not compare here, and to hash it takes long
        with device.add_content(name).open("wb") as sparse:
            sparse.seek(size - len(end))
            sparse.write(end)
        trees.append((b"%d" % size, ImageFile(READ_ONLY, size, name)))
    device.add_image(trees)
    shown = device.shown()[1:]
    assert {row.size_bytes for row in shown} == set(sizes)
    assert all(row.content.endswith(bytes(99) + end) for row in shown)


def attributes_of(path: Path) -> Attributes:
    return tuple(sorted((each.encode(), os.getxattr(path, each)) for each in os.listxattr(path)))


@as_root
def test_capabilities_and_acls_are_those_that_were_set(
    new_device: Callable[[], Device], need: Need
) -> None:
    need("setcap", "setfacl")
    device = new_device()
    made = device.root / "made"
    (made / "folder").mkdir(parents=True)
    (made / "file").write_bytes(LARGE)
    run("setcap", "cap_net_raw,cap_net_admin=ep", made / "file")
    os.setxattr(made / "file", "user.note", b"seen")
    run("setfacl", "--modify=user:7:r-x,group:1000:rw-", made / "file")
    run("setfacl", "--modify=default:user:7:rwx", made / "folder")
    trees: list[tuple[bytes, Node]] = []
    for path in sorted(made.iterdir()):
        found = path.stat()
        metadata = Metadata(found.st_mode & 0o7777, 0, 0, 1, attributes_of(path))
        is_file = path.is_file()
        node = file(LARGE, metadata) if is_file else ImageFolder(metadata, ())
        trees.append((path.name.encode(), node))
    assert {name for _, node in trees for name, _ in node.metadata.attributes} == {
        b"security.capability",
        b"user.note",
        b"system.posix_acl_access",
        b"system.posix_acl_default",
    }
    device.add_image(trees)
    device.fill([LARGE])
    assert device.shown() == expected(trees)


def image_of(trees: Forest, path: Path) -> Path:
    with path.open("wb") as image:
        write_image(trees, image.write)
    return path


def test_fsck_finds_nothing_wrong(tmp_path: Path, need: Need) -> None:
    need("fsck.erofs", "dump.erofs")
    image = image_of(FOREST, tmp_path / "image")
    run("fsck.erofs", f"--extract={tmp_path / 'out'}", "--no-preserve", image)
    shown = tmp_path / "out/root/many/04999"
    assert shown.read_bytes() == b"4999"
    assert len((tmp_path / "out/root/long").readlink().name) == 4095
    said = run("dump.erofs", "-S", image).decode()
    assert "regular file count:\t\t5007" in said


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(trees=forests)
def test_fsck_finds_nothing_wrong_with_any_tree(tmp_path: Path, trees: Forest) -> None:
    if shutil.which("fsck.erofs") is None:
        pytest.skip("not installed: fsck.erofs")
    run("fsck.erofs", "--extract", image_of(trees, tmp_path / "image"))


@pytest.mark.parametrize("size_bytes", KNOWN)
def test_contents_are_named_as_fsverity_names_them(
    size_bytes: int, tmp_path: Path, need: Need
) -> None:
    need("fsverity")
    (tmp_path / "content").write_bytes(content(size_bytes))
    said = run("fsverity", "digest", "--compact", tmp_path / "content").decode()
    assert said.strip() == KNOWN[size_bytes] == digest(content(size_bytes)).hex()


class NewerTools:
    """erofs-utils and the tools of composefs, newer than those of the build host."""

    def __init__(self, root: Path) -> None:
        self._usr = root / "usr"

    def __call__(self, program: str, *words: Word, stdin: bytes | None = None) -> bytes:
        loader = (self._usr / "lib64/ld-linux-x86-64.so.2").resolve()
        libraries = self._usr / "lib/x86_64-linux-gnu"
        start = (loader, "--library-path", libraries, self._usr / "bin" / program)
        return run(*start, *words, stdin=stdin, limit_bytes=1 << 28)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> NewerTools:
    Need()("mmdebstrap")
    root = tmp_path_factory.mktemp("newer") / "root"
    archive = Archive()
    source = Source(addresses(archive).of(SUITE), SUITE, archive.components, Path(archive.keyring))
    freshness = machine_settings(with_freshness=True).splitlines()
    words = ["--quiet", "--variant=extract", "--architectures=amd64"]
    words += [f"--aptopt={each}" for each in freshness]
    words += ["--include=composefs,erofs-utils", SUITE]
    run("mmdebstrap", *words, root, source.line("amd64"))
    return NewerTools(root)


def field(word: bytes) -> bytes:
    """A field of a dump; one that is empty is a dash."""
    return b"" if word == b"-" else unescaped(word)


def unescaped(word: bytes) -> bytes:
    return re.sub(rb"\\(x..|.)", _unescaped, word)


def _unescaped(found: re.Match[bytes]) -> bytes:
    word = found[1]
    if word.startswith(b"x"):
        return bytes.fromhex(word[1:].decode())
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(word, word)


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def parse_dump(dump: bytes) -> list[Row]:
    """What ``composefs-info dump`` prints, see composefs-dump(5)."""
    found = []
    for line in dump.splitlines():
        path, size, mode, _, user, group, _, time, payload, inside, name, *more = line.split(b" ")
        kind = KINDS[stat.S_IFMT(int(mode, 8))]
        attributes = [each.split(b"=", 1) for each in more]
        found.append(
            Row(
                path=unescaped(path).rstrip(b"/"),
                kind=kind,
                mode=stat.S_IMODE(int(mode, 8)),
                user=int(user),
                group=int(group),
                mtime=int(time.split(b".")[0]),
                size_bytes=0 if kind == "folder" else int(size),
                target=field(payload) if kind == "link" else b"",
                content=bytes.fromhex(field(name).decode()) or field(inside),
                attributes=tuple(
                    sorted((unescaped(each), unescaped(of)) for each, of in attributes)
                ),
            )
        )
    return found


@pytest.mark.archive
@as_root
def test_newer_tools_find_nothing_wrong(newer: NewerTools, tmp_path: Path) -> None:
    image = image_of(FOREST, tmp_path / "image")
    newer("fsck.erofs", f"--extract={tmp_path / 'out'}", "--no-preserve-owner", image)
    assert (tmp_path / "out/root/many/04999").read_bytes() == b"4999"
    said = newer("dump.erofs", "--ls", "--path=/root/names", image).decode()
    listed = said.partition("FILENAME\n")[2].split()[2::3]
    assert listed == sorted([".", "..", "!", "+", "-", ".a", "...", "n" * 255])


@pytest.mark.archive
@as_root
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(trees=forests)
def test_composefs_reads_any_tree(newer: NewerTools, tmp_path: Path, trees: Forest) -> None:
    image = image_of(trees, tmp_path / "image")
    newer("fsck.erofs", image)
    assert sorted(parse_dump(newer("composefs-info", "dump", image))) == sorted(expected(trees))


@pytest.mark.archive
@as_root
def test_composefs_makes_the_same_trees_of_what_it_reads(newer: NewerTools, tmp_path: Path) -> None:
    image = image_of(FOREST, tmp_path / "image")
    dump = newer("composefs-info", "dump", image)
    assert parse_dump(dump) == expected(FOREST)
    newer("mkcomposefs", "--from-file", "-", tmp_path / "theirs", stdin=dump)
    again = newer("composefs-info", "dump", tmp_path / "theirs")
    assert parse_dump(again) == expected(FOREST)
    ours, theirs = (newer("composefs-info", "ls", tmp_path / each) for each in ("image", "theirs"))
    assert ours == theirs


@pytest.mark.archive
@as_root
def test_composefs_finds_the_contents_of_our_pool(newer: NewerTools, tmp_path: Path) -> None:
    image = image_of(FOREST, tmp_path / "image")
    device = Device(tmp_path)
    contents = (LARGE, b"x" * (MAX_INLINE_BYTES + 1))
    names = sorted(redirect(digest(each)).decode().lstrip("/") for each in contents)
    assert newer("composefs-info", "objects", image).decode().split() == names
    missing = ("composefs-info", f"--basedir={tmp_path / 'pool'}", "missing-objects", image)
    assert newer(*missing).decode().split() == names
    device.fill(contents)
    assert newer(*missing).decode().split() == []
    measured = newer("composefs-info", "measure-file", tmp_path / "pool" / names[0])
    assert measured.decode().strip() == names[0].replace("/", "")


@pytest.mark.archive
@as_root
def test_a_folder_has_a_link_for_each_folder_in_it(newer: NewerTools, tmp_path: Path) -> None:
    dump = newer("composefs-info", "dump", image_of(FOREST, tmp_path / "image"))
    links = {line.split(b" ")[0]: int(line.split(b" ")[3]) for line in dump.splitlines()}
    assert (links[b"/"], links[b"/root"], links[b"/root/within"]) == (3, 5, 11)
    assert (links[b"/link"], links[b"/a-program"]) == (1, 1)
