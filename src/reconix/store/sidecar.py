r"""Sidecars: what a Nix tree cannot say about its files, in an object of its own.

The store of a build holds trees as Nix archives know them: one bit of mode, no owner, no time, no
attributes. The images of a device hold all of these. So beside a tree that needs more than that,
there is a second object, a file that describes it line by line. It refers to the tree, is named
after it (``<name>.sidecar``), and whoever makes images puts both together (``store/scan.py``). It
never comes to a device.

    reconix sidecar 1
    /nix/store/<hash>-<name>
    <mode> <user> <group> <mtime> <path>[<tab><attribute>=<base64>]...     as many as needed
    omit <path>                                                            as many as needed

What has no line is as Nix has it: ``0444``, ``0555`` for programs and folders, owned by root, from
the first second after 1970. A path is relative to the tree; the tree itself is ``.``. Bytes of a
path that are not printable, space and backslash are written as ``\ooo``. Lines are sorted by path,
so equal metadata has equal bytes.

The format, byte by byte: ``docs/spec/sidecar.md``.
Tested by ``tests/unit/store/test_sidecar.py``.
"""

import binascii
import functools
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store.images.metadata import BadMetadata, check_metadata
from reconix.store.images.nodes import Metadata
from reconix.store.paths import BadStorePath, StorePath

SUFFIX = ".sidecar"
"""A sidecar is called as what it describes, and this."""

ITSELF = b"."
"""The path of the described object."""

MAX_SIDECAR_BYTES = 64 << 20
"""100,000 files with long paths take 20 MiB."""

MAX_PATH_BYTES = 4095

_REMEMBERED = 4096

_HEAD = b"reconix sidecar 1"
_OMIT = b"omit "
_LINE = re.compile(rb"([0-7]{4}) (\d{1,10}) (\d{1,10}) (\d{1,13}) ([!-~]+)((?:\t[!-~]+=[!-~]*)*)")
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")
_UNUSUAL = re.compile(rb"[^!-\[\]-~]")
_UNUSUAL_IN_NAME = re.compile(rb"[^!-<>-\[\]-~]")
_NAME = rb"(?!\.{1,2}(?:/|\Z))[^/\0]{1,255}"
_PATH = re.compile(rb"%s(?:/%s)*" % (_NAME, _NAME))


Entries = tuple[tuple[bytes, Metadata], ...]
"""Paths in an object with their metadata, sorted."""


