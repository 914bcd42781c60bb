"""What `reconix send` is told to spare decides what is in a stream."""

from pathlib import Path

from tests.config_projects import write
from tests.made_generations import generation

from reconix.base.process import run
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder

LINES = b"".join(b"line %d is like the others\n" % (number * number) for number in range(20_000))


def toplevel(store: ChrootStore, text: bytes) -> StorePath:
    """A system with one file, packed as Debian packs modules of a kernel."""
    packed = run("xz", "--threads=2", "--check=crc32", "--lzma2=dict=1MiB", stdin=text)
    files = folder({"file.xz": File(packed), "init": Symlink("/usr/lib/systemd/systemd")})
    return store.add_files(files, "system-web")


def sent(project: Path, *words: str) -> int:
    """How many bytes the stream from the first to the second generation has."""
    stream = project.parent / "stream"
    there = ("--project", str(project), "--store", str(project.parent / "store"))
    told = ("--unsigned", "--base", "1", "--output", str(stream))
    assert main([*there, "send", "gw", *told, *words]) == 0
    return stream.stat().st_size


def test_for_the_link_what_is_packed_travels_unpacked(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project)
    with ChrootStore(tmp_path / "store") as store:
        for text in (LINES, LINES.replace(b"line 49 ", b"lime 49 ")):
            Pins(store.root, "test", "gw").add(generation(store, toplevel(store, text)))
    assert sent(project) == sent(project, "--for", "link") < sent(project, "--for", "cpu") / 4
