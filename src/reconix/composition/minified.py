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

from reconix.build.boot.linux import module_name
from reconix.build.minify import graph, module_plan, reasons, rules
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import Reasons
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.nix.chroot import ChrootStore

_MAX_STEPS = 12
_MODULES = f"{module_plan.PLACE}/"
_UNITS = ("B", "kB", "MB")


@dataclass(frozen=True, slots=True)
class Minified:
    """Answers about the paths of one minified system.

    Attributes:
        reasons: of the build, for the root and for the modules of the kernel.
        root: the full root.
        modules: all modules of the kernel, in the folder of its version; nothing if all stay.
    """

    reasons: Reasons
    root: Path
    modules: Path | None = None

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
        place = self.place(path)
        if place.is_file() and not place.is_symlink():
            yield f"it has {_size(place.stat().st_size)}"
        keep = f"module:{module_name(path)}" if self.is_module(path) else f"/{path}"
        yield f'to have it: minify.keep = ["{keep}"]'

    def place(self, path: str) -> Path:
        """Where a path of the full system lies in the store."""
        if self.modules is not None and path.startswith(_MODULES):
            return self.modules / path.removeprefix(_MODULES)
        return self.root / path

    def is_module(self, path: str) -> bool:
        """Whether it is one of the kernel's modules."""
        return self.modules is not None and path.startswith(_MODULES)


def read_minified(store: ChrootStore, parts: ToplevelParts) -> Minified | None:
    """The answers about a system; nothing if it is not minified, or what it came from is gone.

    Args:
        store: has it.
        parts: of the system.
    """
    origin = Origin.of(store, parts.root)
    if origin is None:
        return None
    root = store.path(origin.root)
    found = reasons.read_reasons(store.path(origin.reasons))
    linux = Origin.of(store, parts.linux)
    if linux is None:
        return Minified(found, root)
    known = reasons.read_reasons(store.path(linux.reasons))
    both = Reasons({**found.stays, **known.stays}, {**known.goes, **found.goes})
    return Minified(both, root, store.path(linux.root) / "modules")


def _at(path: str) -> str:
    return f"/{path}: " if path else "it "


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if not unit else f"{size:.1f} {_UNITS[unit]}"
