"""What a minified system says of a path: how it is reached, or why it went and how it comes back.

    /usr/sbin/ip
      /etc/x.sh runs ip
        /etc/systemd/system/x.service: ExecStart=/etc/x.sh
          /etc/systemd/system/x.service is of the configuration

The build has written down a reason for each path of the full root (``build/minify/``), and these
are read. A path that is asked about may be one that was never minified: of another object.

Tested by ``tests/unit/composition/test_minified.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.minify import graph, reasons, rules
from reconix.build.minify.minified import Origin
from reconix.build.minify.reasons import Reasons
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_MAX_STEPS = 12
_UNITS = ("B", "kB", "MB")


@dataclass(frozen=True, slots=True)
class Minified:
    """Answers about the paths of one minified system.

    Attributes:
        reasons: of the build.
        root: the full root.
    """

    reasons: Reasons
    root: Path

    def reached(self, path: str) -> tuple[str, ...]:
        """How a path is reached that stays, one step a line; nothing of a path of others."""
        source = path.removesuffix("c") if path.endswith(".pyc") else path
        steps = graph.chain(self.reasons.stays, source)
        told = [f"{_at(because.by)}{because.how}" for _, because in steps[:_MAX_STEPS]]
        left = [f"and {len(steps) - _MAX_STEPS} steps more"] if len(steps) > _MAX_STEPS else []
        bytecode = [f"compiled from /{source} when that was installed"] if source != path else []
        return (*bytecode, *told, *left)

    def gone(self, path: str) -> tuple[str, ...]:
        """Why a path of the full root is not in the system; nothing if it never was there."""
        because = self.reasons.goes.get(path)
        if because is not None:
            return tuple(self._went(path, because))
        if path in self.reasons.stays and path.endswith(".py"):
            return (f"its bytecode is there instead: /{path}c", *self.reached(path))
        return ()

    def _went(self, path: str, because: graph.Because) -> Iterator[str]:
        rule = next((each for each in rules.ALL if each.name == because.by), None)
        by = f" by the rule “{because.by}”" if because.by else ""
        yield f"removed{by}: {because.how}"
        if rule is not None and rule.unless_text:
            yield f"it would stay where {rule.unless_text}"
        place = self.root / path
        if place.is_file() and not place.is_symlink():
            yield f"it has {_size(place.stat().st_size)}"
        yield f'to have it: minify.keep = ["/{path}"]'


def read_minified(store: ChrootStore, root: StorePath) -> Minified | None:
    """The answers about a system; nothing if it is not minified, or what it came from is gone.

    Args:
        store: has it.
        root: that of the system.
    """
    origin = Origin.of(store, root)
    if origin is None:
        return None
    return Minified(reasons.read_reasons(store.path(origin.reasons)), store.path(origin.root))


def _at(path: str) -> str:
    return f"/{path}: " if path else "it "


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if not unit else f"{size:.1f} {_UNITS[unit]}"
