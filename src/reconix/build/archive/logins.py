"""Who logs in to an archive, and how: as apt of this machine does, from its ``auth.conf``.

Passwords have no place in a configuration that is shared, and an archive of packages knows whoever
builds, not whoever reads the project. apt has a file for this that only root or its owner reads,
and whoever uses a private archive on his machine has written it already. So apt's lists and our
downloads are asked for with the same name and password, and only at the server, the port and below
the path that the file names; without a scheme there, only over https.

Source: apt_auth.conf(5).
Tested by ``tests/unit/build/archive/test_logins.py``, and against apt by
``tests/compat/test_archives.py``.
"""

import base64
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base import process, progress
from reconix.base.address import Address
from reconix.base.files import read_bounded

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, and where they are good for."""

    machine: str
    """``[scheme://]host[:port][/path]``."""
    name: str
    password: str

    def is_for(self, address: Address) -> bool:
        """Whether it is meant for an address."""
        scheme, found, rest = self.machine.rpartition("://")
        server, slash, path = rest.partition("/")
        host, _, port = server.partition(":")
        return (
            address.scheme == (scheme if found else "https")
            and address.host == host.lower()
            and (not port or port == str(address.port))
            and address.target.startswith(slash + path)
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """What a server is told."""
        who = f"{self.name}:{self.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(who).decode()}"}


@dataclass(frozen=True, slots=True)
class Files:
    """Where a machine's apt looks for logins."""

    file: str
    folder: str

    @classmethod
    def of_machine(cls) -> "Files":
        """Those of this machine."""
        words = ("file", "Dir::Etc::netrc/f", "folder", "Dir::Etc::netrcparts/d")
        said = process.run("apt-config", "shell", *words).decode(errors="replace")
        values = dict(word.partition("=")[::2] for word in shlex.split(said))
        return cls(values.get("file", ""), values.get("folder", ""))

    def settings(self) -> str:
        """Lines for the configuration of an apt that is to use them too."""
        return (
            f'Dir::Etc::netrc "{self.file or "/dev/null"}";\n'
            f'Dir::Etc::netrcparts "{self.folder or "/dev/null"}";\n'
        )

    def logins(self) -> tuple[Login, ...]:
        """All logins, in the order in which they count."""
        parts = sorted(Path(self.folder).glob("*.conf")) if self.folder else []
        files = [Path(self.file), *parts] if self.file else parts
        return tuple(login for file in files for login in _read(file))


def _read(file: Path) -> Iterator[Login]:
    try:
        content = read_bounded(file, _MAX_BYTES) if file.exists() else b""
    except PermissionError:
        progress.note(f"{file} cannot be read: nobody logs in to an archive")
        return
    yield from parse_logins(content.decode(errors="replace"))


def parse_logins(text: str) -> Iterator[Login]:
    """Read what such a file says; what is not complete is left out."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    values: dict[str, str] = {}
    words = iter(" ".join(lines).split())
    for word in words:
        if word == "machine":
            yield from _complete(values)
            values = {}
        if word in ("machine", "login", "password"):
            values[word] = next(words, "")
    yield from _complete(values)


def _complete(values: Mapping[str, str]) -> Iterator[Login]:
    if {"machine", "login", "password"} <= values.keys():
        yield Login(values["machine"], values["login"], values["password"])


def headers_for(address: Address, logins: Iterable[Login]) -> Mapping[str, str]:
    """What to tell a server about who asks; nothing if no login is meant for it."""
    return next((login.headers for login in logins if login.is_for(address)), {})
