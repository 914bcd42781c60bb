"""The first root: a static busybox, a few kernel modules and one readable script.

It is the same for all systems of a machine. Which system to start stands on the kernel's command
line; on which disk it is and how its root is put together, the scripts ``build/data/init``,
``build/data/disk.sh`` and ``build/data/root.sh`` tell. The archive is not compressed: no version of
a compressor is part of its hash, and two of them have small differences. Its modules are packed as
their package has them (``docs/decisions/0004-uncompressed-initrd.md``).

Tested by ``tests/vm/``: everything there boots through it; the choice of a disk by
``tests/unit/build/test_disk_script.py``, the root by ``tests/unit/build/test_root_script.py``, its
modules by ``tests/compat/test_linux.py``.
"""

from collections.abc import Iterable, Iterator, Sequence

from reconix.build.boot.cpio import Entry, print_archive
from reconix.build.boot.linux import Modules
from reconix.build.templates import DATA

_FOLDERS = ("bin", "dev", "mnt", "modules", "new", "proc", "run", "sys", "tmp")

SCRIPT = DATA / "init"

ROOT_SCRIPT = SCRIPT.with_name("root.sh")
"""How the root of a system is put together; a soft reboot uses it as well."""

DISK_SCRIPT = SCRIPT.with_name("disk.sh")
"""Which disk is the one that booted."""

SCRIPTS = (SCRIPT, DISK_SCRIPT, ROOT_SCRIPT)

NEEDED_MODULES = ("ext4", "overlay", "erofs", "loop", "efivarfs")
"""What the script itself needs from the kernel, whatever the machine is; kernels for virtual
machines have some of it built in."""

WELCOME_MODULES = ("crc32c_generic", "efi_pstore")
"""What is loaded first, if it is a module of the kernel: the checksum of EROFS, for which it asks
the kernel by another name, so that no list of modules says it; what lets the firmware keep the last
words of a panic."""

_XZ_CRC32 = b"\xfd7zXZ\0\0\1"
"""The header of xz with the only sum of contents that the kernel and busybox can check."""


def make_initrd(busybox: bytes, modules: Modules, wanted: Sequence[str]) -> bytes:
    """The initrd of a machine.

    Args:
        busybox: the static program.
        modules: those of the machine's kernel.
        wanted: what the machine needs until its system partition is mounted; what these need comes
            along.

    Raises:
        NoSuchModule: the kernel does not have one of them.
    """
    welcome = [name for name in WELCOME_MODULES if name in modules.needs]
    order = modules.in_load_order([*welcome, *NEEDED_MODULES, *wanted])
    load = "".join(f"{name}\n" for name in order)
    return print_archive(
        [
            *(Entry.folder(name) for name in _FOLDERS),
            Entry.file("bin/busybox", busybox, executable=True),
            Entry.link("bin/sh", "busybox"),
            Entry.file("init", SCRIPT.read_bytes(), executable=True),
            *(Entry.file(path.name, path.read_bytes()) for path in (DISK_SCRIPT, ROOT_SCRIPT)),
            Entry.file("modules/order", load.encode()),
            *(Entry.file(f"modules/{file}", content) for file, content in _files(modules, order)),
        ]
    )


def _files(modules: Modules, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """What has each module: as it came, if busybox can unpack that, or plain."""
    for name in sorted(names):
        plain, packed = modules.content(name), modules.packed(name)
        if packed is not None and packed.startswith(_XZ_CRC32):
            yield f"{name}.ko.xz", packed
        else:
            yield f"{name}.ko", plain
