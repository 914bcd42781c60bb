"""What minify took of a system: the file ``removed`` of its toplevel, which its trial looks into.

A line for each folder, with its slash, and below it a line for each file of it that went: name,
bytes, and, where a sentence says that nobody needs it, that sentence, with tabs in between. So a
shell can read it as well (``build/data/removed.sh``).

    /usr/bin
    man <TAB> 119200 <TAB> nobody reads manuals on a device
    ss <TAB> 131240

Tested by ``tests/unit/device/settings/test_removed.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.base.documents import BadDocument
from reconix.base.records import dataclass
from reconix.store.paths import StorePath
from reconix.store.registry import NotInstalled, Registry

NAME = "removed"
MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that went.

    Attributes:
        size_bytes: what it would take.
        because: the sentence that says why nobody needs it; nothing: nothing was seen to reach it.
    """

    size_bytes: int
    because: str = ""

    @property
    def is_expected(self) -> bool:
        """Whether those who ask for it do without."""
        return bool(self.because)


def print_removed(removed: Mapping[str, Removed]) -> bytes:
    """The file; names with characters that have no shape are left out.

    Args:
        removed: by path, with its slash.
    """
    return "".join(_lines(removed)).encode()


def _lines(removed: Mapping[str, Removed]) -> Iterator[str]:
    before = None
    for folder, name, each in sorted(_placed(removed), key=lambda placed: placed[:2]):
        if folder != before:
            yield f"{folder or '/'}\n"
        before = folder
        because = [each.because] if each.because else []
        yield "\t".join([name, str(each.size_bytes), *because]) + "\n"


def _placed(removed: Mapping[str, Removed]) -> Iterator[tuple[str, str, Removed]]:
    for path, each in removed.items():
        if path.isprintable():
            folder, _, name = path.rpartition("/")
            yield folder, name, each


def parse_removed(content: bytes, *, source: str) -> dict[str, Removed]:
    """What went, by path.

    Raises:
        BadDocument: it is not what this module says.
    """
    found, folder = {}, ""
    for line in content.decode(errors="replace").split("\n"):
        if line.startswith("/"):
            folder = line.rstrip("/")
        elif line:
            name, _, rest = line.partition("\t")
            size, _, because = rest.partition("\t")
            if not (size.isascii() and size.isdigit()):
                raise BadDocument(f"{source}: {line[:80]!r} has no size")
            found[f"{folder}/{name}"] = Removed(int(size), because)
    return found


def read_removed(registry: Registry, toplevel: StorePath) -> dict[str, Removed]:
    """What went of the system with this toplevel; nothing where no list came with it.

    Raises:
        ReconixError: it cannot be read.
    """
    try:
        content = registry.read(toplevel, NAME, limit_bytes=MAX_BYTES)
    except NotInstalled:
        return {}
    return parse_removed(content, source=f"{toplevel}/{NAME}")
