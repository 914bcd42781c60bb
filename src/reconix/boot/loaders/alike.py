"""Whether two slots start some systems in the same way, whichever boot loader they have.

Tested by ``tests/unit/device/update/test_untouched.py``.
"""

from collections.abc import Collection

from reconix.boot.loaders import systemd_boot, u_boot
from reconix.boot.loaders.loader import STORED
from reconix.boot.tree import BootFile, BootTree


def starts_alike(one: BootTree, other: BootTree, systems: Collection[str]) -> bool:
    """Whether two slots start some systems in the same way, by the same loader.

    Kernels and initrds are named after their content by the entries (``slot_path``).
    """
    return _starting(one, systems) == _starting(other, systems)


def _starting(tree: BootTree, systems: Collection[str]) -> list[BootFile]:
    """The files that decide how some systems are started."""
    loaders = (systemd_boot, u_boot)
    entries = {loader.entry_file(system) for loader in loaders for system in systems}
    others = (f"{systemd_boot.ENTRIES}/", f"{STORED}/")
    return [file for file in tree.files if file.path in entries or not file.path.startswith(others)]
