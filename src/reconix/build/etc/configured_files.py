"""Files of the configuration: below ``/etc`` among the generated ones, elsewhere in a layer.

What a project puts below ``/srv``, ``/var`` or ``/opt`` stands in folders of packages, or beside
them. So it is laid over the root like a tree below ``/usr``: one object for all such files of a
system, in which folders are as packages have them::

    files-<system>/srv/tftp/boot.img
    files-<system>/var/lib/air/first.conf

In a folder that persists they arrive as files below ``/etc`` do (``file_precedence.py``).

Tested by ``tests/unit/build/etc/test_configured_files.py``.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from reconix.base.text import one_line
from reconix.build.etc.file_metadata import Below
from reconix.build.root.described import Packages
from reconix.build.root.metadata import OURS
from reconix.build.software.meetings import Misplaced, kind_in_the_way
from reconix.build.users.accounts import Accounts
from reconix.config.merge import dotted
from reconix.config.schema.system import File as ConfiguredFile
from reconix.config.schema.system import System
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import Entries
from reconix.store.tree import File, Folder, Symlink, folder


def written(file: ConfiguredFile) -> File | Symlink:
    """What stands at the place of a file."""
    return File(file.read()) if file.link is None else Symlink(file.link)


def metadata(files: Mapping[str, ConfiguredFile], accounts: Accounts) -> dict[str, Metadata]:
    """What the configuration says about owners and modes, where it says something.

    Raises:
        UnknownAccount: it names who does not exist.
    """
    said = {
        path: Metadata(file.mode, accounts.uid(file.owner), accounts.gid(file.group))
        for path, file in files.items()
    }
    return {path: found for path, found in said.items() if found != OURS}


def make_layer(
    system: System, accounts: Accounts, packages: Packages
) -> tuple[Folder, Entries] | None:
    """The files of a system outside ``/etc``, and what is to be said about them; if there are any.

    Args:
        system: machine and system file, merged.
        accounts: everybody on the system.
        packages: the root over which they are laid.

    Raises:
        UnknownAccount: the configuration names who does not exist.
        Misplaced: packages have a file or a link where a folder would have to be, or the reverse.
    """
    files = {path[1:]: file for path, file in system.files_elsewhere.items()}
    if not files:
        return None
    for path in files:
        _check_place(path, packages)
    tree = folder({path: written(file) for path, file in files.items()})
    return tree, Below(packages, "", metadata(files, accounts)).describe(tree)


def _check_place(path: str, packages: Packages) -> None:
    key = dotted("files", f"/{path}")
    around = [str(parent) for parent in PurePosixPath(path).parents][:-1]
    for parent in around:
        kind = kind_in_the_way(packages.root / parent)
        if kind:
            fact = f"packages have a {kind} at /{one_line(parent)}, where a folder would have to be"
            raise Misplaced(key, fact, hint="choose another place")
    place = packages.root / path
    if place.is_dir() and not place.is_symlink():
        raise Misplaced(key, "packages have a folder there", hint="name a file in it")
