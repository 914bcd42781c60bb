"""What minify newly takes or puts back, as `reconix diff` tells it.

Tested by ``tests/unit/cli/test_minify_differences.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.base.documents import JsonInput
from reconix.base.sizes import human
from reconix.build.inspect.generations import systems_of
from reconix.build.minify import rules
from reconix.cli.words import counted
from reconix.composition.minify_changes import Moved, Step, moved
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_SHOWN = 3
_BECAUSE = {rule.name: rule.because for rule in rules.ALL}


def of_generations(store: ChrootStore, one: StorePath, other: StorePath) -> dict[str, list[Moved]]:
    """What was moved in each system that two generations have, by its name."""
    old, new = systems_of(store, one), systems_of(store, other)
    return of_systems(store, {name: (old[name], new[name]) for name in sorted(old.keys() & new)})


def of_systems(
    store: ChrootStore, systems: Mapping[str, tuple[StorePath, StorePath]]
) -> dict[str, list[Moved]]:
    """The same for some toplevels, before and after, as far as the store has both."""
    return {
        name: moved(store, old, new)
        for name, (old, new) in systems.items()
        if old != new and store.is_valid(old) and store.is_valid(new)
    }


def lines(found: list[Moved]) -> Iterator[str]:
    """What was moved in a system, a line for each rule."""
    for each in found:
        shown = ", ".join(f"/{path}" for path in each.paths[:_SHOWN])
        more = f", and {len(each.paths) - _SHOWN} more" if len(each.paths) > _SHOWN else ""
        because = f": {_BECAUSE[each.rule]}" if each.rule in _BECAUSE else ""
        verb = "takes" if each.step is Step.TAKEN else "puts back"
        what = f"{human(each.size_bytes)} in {counted(len(each.paths), 'file')}"
        yield f"minify {verb} {what}, {each.rule}{because} ({shown}{more})"


def document(found: list[Moved]) -> JsonInput:
    """The same for programs."""
    return [
        {
            "change": each.step.value,
            "rule": each.rule,
            "because": _BECAUSE.get(each.rule),
            "size_bytes": each.size_bytes,
            "paths": [*each.paths],
        }
        for each in found
    ]