class BadSidecar(ReconixError):
    """A sidecar contradicts itself or is not written as the format says."""

    exit_code = 23

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="build the system again")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is to be said about the nodes of one object; valid by construction."""

    subject: StorePath
    """The object that it describes."""
    entries: Entries = ()
    omitted: tuple[bytes, ...] = ()
    """Paths of what is not in images, with all that is below; sorted."""

    def __post_init__(self) -> None:
        check_entries(self.entries)
        _expect_sorted(self.omitted)
        for path in self.omitted:
            _check_path(path)
            if path == ITSELF:
                raise BadSidecar("a sidecar that omits the whole object")

    @property
    def name(self) -> str:
        """The name that its object has in the store."""
        return f"{self.subject.name}{SUFFIX}"


def print_sidecar(sidecar: Sidecar) -> bytes:
    """Spell a sidecar; equal ones have equal bytes."""
    head = b"%s\n%s\n" % (_HEAD, str(sidecar.subject).encode())
    omitted = [b"%s%s\n" % (_OMIT, _escape(path)) for path in sidecar.omitted]
    return b"".join([head, print_entries(sidecar.entries), *omitted])


def print_entries(entries: Entries) -> bytes:
    """Spell only the lines of paths: of an object that does not know its own name yet."""
    return b"".join(_print_entry(path, metadata) for path, metadata in entries)


def parse_entries(content: bytes, *, source: str) -> Entries:
    """Read lines that ``print_entries`` has written.

    Raises:
        BadSidecar: they were not.
    """
    try:
        found = tuple(map(_parse_entry, content.split(b"\n")[:-1]))
        check_entries(found)
    except BadSidecar as error:
        raise BadSidecar(f"{source}: {error}") from error
    if print_entries(found) != content:
        raise BadSidecar(f"{source}: a line is spelt in another way than ours")
    return found


def check_entries(entries: Entries) -> None:
    """Refuse what no object can have.

    Raises:
        BadSidecar: a path, its metadata, or the order.
    """
    _expect_sorted([path for path, _ in entries])
    for path, _ in entries:
        _check_path(path)
    for metadata, path in {metadata: path for path, metadata in entries}.items():
        _check_metadata(path, metadata)


def parse_sidecar(content: bytes, *, source: str) -> Sidecar:
    """Read a sidecar.

    Args:
        content: the bytes of the file.
        source: where they come from, for messages.

    Raises:
        BadSidecar: the content contradicts itself or breaks the format.
    """
    if len(content) > MAX_SIDECAR_BYTES:
        raise BadSidecar(f"{source} is larger than {MAX_SIDECAR_BYTES} bytes")
    try:
        found = _parse(content)
    except (BadSidecar, BadStorePath, ValueError) as error:
        raise BadSidecar(f"{source}: {error}") from error
    if print_sidecar(found) != content:
        raise BadSidecar(f"{source}: its lines are not sorted, or spelt in another way than ours")
    return found


def _parse(content: bytes) -> Sidecar:
    head, _, rest = content.partition(b"\n")
    if head != _HEAD:
        raise BadSidecar(f"{head[:80]!r} is not the first line of a sidecar")
    subject, *body = rest.removesuffix(b"\n").split(b"\n")
    return Sidecar(
        StorePath.parse(subject.decode("ascii")),
        tuple(_parse_entry(line) for line in body if not line.startswith(_OMIT)),
        tuple(_unescape(line.removeprefix(_OMIT)) for line in body if line.startswith(_OMIT)),
    )


def _print_entry(path: bytes, found: Metadata) -> bytes:
    before, after = _print_metadata(found)
    return before + _escape(path) + after


@functools.lru_cache(maxsize=_REMEMBERED)
def _print_metadata(found: Metadata) -> tuple[bytes, bytes]:
    """What stands before a path and after it; most files of a package have the same."""
    after = b""
    for name, value in found.attributes:
        after += b"\t%s=%s" % (_UNUSUAL_IN_NAME.sub(_octal, name), b64encode(value))
    before = b"%04o %d %d %d " % (found.mode, found.user, found.group, found.mtime)
    return before, after + b"\n"


def _parse_entry(line: bytes) -> tuple[bytes, Metadata]:
    found = _LINE.fullmatch(line)
    if not found:
        raise BadSidecar(f"{line[:80]!r} is not a line of a sidecar")
    mode, user, group, mtime, path, attributes = found.groups()
    return _unescape(path), _parse_metadata(mode, user, group, mtime, attributes)


@functools.lru_cache(maxsize=_REMEMBERED)
def _parse_metadata(
    mode: bytes, user: bytes, group: bytes, mtime: bytes, attributes: bytes
) -> Metadata:
    """The metadata of a line; most files of a package have the same."""
    pairs = tuple(map(_parse_attribute, attributes.split(b"\t")[1:]))
    return Metadata(int(mode, 8), int(user), int(group), int(mtime), pairs)


def _parse_attribute(text: bytes) -> tuple[bytes, bytes]:
    name, _, value = text.partition(b"=")
    try:
        return _unescape(name), b64decode(value, validate=True)
    except binascii.Error as error:
        raise BadSidecar(f"{value[:80]!r} is not base64") from error


def _escape(path: bytes) -> bytes:
    return _UNUSUAL.sub(_octal, path)


def _octal(byte: re.Match[bytes]) -> bytes:
    return b"\\%03o" % byte[0][0]


def _unescape(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)


def _expect_sorted(paths: Sequence[bytes]) -> None:
    if list(paths) != sorted(set(paths)):
        raise BadSidecar("the paths of a sidecar are not sorted, or one stands twice")


def _check_path(path: bytes) -> None:
    if path != ITSELF and not _PATH.fullmatch(path):
        raise BadSidecar(f"{path[:80]!r} is no path in an object")
    if len(path) > MAX_PATH_BYTES:
        raise BadSidecar(f"a path of {len(path)} bytes")


def _check_metadata(path: bytes, found: Metadata) -> None:
    try:
        check_metadata(found)
    except BadMetadata as error:
        raise BadSidecar(f"{path[:80]!r} has {error}") from error
