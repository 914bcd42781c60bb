"""What every way to send an update has to do, so that all are measured alike.

Builder and device are two folders of the work folder. Each step runs in a process of its own:

1. ``prepare``: what both have anyway, before an update is thought of. Not measured.
2. ``create``: writes ``update`` in the work folder, a file or a folder. All of it has to be sent.
3. ``apply``: makes the target from what the device has and the update.
4. ``check``: compares what was made with the target. Not measured.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from bench.updates import trees

from reconix.base.errors import ReconixError
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Closures:
    """A store of the real Nix with the closures that the trees of a pair are copies of."""

    root: Path
    old: StorePath
    new: StorePath


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trees, in a folder that also keeps what several peers make from them."""

    name: str
    folder: Path
    closures: Closures | None = None

    @property
    def old(self) -> Path:
        """What devices have."""
        return self.folder / "old"

    @property
    def new(self) -> Path:
        """What they shall have."""
        return self.folder / "new"


class Wrong(ReconixError):
    """What an applier made is not the target."""

    exit_code = 1


class Peer(ABC):
    """One way to send an update; made anew for each step."""

    name: str
    """As it stands in the table."""
    itself: frozenset[str] = frozenset()
    """Steps that work in the process of the step; all others only start programs."""

    def __init__(self, pair: Pair, work: Path) -> None:
        self.pair, self.work = pair, work

    @property
    def update(self) -> Path:
        """What has to be sent."""
        return self.work / "update"

    @abstractmethod
    def prepare(self) -> None:
        """Make what builder and device have anyway."""

    @abstractmethod
    def create(self) -> None:
        """Make the update."""

    @abstractmethod
    def apply(self) -> None:
        """Make the target."""

    @abstractmethod
    def check(self) -> None:
        """Compare what was made with the target.

        Raises:
            Wrong: it is something else.
        """

    def expect_target(self, tree: Path) -> None:
        """Compare a tree with the target.

        Raises:
            Wrong: it is something else.
        """
        if trees.digest(tree) != trees.digest(self.pair.new):
            raise Wrong(f"{self.name}, {self.pair.name}: {tree} is not the target")
