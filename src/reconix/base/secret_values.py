"""The value of a secret: what it may be, on the build host and on a device.

It is bytes, taken as they are: a program that was given a password with a line break has one with a
line break. systemd gives a unit no more than 1 MiB of credentials, names included, so that is the
limit of one value with its name. An empty value would be taken for one that was forgotten.

A value is nobody's to look at: it has no text, and what is sent to a device is preceded by its
digest, because a link that is cut ends like a file, and half a password is no password.

Source: systemd.exec(5), *LoadCredential=*.
Tested by ``tests/unit/base/test_secret_values.py``.
"""

import re

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field

MAX_BYTES = 1 << 20
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DIGEST_BYTES = 32


class BadSecret(ReconixError):
    """The name or the value of a secret is none that a unit could get."""

    exit_code = 84


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret and its value; valid by construction."""

    name: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.content:
            raise BadSecret(
                f"the value of secret {self.name} is empty", hint="is it the right one?"
            )
        if len(self.name) + len(self.content) > MAX_BYTES:
            raise BadSecret(
                f"the value of secret {self.name} is too large: with its name it has "
                f"{len(self.name) + len(self.content)} bytes or more, systemd takes {MAX_BYTES}",
                hint="encrypt the large file with a key, and make the key the secret",
            )

    def sealed(self) -> bytes:
        """The value behind its digest, to be sent."""
        return Digest.of(self.content).value + self.content


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a secret.

    Raises:
        BadSecret: it is the name of a file elsewhere, say, or of none.
    """
    if not NAME.fullmatch(name):
        raise BadSecret(
            f"{name[:80]!r} is not the name of a secret",
            hint="a name has lower-case letters, digits and -, such as mqtt-password",
        )


def unsealed(name: str, sent: bytes) -> SecretValue:
    """The value behind its digest, as it arrived.

    Raises:
        BadSecret: not all of it arrived, or it is none.
    """
    digest, content = sent[:_DIGEST_BYTES], sent[_DIGEST_BYTES:]
    if Digest.of(content).value != digest:
        raise BadSecret(f"secret {name} did not arrive as it was sent", hint="send it again")
    return SecretValue(name, content)


SENT_BYTES = MAX_BYTES + _DIGEST_BYTES
"""The most that a value and its digest have."""
