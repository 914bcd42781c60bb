"""An archive beside Debian's own is signed, or a folder that is believed; it names what it gives.

Tested by ``tests/unit/config/rules/test_archives.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.base.files import BadFile, read_bounded
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.archives import RESERVED, OtherArchive, is_flat
from reconix.config.schema.project import Project

_MAX_KEYRING_BYTES = 4 << 20
_ARMOUR = b"-----BEGIN PGP "
_PUBLIC = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6
"""The kind of packet that a file with public keys begins with."""
_SECRET_KEY = 5

Found = tuple[str, str, str]
"""An option of the archive, what is wrong with it, and what to do."""


def check_archives(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for archives beside Debian's own."""
    for name, archive in project.archives.items():
        for key, fact, hint in _wrong(name, archive, project):
            place = place_of(table, "archives", name, *filter(None, [key]), default=file)
            option = dotted("archives", name)
            yield Problem(place, dotted(option, key) if key else option, fact, hint)


def _wrong(name: str, archive: OtherArchive, project: Project) -> Iterator[Found]:
    if name in RESERVED:
        yield "", "this name is taken", "the lock calls Debian's archives so: choose another"
    for key, values in (("suites", archive.suites), ("packages", archive.packages)):
        if not values:
            yield key, "is empty: nothing could come from it", "name some, or remove the archive"
    if archive.components and all(map(is_flat, archive.suites)):
        yield "components", "a suite that ends in / has none", "remove them"
    yield from _trust(archive)
    if archive.url is None:
        yield from _debians(archive, project)
    if archive.keyring is not None and archive.keyring.is_file():
        yield from _keyring(archive.keyring)


def _trust(archive: OtherArchive) -> Iterator[Found]:
    if archive.trusted and not archive.is_folder:
        hint = "name the file with its public key in keyring instead"
        yield "trusted", "only an archive at file: can do without a signature", hint
    elif archive.trusted and archive.keyring is not None:
        yield "trusted", "is set, so that no signature is asked for, and so is keyring", "keep one"
    elif archive.url is not None and not archive.trusted and archive.keyring is None:
        more = ", or set trusted = true" if archive.is_folder else ""
        yield "", "has no keyring", f"name the file with the public key that signs it{more}"


def _debians(archive: OtherArchive, project: Project) -> Iterator[Found]:
    """More of Debian's own archive: backports."""
    for suite in archive.suites:
        if suite in project.archive.suites:
            fact = f"{suite} is among archive.suites, of which everything may come"
            yield "suites", fact, f"remove {suite} from archive.suites"
        if is_flat(suite) or suite.endswith("-security"):
            yield "suites", f"Debian's archive has no {suite}", "name the archive in url"


def _keyring(file: Path) -> Iterator[Found]:
    """The file holds public keys, as far as can be told without gpg."""
    try:
        content = read_bounded(file, _MAX_KEYRING_BYTES)
    except BadFile as error:
        yield "keyring", str(error), "name a file with public keys"
        return
    export = "write the public half with: gpg --armor --export NAME"
    if b"PGP PRIVATE KEY" in content or _first_packet(content) == _SECRET_KEY:
        yield (
            "keyring",
            f"{file} holds a secret key",
            export,
        )
    elif _PUBLIC not in content and _first_packet(content) != _PUBLIC_KEY:
        yield "keyring", f"{file} holds no public keys of OpenPGP", export


def _first_packet(content: bytes) -> int | None:
    """The kind of the first packet of a binary file.

    Source: RFC 9580, section 4.2.
    """
    first = content[0] if content else 0
    if content.startswith(_ARMOUR) or not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else (first & 0x3C) >> 2
