"""The secrets of a device behind ssh: what it has, and sending one.

A device is asked who it is before anything is sent. What it says is not proof: ssh knows it by its
host key, and a value for one device only is sent to the device that the user has named.

A value goes through the user's ssh, behind its digest, to the standard input of the agent: on no
command line, in no file on the way.

Tested by ``tests/unit/fleet/test_secrets.py``, with the agent itself.
"""

from dataclasses import dataclass

from reconix.base.documents import BadDocument, Fields
from reconix.base.secret_values import NAME, SecretValue
from reconix.fleet.remote import Refused, Remote

_USAGE, _UNKNOWN = 2, "invalid choice"  # how argparse ends that does not know a word
_MAX_SERIAL = 64


class OldAgent(Refused):
    """The agent of a device knows nothing of secrets."""

    def __init__(self, to: str) -> None:
        super().__init__(to, "its agent knows no secrets yet", status=_USAGE)
        self.hint = (
            "deploy a generation of this release first, in which no secret is required; "
            "then push, then require them"
        )


@dataclass(frozen=True, slots=True)
class RemoteSecret:
    """A secret, as a device tells it."""

    name: str
    is_here: bool
    written: int | None
    fault: str


@dataclass(frozen=True, slots=True)
class RemoteSecrets:
    """What a device has, and who it says that it is."""

    host: str
    serial: str
    """Nothing, if it has no identity."""
    secrets: dict[str, RemoteSecret]

    def lacks(self, name: str) -> bool:
        """Whether no unit there could get this one."""
        return name not in self.secrets or not self.secrets[name].is_here


def parse_secrets(content: bytes, *, source: str) -> RemoteSecrets:
    """Read what ``reconix-device secrets list --json`` prints.

    Raises:
        BadDocument: it is something else.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(1)
    serial = fields.text("serial") if fields.has("serial") else ""
    if len(serial) > _MAX_SERIAL:
        raise BadDocument(f"{source}: its serial number has {len(serial)} characters")
    found = [_secret(each) for each in fields.objects("secrets")]
    return RemoteSecrets(fields.text("host"), serial, {each.name: each for each in found})


def _secret(fields: Fields) -> RemoteSecret:
    name = fields.text("name")
    if not NAME.fullmatch(name):
        raise BadDocument(f"{fields.source}: {name[:80]!r} is not the name of a secret")
    return RemoteSecret(
        name,
        fields.flag("here"),
        fields.number("written") if fields.has("written") else None,
        fields.text("fault") if fields.has("fault") else "",
    )


def ask(device: Remote) -> RemoteSecrets:
    """What a device has.

    Raises:
        OldAgent: its agent cannot tell. NotReached, Refused, BadDocument.
    """
    try:
        said = device.ask("secrets", "list")
    except Refused as error:
        if error.exit_code == _USAGE and _UNKNOWN in str(error):
            raise OldAgent(device.to) from error
        raise
    return parse_secrets(said, source=f"the secrets of {device.to}")


def send(device: Remote, secret: SecretValue, *, restarts: bool) -> None:
    """Give a device a value; it is durable there when this returns.

    Raises:
        NotReached: it does not answer; it has the value before, or this one.
        Refused: its agent did not take it, or a unit does not start with it.
    """
    more = () if restarts else ("--no-restart",)
    with device.agent("secrets", "receive", secret.name, "--with-digest", *more) as sink:
        sink.write(secret.sealed())


def remove(device: Remote, name: str) -> None:
    """Let a device forget a value.

    Raises:
        NotReached, Refused: it does not do it.
    """
    with device.agent("secrets", "remove", name):
        pass
