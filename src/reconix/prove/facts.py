"""What a recovered system partition says: the layout of the disk and the agent's documents.

Tested by ``tests/unit/prove/test_facts.py``.
"""

from dataclasses import dataclass

from reconix.prove.blocks import View
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry, Inode

LAYOUT, STATE, CHOICE, WAY_BACK = "layout", "state.json", "choice.json", "way-back"
_MANIFEST = ".manifest"
_MAX_DOCUMENT_BYTES = 16 << 20
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on a system partition, besides images and contents.

    Attributes:
        layout: what the disk says about how it is arranged.
        state: the document of what the agent remembers.
        choice: the document of which system is wanted.
        manifests: by the base name of a generation; sorted.
        disk_one_shot: what the initrd of a trial writes where to leave it, in this order, if the
            disk remembers the trial.
    """

    layout: bytes | None
    state: bytes | None
    choice: bytes | None
    manifests: tuple[tuple[str, bytes], ...]
    disk_one_shot: tuple[tuple[int, bytes], ...] = ()


def read_facts(view: View, geometry: Geometry) -> Facts:
    """Read them from a file system.

    Raises:
        BadFileSystem: they cannot be found.
    """
    files = Ext4(view, geometry)
    home = _folder(files, "reconix")
    manifests = files.lookup("reconix", "generations")
    named = _names(files, manifests) if manifests is not None else {}
    return Facts(
        _document(files, home.get(LAYOUT)),
        _document(files, home.get(STATE)),
        _document(files, home.get(CHOICE)),
        tuple(
            (name.removesuffix(_MANIFEST), _document(files, inode) or b"")
            for name, inode in named.items()
            if name.endswith(_MANIFEST) and not name.startswith(".")
        ),
        _disk_one_shot(files),
    )


def _disk_one_shot(files: Ext4) -> tuple[tuple[int, bytes], ...]:
    folder = files.lookup("reconix", WAY_BACK)
    if folder is None:
        return ()
    names = _names(files, folder)
    lines = (_document(files, names.get("sectors")) or b"").decode(errors="replace").splitlines()
    found = tuple(_sector(files, names, *line.split()) for line in lines)
    if not found:
        raise BadFileSystem("the way back from a trial leads nowhere")
    return found


def _sector(files: Ext4, names: dict[str, int], lba: str = "", name: str = "") -> tuple[int, bytes]:
    content = _document(files, names.get(name))
    if not lba.isdecimal() or content is None or len(content) != _SECTOR_BYTES:
        raise BadFileSystem("the way back from a trial is not whole")
    return int(lba), content


def _folder(files: Ext4, *names: str) -> dict[str, int]:
    found = files.lookup(*names)
    if found is None:
        raise BadFileSystem(f"/{'/'.join(names)} is missing")
    return _names(files, found)


def _names(files: Ext4, folder: Inode) -> dict[str, int]:
    if not folder.is_folder:
        raise BadFileSystem(f"inode {folder.number} should be a folder")
    return {name.decode(errors="replace"): inode for name, inode in files.names(folder)}


def _document(files: Ext4, number: int | None) -> bytes | None:
    if number is None:
        return None
    inode = files.inode(number)
    if not inode.is_file or inode.size_bytes > _MAX_DOCUMENT_BYTES:
        raise BadFileSystem(f"inode {number} should be a document")
    return b"".join(files.content(inode))
