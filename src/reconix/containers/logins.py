"""Log-ins for registries, kept where docker and podman keep them.

Whoever has logged in with ``podman login`` or ``docker login`` is logged in here: we read their
files and ask their helpers, and write nothing. The first file that knows a registry counts, and in
it the longest name: a log-in may be meant for a part of a registry only.

A password is in no message, no representation and no command line: a helper is asked on its
standard input, and what it complains is not shown.

Source: containers-auth.json(5); Docker CLI, *docker login*, ``credHelpers`` and ``credsStore``;
docker-credential-helpers, *Development*.
Tested by ``tests/unit/containers/test_logins.py``; with real registries by
``tests/compat/test_oci_registry.py``.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import process
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed, ProgramMissing

_MAX_BYTES = 1 << 20
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HELPER_SECONDS = 60
_NOTHING = b"credentials not found in native keychain"
_TOKEN = "<token>"
"""The user of a log-in that is a token for getting tokens."""


class BadLogin(ReconixError):
    """What is kept about a registry is of no use."""

    exit_code = 66


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and with what."""

    user: str
    password: str = field(repr=False)

    def header(self) -> str:
        """As a server is told."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """A token that stands for somebody, with which the server for tokens gives others."""

    token: str = field(repr=False)


Known = Login | IdentityToken
"""What may be kept about a registry."""


def usual_files(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where log-ins are kept, the first first.

    Args:
        environment: variables that lead elsewhere.
        home: the folder of the user.
    """
    if environment.get("REGISTRY_AUTH_FILE"):
        return (Path(environment["REGISTRY_AUTH_FILE"]),)
    running = environment.get("XDG_RUNTIME_DIR")
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    mine = (settings / "containers/auth.json", docker / "config.json")
    return (Path(running) / "containers/auth.json", *mine) if running else mine


@dataclass(frozen=True, slots=True)
class Logins:
    """All that is known; of an empty one, nothing is."""

    files: Sequence[Path] = ()

    def find(self, host: str, repository: str) -> Known | None:
        """The log-in for a repository, if there is one.

        Raises:
            BadLogin: a file cannot be read, a helper fails, or the log-in is damaged.
        """
        for path in self.files:
            fields = _read(path)
            found = _find(fields, host, repository, path) if fields else None
            if found is not None:
                return found
        return None


def _read(path: Path) -> Fields | None:
    try:
        return Fields.parse(read_bounded(path, _MAX_BYTES), source=str(path))
    except FileNotFoundError:
        return None
    except (BadDocument, OSError) as error:
        raise BadLogin(f"{path} cannot be read: {type(error).__name__}") from None


def _find(fields: Fields, host: str, repository: str, path: Path) -> Known | None:
    try:
        helper = _helper(fields, host)
        return _ask(helper, host, path) if helper else _stored(fields, host, repository, path)
    except BadDocument as error:
        raise BadLogin(str(error), hint="log in again: podman login") from error


def _stored(fields: Fields, host: str, repository: str, path: Path) -> Known | None:
    if not fields.has("auths"):
        return None
    known = fields.object("auths")
    named = {_plain(name): name for name in known.names()}
    for name in _names(host, repository):
        if name in named:
            return _login(known.object(named[name]), name, path)
    return None


def _names(host: str, repository: str) -> Iterator[str]:
    """A repository, all that it is a part of, and its registry."""
    name = f"{host}/{repository}"
    while name:
        yield name
        name = name.rpartition("/")[0]


def _plain(name: str) -> str:
    """The name of a registry, as old programs wrote it with scheme and version."""
    rest = name.partition("://")[2]
    return rest.partition("/")[0] if rest else name


def _login(fields: Fields, name: str, path: Path) -> Known | None:
    if fields.has("identitytoken") and fields.text("identitytoken"):
        return IdentityToken(fields.text("identitytoken"))
    if not fields.has("auth") or not fields.text("auth"):
        return None
    try:
        plain = base64.b64decode(fields.text("auth"), validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    user, mark, password = plain.partition(":")
    if not user or not mark or not plain.isprintable():
        raise BadLogin(
            f"{path}: the log-in for {name} is damaged", hint=f"log in again: podman login {name}"
        )
    return Login(user, password.strip("\0"))


def _helper(fields: Fields, host: str) -> str:
    """The program that keeps the log-in for a registry."""
    for key in ("credHelpers", "credsStore"):
        if not fields.has(key):
            continue
        if key == "credsStore":
            return fields.text(key)
        special = fields.object(key)
        if special.has(host):
            return special.text(host)
    return ""


def _ask(helper: str, host: str, path: Path) -> Known | None:
    if not _HELPER.fullmatch(helper):
        raise BadLogin(f"{path}: {helper[:80]!r} is not the name of a helper")
    program = f"docker-credential-{helper}"
    try:
        said = process.run(program, "get", stdin=host.encode(), timeout_seconds=_HELPER_SECONDS)
    except ProgramMissing as error:
        raise BadLogin(f"{error}, which {path} names for {host}") from error
    except CommandFailed as error:
        if _NOTHING in error.output:
            return None
        raise BadLogin(
            f"{program} failed with status {error.status} when it was asked for {host}",
            hint=f"ask it: echo {host} | {program} get",
        ) from None
    return _answer(said, program, host)


def _answer(said: bytes, program: str, host: str) -> Known | None:
    try:
        fields = Fields.parse(said, source=program)
        login = Login(fields.text("Username"), fields.text("Secret"))
    except BadDocument:
        raise BadLogin(f"{program} gave no log-in for {host}, but something else") from None
    if login.user == _TOKEN:
        return IdentityToken(login.password)
    return login if login.user else None
