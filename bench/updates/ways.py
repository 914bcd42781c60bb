"""All ways to send an update, by name."""

from bench.updates.ours import Reconix, ReconixForCpu
from bench.updates.peers import files, images, stores
from bench.updates.peers.peer import Peer

OURS = Reconix.name
ALL: tuple[type[Peer], ...] = (Reconix, ReconixForCpu, *stores.PEERS, *files.PEERS, *images.PEERS)


def named(name: str) -> type[Peer]:
    """The peer of that name."""
    (way,) = (way for way in ALL if way.name == name)
    return way
