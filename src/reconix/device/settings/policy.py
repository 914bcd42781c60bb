"""Policy: what a system says about updates and trials, in ``update.json`` of its toplevel.

    {"receive": true, "trial_timeout_seconds": 300, "trial_attempts": 2, "always_attempts": 3}

A system without the file, such as one of NixOS, allows updates and has no time limit of its own for
a trial besides that of its health checks.

Tested by ``tests/unit/device/settings/test_policy.py``.
"""

from enum import Enum

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.firmware import FirmwareKind
from reconix.base.records import dataclass
from reconix.boot.trial import DEFAULT_ATTEMPTS, MAX_ATTEMPTS
from reconix.device.settings.health import MAX_TIMEOUT_SECONDS
from reconix.device.state.choice import DEFAULT_FAILURES, MAX_FAILURES
from reconix.store.paths import StorePath
from reconix.store.registry import NotInstalled, Registry

NAME = "update.json"
MAX_BYTES = 1 << 16


class Untouched(Enum):
    """What becomes of an update that changes nothing of what runs."""

    COMMIT = "commit"  # it is committed; what it changes is tried when it is first started
    TRIAL = "trial"  # what runs is tried in it, as in any other


@dataclass(frozen=True, slots=True)
class Policy:
    """How a system takes updates, and how often it may fail to come up.

    Attributes:
        receive: whether an update may be received while it runs.
        trial_timeout_seconds: how long its trial may take from its start to its confirmation.
        trial_attempts: how often a trial of it is made, if what ended it need not be its fault.
        always_attempts: how often in a row it may fail to come up, if it is wanted always.
        automatic: whether the device restarts into an update by itself.
        needs_firmware: whether the firmware's variables keep what the next boot is; if not, the
            disk does (``boot/oneshots/disk.py``).
        window: when, as ``device/update/window.py`` has it; nothing: at any time.
        untouched: what becomes of an update that changes nothing of it while it runs.
        strict_minify: whether it is unhealthy if it asks for what minify took, and nobody foresaw.
        firmware: what starts it.
    """

    receive: bool = True
    trial_timeout_seconds: int = MAX_TIMEOUT_SECONDS
    trial_attempts: int = DEFAULT_ATTEMPTS
    always_attempts: int = DEFAULT_FAILURES
    automatic: bool = True
    needs_firmware: bool = True
    window: str = ""
    untouched: Untouched = Untouched.COMMIT
    strict_minify: bool = False
    firmware: FirmwareKind = FirmwareKind.UEFI


def print_policy(policy: Policy) -> bytes:
    """``update.json`` of a toplevel; the keys of later releases are left out at their defaults."""
    document: dict[str, JsonInput] = {
        "receive": policy.receive,
        "trial_timeout_seconds": policy.trial_timeout_seconds,
        "trial_attempts": policy.trial_attempts,
        "always_attempts": policy.always_attempts,
    }
    if not policy.automatic:
        document["automatic"] = False
    if policy.window:
        document["window"] = policy.window
    if not policy.needs_firmware:
        document["needs_firmware"] = False
    if policy.untouched is not Untouched.COMMIT:
        document["untouched"] = policy.untouched.value
    if policy.strict_minify:
        document["strict_minify"] = True
    if policy.firmware is not FirmwareKind.UEFI:
        document["firmware"] = policy.firmware.value
    return print_json(document)


def parse_policy(content: bytes, *, source: str) -> Policy:
    """Read ``update.json``.

    Raises:
        BadDocument: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    return Policy(
        fields.flag("receive"),
        fields.number("trial_timeout_seconds"),
        _attempts(fields, "trial_attempts", DEFAULT_ATTEMPTS, MAX_ATTEMPTS),
        _attempts(fields, "always_attempts", DEFAULT_FAILURES, MAX_FAILURES),
        fields.flag("automatic") if fields.has("automatic") else True,
        fields.flag("needs_firmware") if fields.has("needs_firmware") else True,
        fields.text("window") if fields.has("window") else "",
        _untouched(fields),
        fields.flag("strict_minify") if fields.has("strict_minify") else False,
        _firmware(fields),
    )


def _firmware(fields: Fields) -> FirmwareKind:
    """What is said; a kind of a later release cannot be guessed."""
    said = fields.text("firmware") if fields.has("firmware") else FirmwareKind.UEFI.value
    try:
        return FirmwareKind(said)
    except ValueError as error:
        raise BadDocument(f"{fields.source}: firmware {said!r} is not known") from error


def _untouched(fields: Fields) -> Untouched:
    """What is said; a word of a later release is taken for a trial, which is always right."""
    if not fields.has("untouched"):
        return Untouched.COMMIT
    is_commit = fields.text("untouched") == Untouched.COMMIT.value
    return Untouched.COMMIT if is_commit else Untouched.TRIAL


def _attempts(fields: Fields, key: str, default: int, most: int) -> int:
    found = fields.number(key) if fields.has(key) else default
    if not 1 <= found <= most:
        raise BadDocument(f"{fields.source}: {key} is {found}, not 1 to {most}")
    return found


def read_policy(registry: Registry, toplevel: StorePath) -> Policy:
    """Read what the system with this toplevel says about updates.

    Raises:
        ReconixError: it cannot be read.
    """
    try:
        content = registry.read(toplevel, NAME, limit_bytes=MAX_BYTES)
    except NotInstalled:
        return Policy()
    return parse_policy(content, source=f"{toplevel}/{NAME}")
