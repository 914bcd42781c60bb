"""What is different between two closures, as `reconix diff` and `reconix store diff` tell it.

Tested by ``tests/unit/cli/test_store.py`` and ``tests/unit/cli/test_generations.py``.
"""

from reconix.base.documents import JsonInput
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.build.inspect import generations
from reconix.build.inspect.packages import PackageChange
from reconix.cli import minify_differences
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath


def difference_of(store: ChrootStore, one: StorePath, other: StorePath) -> tuple[str, JsonInput]:
    """What is different between two closures or generations, as text and as JSON."""
    found = generations.difference(store, one, other)
    lines = []
    for change in found.changes:
        kind = "changed" if change.before and change.after else "added"
        kind = kind if change.after else "removed"
        sizes = f"{human(change.before_bytes)} → {human(change.after_bytes)}"
        lines.append(f"{kind:<8} {change.name:<40} {sizes}")
    lines += [_package_line(change) for change in found.packages]
    lines += [f"system {name}: touched" for name in found.touched]
    moved = minify_differences.of_generations(store, one, other)
    for name, of_it in moved.items():
        lines += [f"system {name}: {line}" for line in minify_differences.lines(of_it)]
    lines += [f"system {name}: the same to the last byte" for name in found.identical]
    document: JsonInput = {
        "changes": [
            {
                "name": change.name,
                "before": [str(path) for path in change.before],
                "after": [str(path) for path in change.after],
                "before_bytes": change.before_bytes,
                "after_bytes": change.after_bytes,
            }
            for change in found.changes
        ],
        "packages": [_package_document(change) for change in found.packages],
        "touched": list(found.touched),
        "minify": {name: minify_differences.document(each) for name, each in moved.items()},
        "identical": list(found.identical),
    }
    return "\n".join(map(one_line, lines)) or "no difference", document


def _package_line(change: PackageChange) -> str:
    there = [package for package in (change.before, change.after) if package is not None]
    versions = " → ".join(package.version for package in there)
    sizes = " → ".join(human(package.size_bytes) for package in there)
    where = ", ".join(change.systems)
    return f"{change.step.value:<8} package {change.name:<32} {versions}  ({sizes})  in {where}"


def _package_document(change: PackageChange) -> JsonInput:
    before, after = change.before, change.after
    return {
        "name": change.name,
        "change": change.step.value,
        "before": before.version if before else None,
        "after": after.version if after else None,
        "before_bytes": before.size_bytes if before else 0,
        "after_bytes": after.size_bytes if after else 0,
        "systems": list(change.systems),
    }
