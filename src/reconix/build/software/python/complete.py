"""Whether a set of wheels has everything that they need, for one Python.

A device asks no index. So what a wheel requires must be another wheel of the set, in a version that
fits; a lock that was made for another platform, or by hand, may lack some.

Source: PEP 508. Tested by ``tests/unit/build/software/python/test_complete.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from reconix.build.software.python.target import BadMarker, Target, fits
from reconix.build.software.python.wheel import Wheel
from reconix.config.problems import Place, Problem

Extras = Mapping[str, Iterable[str]]
"""Those that are wanted from outside, by distribution."""


Versions = Mapping[str, Version]
"""Of distributions, by name."""


def lacking(
    wheels: Iterable[Wheel],
    target: Target,
    extras: Extras,
    others: Versions = MappingProxyType({}),
) -> Iterator[Problem]:
    """What is missing, or for other Pythons.

    Args:
        wheels: those of an environment that are to be looked at.
        target: on which they are to run.
        extras: that nothing in the set asks for, and somebody else does.
        others: what the environment has besides.
    """
    known: dict[str, Wheel] = {}
    for wheel in wheels:
        first = known.setdefault(wheel.name, wheel)
        if first is not wheel:
            fact = f"{first.file_name} is a wheel of {wheel.name}, too"
            yield Problem(_place(wheel), "", fact, "keep one of the two")
        yield from _unfit(wheel, target)
    versions = {**others, **{name: wheel.version for name, wheel in known.items()}}
    for name, extra in sorted(_active(known, target, extras)):
        for need in _needs(known[name], extra, target):
            yield from _missing(known[name], need, versions)


def _unfit(wheel: Wheel, target: Target) -> Iterator[Problem]:
    if not fits(wheel.tags, target):
        fact = f"{wheel.file_name} is not for {target}"
        yield Problem(_place(wheel), "", fact, "make one for it, where that Python runs")
    if not wheel.requires_python.contains(target.full_version, prereleases=True):
        fact = f"{wheel.name} needs Python {wheel.requires_python}"
        yield Problem(_place(wheel), "", fact, f"the system has Python {target.full_version}")


def _active(known: Mapping[str, Wheel], target: Target, extras: Extras) -> set[tuple[str, str]]:
    """Each distribution with "" and with every extra that is wanted of it."""
    waiting = [(name, "") for name in known]
    waiting += [(name, extra) for name, wanted in extras.items() for extra in wanted]
    active: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if name in known and (name, extra) not in active:
            active.add((name, extra))
            for need in _needs(known[name], extra, target):
                other = canonicalize_name(need.name)
                waiting += [(other, canonicalize_name(wanted)) for wanted in need.extras]
    return active


def _needs(wheel: Wheel, extra: str, target: Target) -> list[Requirement]:
    """What holds with an extra, and does not without it; or without any.

    Raises:
        BadWheel: nobody can say what it needs.
    """
    try:
        return [
            need
            for need in wheel.requires
            if target.holds(need.marker, extra) and not (extra and target.holds(need.marker))
        ]
    except BadMarker as error:
        raise wheel.bad(error) from error


def _missing(wheel: Wheel, need: Requirement, versions: Versions) -> Iterator[Problem]:
    found = versions.get(canonicalize_name(need.name))
    if found is None:
        fact = f"{wheel.name} {wheel.version} needs {need}, which is not in the environment"
        yield Problem(
            _place(wheel),
            "",
            fact,
            "have it in the lock file, then: reconix lock; or name a wheel of it in wheels",
        )
    elif not need.specifier.contains(found, prereleases=True):
        fact = f"{wheel.name} {wheel.version} needs {need}, but there is {found}"
        yield Problem(
            _place(wheel),
            "",
            fact,
            "have one that fits in the lock file, then: reconix lock; or name it in wheels",
        )


def _place(wheel: Wheel) -> Place:
    """A wheel of the cache is told by its own name, not by the one that it has there."""
    is_cached = wheel.path.name != wheel.file_name
    return Place(Path(wheel.file_name) if is_cached else wheel.path)
