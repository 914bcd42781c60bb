"""The kernel object: one kernel and its modules, taken from Debian packages.

    <hash>-linux-<version>/vmlinuz
    <hash>-linux-<version>/modules/<version>/kernel/…  modules.dep modules.alias …

The package is not installed, only unpacked: its maintainer scripts would make an initrd and boot
entries, and both are ours. ``depmod`` adds the index files that ``modprobe`` and udev read.

    boot/vmlinuz-<version>                    Debian until 7, and what `make bindeb-pkg` makes
    usr/lib/modules/<version>/vmlinuz         Debian since 7, in a package of its own
    usr/lib/modules/<version>/kernel/…        or ``lib/modules``, from `make bindeb-pkg`

Source: deb(5); depmod(8); modules.dep(5).
Tested by ``tests/compat/test_linux.py`` against ``modprobe --show-depends``.
"""

import lzma
import re
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, read_text

_KERNEL = re.compile(
    r"\./boot/vmlinu[xz]-(?P<boot>[^/]+)|\./(usr/)?lib/modules/(?P<beside>[^/]+)/vmlinu[xz]"
)
_MODULES = (PurePosixPath("usr/lib/modules"), PurePosixPath("lib/modules"))
_PACKED = ".ko.xz"
_MAX_MODULE_BYTES = 256 << 20
_MAX_INDEX_BYTES = 64 << 20


class NoKernel(ReconixError):
    """A package that should hold a kernel does not."""

    exit_code = 61


class NoSuchModule(ReconixError):
    """A module that the machine needs is not part of its kernel."""

    exit_code = 61


def unpack_kernel(packages: Sequence[Path], into: Path) -> str:
    """Unpack kernel packages into a new folder and give the version of the kernel.

    Args:
        packages: the image, and its modules if they are packaged apart.
        into: a folder that does not exist yet.

    Raises:
        NoKernel: there is none in them.
    """
    into.mkdir()
    versions = [version for package in packages for version in _unpack(package, into)]
    if len(versions) != 1:
        names = ", ".join(package.name for package in packages)
        raise NoKernel(
            f"{names} hold {len(versions)} kernels, expected one",
            hint="is kernel.package a linux-image package?",
        )
    index(into, versions[0])
    return versions[0]


def _unpack(package: Path, into: Path) -> list[str]:
    """Unpack one package; gives the versions of the kernels in it."""
    try:
        return _taken_out(package, into)
    except tarfile.TarError as error:
        raise NoKernel(f"{package.name} cannot be unpacked: {error}") from error


def _taken_out(package: Path, into: Path) -> list[str]:
    versions = []
    with (
        process.reading("dpkg-deb", "--fsys-tarfile", package) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            kernel = _KERNEL.fullmatch(member.name)
            if kernel and member.isreg():
                versions.append(kernel["boot"] or kernel["beside"])
                _write(archive, member, into / "vmlinuz")
            elif member.isreg() and (place := _among_modules(member.name)):
                _write(archive, member, into / "modules" / place)
    return versions


def _among_modules(name: str) -> PurePosixPath | None:
    """Where a file belongs in the folder of modules, if it does."""
    path = PurePosixPath(name.removeprefix("./"))
    if ".." in path.parts:
        return None
    return next((path.relative_to(top) for top in _MODULES if path.is_relative_to(top)), None)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member)
    assert content is not None
    place.write_bytes(content.read())


def index(into: Path, version: str) -> None:
    """Let depmod write its index files; it wants to see ``lib/modules`` below some root.

    Args:
        into: has a folder ``modules``.
        version: the name of the folder in that.
    """
    root = into / "depmod"
    (root / "lib").mkdir(parents=True)
    (root / "lib/modules").symlink_to(into / "modules")
    process.run("depmod", "--basedir", root, version)
    (root / "lib/modules").unlink()
    (root / "lib").rmdir()
    root.rmdir()


def write_plain(full: Path, version: str, into: Path) -> None:
    """Write a kernel once more, with its modules unpacked, and index them again.

    An update changes modules unpacked, and a device would have to pack each one again, which is
    most of what an update of a kernel costs it (``docs/decisions/0102-plain-modules.md``).

    Args:
        full: what ``unpack_kernel`` has written.
        version: of the kernel.
        into: a folder that does not exist yet.

    Raises:
        NoSuchModule: one is damaged.
    """
    into.mkdir()
    shutil.copyfile(full / "vmlinuz", into / "vmlinuz")
    modules = Modules.read(full / "modules" / version)
    for file in sorted(path for path in (full / "modules").rglob("*") if path.is_file()):
        place = into / file.relative_to(full)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.name.endswith(_PACKED):
            place.with_suffix("").write_bytes(modules.content(module_name(file.name)))
        else:
            shutil.copyfile(file, place)
    index(into, version)


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of one kernel and what each of them needs."""

    folder: Path
    needs: dict[str, tuple[str, ...]]
    places: dict[str, str]
    builtin: frozenset[str]

    @classmethod
    def read(cls, folder: Path) -> "Modules":
        """Read the index of ``…/modules/<version>``."""
        needs: dict[str, tuple[str, ...]] = {}
        places: dict[str, str] = {}
        for line in read_text(folder / "modules.dep", _MAX_INDEX_BYTES).splitlines():
            place, _, wanted = line.partition(":")
            places[module_name(place)] = place
            needs[module_name(place)] = tuple(module_name(other) for other in wanted.split())
        builtin = read_text(folder / "modules.builtin", _MAX_INDEX_BYTES).split()
        return cls(folder, needs, places, frozenset(module_name(place) for place in builtin))

    def in_load_order(self, wanted: list[str]) -> list[str]:
        """The wanted modules and all that they need, each after what it needs; no built-in ones.

        Raises:
            NoSuchModule: the kernel has no such module.
        """
        order: list[str] = []
        for name in (module_name(text) for text in wanted):
            if name in self.builtin:
                continue
            if name not in self.needs:
                raise NoSuchModule(
                    f"the kernel has no module {name!r}",
                    hint="see `kernel.initrd_modules` in machine.toml",
                )
            for each in (*reversed(self.needs[name]), name):
                if each not in order:
                    order.append(each)
        return order

    def content(self, name: str) -> bytes:
        """The module itself, uncompressed.

        Raises:
            NoSuchModule: it is damaged.
        """
        packed, path = self.packed(name), self.folder / self.places[name]
        if packed is None:
            return read_bounded(path, _MAX_MODULE_BYTES)
        return _expanded(packed, path.name)

    def packed(self, name: str) -> bytes | None:
        """The module as its package has it, if that is compressed."""
        path = self.folder / self.places[name]
        return read_bounded(path, _MAX_MODULE_BYTES) if path.suffix == ".xz" else None


def _expanded(content: bytes, name: str) -> bytes:
    expander = lzma.LZMADecompressor()
    try:
        plain = expander.decompress(content, _MAX_MODULE_BYTES)
    except lzma.LZMAError as error:
        raise NoSuchModule(f"the module {name} is damaged: {error}") from error
    if not expander.eof:
        raise NoSuchModule(f"the module {name} is truncated, or exceeds {_MAX_MODULE_BYTES} bytes")
    return plain


def module_name(place: str) -> str:
    """The name of a module from its file; ``-`` and ``_`` are the same."""
    return PurePosixPath(place).name.split(".ko")[0].replace("-", "_")
