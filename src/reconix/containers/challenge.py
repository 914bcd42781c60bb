"""What a registry wants from whoever asks: nothing, a password, or the token of another server.

A registry answers 401 with a *challenge*. It may name a server of its choice that gives tokens, and
whoever obeys tells that server a password. So the server must be one to which a password may be
told: with TLS, or on this machine, or the registry itself where it is allowed to do without.

Who has a token for getting tokens sends that, as a form; who has a name and a password says these
with the question.

Source: RFC 9110, section 11; RFC 6750, section 3; Docker Registry, *Token Authentication
Specification*.
Tested by ``tests/unit/containers/test_challenge.py``.
"""

import re
import urllib.parse
from dataclasses import dataclass

from reconix.base.documents import BadDocument, Fields

_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)(?=\s|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_CLIENT = "reconix"
_MAX_CHARACTERS = 4096
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class PasswordWanted:
    """The registry wants a name and a password with each question."""


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The registry wants what another server gives."""

    realm: str
    service: str
    scope: str

    def address(self, repository: str) -> str:
        """What that server is to be asked, for a repository of which something is read."""
        mark = "&" if "?" in self.realm else "?"
        wanted = urllib.parse.urlencode(self._wanted(repository), safe=":,/")
        return f"{self.realm}{mark}{wanted}"

    def form(self, repository: str, refresh_token: str) -> dict[str, str]:
        """What it is sent by who has a token for getting tokens, to ``realm`` itself.

        Source: Docker Registry, *Docker Registry v2 authentication using OAuth2*; RFC 6749,
        section 6.
        """
        grant = {"grant_type": "refresh_token", "client_id": _CLIENT}
        return {**grant, **self._wanted(repository), "refresh_token": refresh_token}

    def _wanted(self, repository: str) -> dict[str, str]:
        service = {"service": self.service} if self.service else {}
        return {**service, "scope": self.scope or f"repository:{repository}:pull"}


Challenge = PasswordWanted | TokenWanted


def parse_challenge(header: str) -> Challenge | None:
    """Read ``WWW-Authenticate``; a token comes before a password, nothing is what we cannot do."""
    wants_password = False
    for found in _SCHEME.finditer(header[:_MAX_CHARACTERS]):
        if found[1].lower() == "basic":
            wants_password = True
            continue
        said = _parameters(header[:_MAX_CHARACTERS], found.end())
        if said.get("realm"):
            return TokenWanted(said["realm"], said.get("service", ""), said.get("scope", ""))
    return PasswordWanted() if wants_password else None


def _parameters(header: str, at: int) -> dict[str, str]:
    said: dict[str, str] = {}
    while found := _PARAMETER.match(header, at):
        text = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        said.setdefault(found[1].lower(), text)
        at = found.end()
    return said


def parse_token(content: bytes, *, source: str) -> str:
    """The token in the answer of the server that gives them.

    Raises:
        BadDocument: there is none. The message does not hold it.
    """
    fields = Fields.parse(content, source=source)
    for key in ("token", "access_token"):
        if fields.has(key) and _TOKEN.fullmatch(fields.text(key)):
            return fields.text(key)
    raise BadDocument(f"{source}: there is no token in it")
