"""Small hand-made devices, for what is said about the files of a device.

    make(tmp_path, {"usr/bin/air": "#!/bin/sh\n", "usr/bin/sh": "> dash"}, etc={"hosts": ""})

A text is a file, executable in a folder of programs; one that begins with ``> `` is a link, and
``None`` is a folder.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.build.minify.files import Files
from reconix.build.software.device_files import Part

Tree = Mapping[str, str | bytes | None]


def write(folder: Path, tree: Tree) -> Path:
    """Make a tree."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir()
        elif isinstance(content, str) and content.startswith("> "):
            place.symlink_to(content[2:])
        else:
            place.write_bytes(content.encode() if isinstance(content, str) else content)
            place.chmod(0o755 if "bin/" in path else 0o644)
    return folder


def make(folder: Path, root: Tree, **above: Tree) -> Files:
    """The files of a device that has a root, and trees above it by where they are."""
    parts = [Part(f"/{name}", write(folder / name, tree)) for name, tree in above.items()]
    return Files.read([*parts, Part("", write(folder / "root", root))])
