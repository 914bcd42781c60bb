"""What minify shall keep and may do without contradict each other nowhere.

One is perhaps said by a module, the other by the system that switches it on.

Tested by ``tests/unit/config/rules/test_minify.py``.
"""

from collections.abc import Iterator

from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System


def check_minify(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for what is kept."""
    for path in sorted(system.minify.without):
        by = next((each for each in system.minify.keep if _is_at_or_below(path, each)), None)
        if by is not None:
            place = place_of(table, "minify", "without", path, default=file)
            kept = place_of(table, "minify", "keep", default=file)
            fact = f"minify.keep has {by}, so {path} stays ({kept})"
            yield Problem(place, f"minify.without.{path}", fact, "take one of the two away")


def _is_at_or_below(path: str, kept: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{kept.rstrip('/')}/")
