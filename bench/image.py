"""How much processor time a disk image takes: it must grow with the number of files, no more.

All files are in one folder: that is the worst case of a file system that searches folders.

    python bench/image.py
"""

import resource
import sys
import tempfile
from pathlib import Path

from reconix.base.files import remove_tree
from reconix.image.ext4 import make_ext4, system_format
from reconix.image.new_files import NewFile, new_folder

FILES = (10_000, 100_000)
BAR_SECONDS = 60.0
SIZE_BYTES = 3 << 30


def main() -> int:
    """Measure and print; the exit status says whether the bar is missed."""
    place = Path(tempfile.mkdtemp(prefix="reconix-bench-"))
    try:
        taken = [measure(place / str(count), count) for count in FILES]
    finally:
        remove_tree(place)
    return int(taken[-1] > BAR_SECONDS)


def measure(place: Path, count: int) -> float:
    """The seconds that it takes to put a folder of files into a file system."""
    place.mkdir()
    (place / "content").write_bytes(b"content\n" * 99)
    names = (f"{number:062}" for number in range(count))
    content = new_folder({"pool": new_folder(dict.fromkeys(names, NewFile(place / "content")))})
    before = processor_seconds()
    form = system_format(content, SIZE_BYTES)
    make_ext4(place / "image", content, label="system", size_bytes=SIZE_BYTES, form=form)
    taken = processor_seconds() - before
    print(f"{count:7} files  {taken:7.2f} s  bar {BAR_SECONDS:g} s")
    return taken


def processor_seconds() -> float:
    """What this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    sys.exit(main())
