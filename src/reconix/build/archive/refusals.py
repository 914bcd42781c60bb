"""Why the lists of an archive are not used, in words that name the archive and what to do.

apt says it in many ways, which differ from release to release; here are the kinds that call for
different things to be done.

Tested by ``tests/compat/test_apt.py`` and ``tests/compat/test_archives.py``, by the real apt.
"""

import re
from dataclasses import dataclass

from reconix.base.errors import ReconixError

_SAID_CHARACTERS = 800
_SIGNATURE = re.compile(
    r"NO_PUBKEY|EXPKEYSIG|REVKEYSIG|BADSIG|not signed|no longer signed|signature|gpgv|sqv|NODATA",
    re.I,
)
_AGE = re.compile(r"is expired|not valid yet|invalid for another")
_WEAK = re.compile(r"strong enough for security|weak (algorithm|security|hash)|Insufficient", re.I)
_CHANGED = re.compile(r"Hash Sum mismatch|unexpected size|hash mismatch", re.I)
_ANSWERED = re.compile(r"Failed to fetch \S+\s+((?!404)[45][0-9]{2}) ")
"""Before signatures: what was not given to us is not signed to apt."""
_MALFORMED = re.compile(r"MergeList|could not be parsed")
_LACKS = re.compile(r"does not have a Release file|Release\s+404|Unable to find expected entry")


class ArchiveUnreachable(ReconixError):
    """The lists of an archive could not be fetched."""

    exit_code = 66


class BadSignature(ReconixError):
    """The lists of an archive are not signed by a key that we trust."""

    exit_code = 67


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose lists were asked for."""

    archive: str | None
    """What the project calls it; nothing for Debian's."""
    addresses: str
    keyrings: str

    @property
    def who(self) -> str:
        """For the beginning of a message."""
        return f"archive {self.archive}: " if self.archive else ""

    @property
    def option(self) -> str:
        """The table of its options."""
        return f"archives.{self.archive}" if self.archive else "archive"


def refusal(said: str, asked: Asked) -> ReconixError:
    """Tell apart why lists cannot be used, from what apt said."""
    last, who = said.strip()[-_SAID_CHARACTERS:], asked.who
    if _WEAK.search(said):
        return BadSignature(
            f"{who}the lists of {asked.addresses} have no hashes that can be relied on: {last}",
            hint="its owner must write SHA-256 into the index",
        )
    if _AGE.search(said):
        return ArchiveUnreachable(
            f"{who}package lists are expired or not yet valid: {last}",
            hint="is the clock of this machine right? is the archive a frozen copy?",
        )
    if answered := _ANSWERED.search(said):
        return ArchiveUnreachable(
            f"{who}the server of {asked.addresses} answered {answered[1]}: {last}",
            hint="is it up? who logs in to an archive is read from /etc/apt/auth.conf",
        )
    if _SIGNATURE.search(said):
        return _unsigned(last, asked)
    if _CHANGED.search(said):
        return ArchiveUnreachable(
            f"{who}a list of {asked.addresses} is not the one that was signed: {last}",
            hint="it was changed on the way, or is just being replaced: try again later",
        )
    if _MALFORMED.search(said):
        return ArchiveUnreachable(
            f"{who}a list of {asked.addresses} is malformed: {last}", hint="tell its owner"
        )
    if _LACKS.search(said):
        return ArchiveUnreachable(
            f"{who}an archive lacks a requested suite or component: {last}",
            hint=f"correct {asked.option}.suites, or components and address beside it, in "
            "reconix.toml",
        )
    return ArchiveUnreachable(
        f"{who}the lists of {asked.addresses} could not be fetched: {last}",
        hint="is the network up? only `reconix lock` needs it, `reconix build` does not",
    )


def _unsigned(last: str, asked: Asked) -> BadSignature:
    hint = "is the address right? is the keyring current (debian-archive-keyring)?"
    if asked.archive:
        hint = f"is the address right? has its owner another key for {asked.option}.keyring?"
    return BadSignature(
        f"{asked.who}the lists of {asked.addresses} are not signed by the keys in "
        f"{asked.keyrings}: {last}",
        hint=hint,
    )
