"""Lists of a root of which only that stays which is about what is there.

    var/lib/dpkg/status    which packages are installed, in which version, and what each needs:
                           for bills of materials, and for whoever looks for known faults. What
                           describes a package, or is for installing it, goes: three quarters
    etc/shells             the shells that are there
    etc/ld.so.cache        the libraries that are there (``library_cache.py``)

Whoever reads the whole file can read what is left of it.

Source: deb-control(5); shells(5); ldconfig(8).
Tested by ``tests/unit/build/minify/test_rewritten.py``.
"""

from collections.abc import Callable, Container, Iterator, Mapping

from reconix.build.minify import library_cache

_FIELDS = frozenset(
    {
        *("Package", "Status", "Essential", "Installed-Size", "Architecture", "Multi-Arch"),
        *("Source", "Version", "Provides", "Depends", "Pre-Depends"),
    }
)


def status(content: bytes, _: Container[str]) -> bytes:
    """What stays of dpkg's status."""
    return b"".join(_with_fields(content.splitlines(keepends=True)))


def _with_fields(lines: list[bytes]) -> Iterator[bytes]:
    stays = False
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            field = line.partition(b":")[0].decode(errors="replace")
            stays = field in _FIELDS or not line.strip()
        if stays:
            yield line


def shells(content: bytes, paths: Container[str]) -> bytes:
    """What stays of the list of shells.

    Args:
        content: of it.
        paths: of the minimal root. What only a folder's second name leads to, as ``/bin/sh``, is
            looked for below ``/usr``.
    """
    return b"".join(line for line in content.splitlines(keepends=True) if _is_there(line, paths))


def _is_there(line: bytes, paths: Container[str]) -> bool:
    path = line.strip().decode(errors="replace")
    return path.startswith("#") or _has(paths, path)


def libraries(content: bytes, paths: Container[str]) -> bytes:
    """What stays of the list that the loader reads."""
    return library_cache.only(content, lambda path: _has(paths, path))


def _has(paths: Container[str], path: str) -> bool:
    """Whether a path is among some, under either of its names."""
    plain = path.lstrip("/")
    return plain in paths or f"usr/{plain}" in paths


ALL: Mapping[str, Callable[[bytes, Container[str]], bytes]] = {
    "var/lib/dpkg/status": status,
    "etc/shells": shells,
    "etc/ld.so.cache": libraries,
}
"""By the path of the file: what stays, given its content and the paths of the minimal root."""
