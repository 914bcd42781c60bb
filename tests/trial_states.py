"""Two generations as values, and a device in each phase of the update from one to the other."""

from reconix.base.digests import Digest
from reconix.boot.tables import Slot
from reconix.boot.transitions import (
    Armed,
    Booted,
    Event,
    Received,
    Unhealthy,
    WriteBegun,
    Written,
    advance,
)
from reconix.boot.trial import State, installed
from reconix.store.generation import Generation, InstalledSystem, SlotImage
from reconix.store.paths import StorePath

ONE, TWO = Slot(1), Slot(2)


def store_path(letter: str, name: str) -> StorePath:
    return StorePath(letter * 32, name)


def generation(letter: str) -> Generation:
    """A generation of three systems, whose store paths are of this letter."""
    systems = ("default", "mqtt", "web")
    images = (Digest.of(letter.encode()),)
    tops = tuple(
        InstalledSystem(name, store_path(letter, f"system-{name}"), images) for name in systems
    )
    image = SlotImage(Digest.of(b""), 512, 512)
    root, boot = store_path(letter, "generation-gateway"), store_path(letter, "boot-gateway")
    return Generation(root, "gateway", "amd64", "default", tops, boot, image)


OLD, NEW = generation("a"), generation("b")
IDLE = installed(str(OLD.path), ONE)


def after(*events: Event, begin: State = IDLE) -> State:
    """The state after these events."""
    for event in events:
        begin = advance(begin, event)
    return begin


WRITTEN = after(Received(str(NEW.path)), WriteBegun(TWO), Written())
ARMED = after(Armed(), begin=WRITTEN)
ON_TRIAL = after(Booted(TWO, ONE), begin=ARMED)
REJECTED = after(Unhealthy("port 80", "refused"), begin=ON_TRIAL)
SECOND = after(Booted(ONE, ONE), Armed(), Booted(TWO, ONE), begin=ON_TRIAL)
"""On trial, and not to be tried a third time."""
