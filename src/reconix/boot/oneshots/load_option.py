"""Load options: what UEFI keeps about one thing that it can boot.

A load option names a file on a partition. The partition is named by its GUID, so that the option
stays right whichever table is selected; its number, which firmwares write too and some compare,
is that of the table that is selected when the option is made.

    0   4   attributes: 1 = active
    4   2   length of the device path
    6   …   description, UTF-16, terminated
    …   42  hard drive node: number, first sector, sectors, GUID
    …   …   file node: path with backslashes, UTF-16, terminated
    …   4   end node

Source: UEFI Specification 2.10, sections 3.1.3 (load options), 10.3.5.1 (hard drive), 10.3.5.4
(file path).
Tested by ``tests/unit/boot/oneshots/test_load_option.py`` and on OVMF by
``tests/vm/test_firmware_and_slots.py``.
"""

import struct
from collections.abc import Iterator

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.gpt import Guid

_ACTIVE = 1
_HARD_DRIVE, _FILE, _END = (4, 1), (4, 4), (0x7F, 0xFF)
_NODE = struct.Struct("<BBH")
_DRIVE = struct.Struct("<IQQ16sBB")
_GPT, _GUID_SIGNATURE = 2, 2


class ForeignLoadOption(ReconixError):
    """A load option is not of the kind that we make."""

    exit_code = 39


@dataclass(frozen=True, slots=True)
class LoadOption:
    """Start a file on a partition.

    Args:
        description: for people.
        number: of the partition.
        first: its first sector.
        sectors: how many it has.
        partition: its GUID.
        path: of the file, separated by "/", without one at the beginning.
    """

    description: str
    number: int
    first: int
    sectors: int
    partition: Guid
    path: str


def print_load_option(option: LoadOption) -> bytes:
    """The content of a ``Boot####`` variable; the opposite of ``parse_load_option``."""
    drive = _DRIVE.pack(
        option.number,
        option.first,
        option.sectors,
        option.partition.value,
        _GPT,
        _GUID_SIGNATURE,
    )
    file = print_text("\\" + option.path.replace("/", "\\"))
    path = _node(_HARD_DRIVE, drive) + _node(_FILE, file) + _node(_END, b"")
    return struct.pack("<IH", _ACTIVE, len(path)) + print_text(option.description) + path


def parse_load_option(content: bytes) -> LoadOption:
    """Read a load option of the kind that we make.

    Raises:
        ForeignLoadOption: it is another one, or inactive, or damaged.
    """
    try:
        option = _parse(content)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ForeignLoadOption(f"a load option that is not ours: {error}") from error
    if print_load_option(option) != content:
        raise ForeignLoadOption("a load option that is not ours: it says more than we would")
    return option


@dataclass(frozen=True, slots=True)
class Started:
    """What a load option of anybody starts: a file on a partition."""

    description: str
    partition: Guid
    path: str


def parse_started(content: bytes) -> Started:
    """Read which file of which partition a load option starts, whoever made it.

    The path of the device before its partition, and whatever follows the file, do not matter.

    Raises:
        ForeignLoadOption: it names no file of a partition that has a GUID, or is not active.
    """
    try:
        return _started(content)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ForeignLoadOption(f"a load option that starts no file: {error}") from error


def _started(content: bytes) -> Started:
    attributes, size = struct.unpack_from("<IH", content)
    if not attributes & _ACTIVE:
        raise ValueError("it is not active")
    end = _end_of_text(content, 6)
    if len(content) < end + size:
        raise ValueError("it is cut")
    nodes = list(_nodes(content[end : end + size]))
    drives = [body for kind, body in nodes if kind == _HARD_DRIVE]
    files = [body for kind, body in nodes if kind == _FILE]
    if not drives or not files:
        raise ValueError("it names no file of a partition")
    *_, guid, form, signature = _DRIVE.unpack(drives[0])
    if (form, signature) != (_GPT, _GUID_SIGNATURE):
        raise ValueError("its partition has no GUID")
    path = "".join(map(parse_text, files)).removeprefix("\\").replace("\\", "/")
    return Started(parse_text(content[6:end]), Guid(guid), path)


def _nodes(path: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    while len(path) >= _NODE.size:
        major, minor, size = _NODE.unpack_from(path)
        if (major, minor) == _END:
            return
        if not _NODE.size <= size <= len(path):
            raise ValueError(f"a node of type {major}.{minor}")
        yield (major, minor), path[_NODE.size : size]
        path = path[size:]


def _end_of_text(content: bytes, begin: int) -> int:
    """Where what follows a terminated text begins."""
    end = begin
    while content[end : end + 2] not in (b"\0\0", b""):
        end += 2
    return end + 2


def _parse(content: bytes) -> LoadOption:
    end = _end_of_text(content, 6)
    description = content[6 : end - 2].decode("utf-16-le")
    path = content[end:]
    drive = _body(path, _HARD_DRIVE)
    number, first, sectors, guid, _, _ = _DRIVE.unpack(drive)
    file = _body(path[_NODE.size + len(drive) :], _FILE)
    return LoadOption(
        description,
        number,
        first,
        sectors,
        Guid(guid),
        parse_text(file).removeprefix("\\").replace("\\", "/"),
    )


def _node(kind: tuple[int, int], body: bytes) -> bytes:
    return _NODE.pack(*kind, _NODE.size + len(body)) + body


def _body(path: bytes, kind: tuple[int, int]) -> bytes:
    major, minor, size = _NODE.unpack_from(path)
    if (major, minor) != kind or not _NODE.size <= size <= len(path):
        raise ValueError(f"a node of type {major}.{minor}")
    return path[_NODE.size : size]


def print_text(text: str) -> bytes:
    """A text as firmware keeps it: UTF-16, terminated."""
    return text.encode("utf-16-le") + b"\0\0"


def parse_text(content: bytes) -> str:
    """Read a text up to its end; firmware is not strict about the terminator.

    Raises:
        UnicodeDecodeError: it is no text.
    """
    return content.decode("utf-16-le").partition("\0")[0]
