"""The wheels that a project has itself, as they lie in its folder now.

Tested by ``tests/unit/build/software/python/test_locking.py``.
"""

from collections.abc import Iterable

from packaging.utils import canonicalize_name

from reconix.build.software.python.wheel import Wheel
from reconix.config.schema.python_environments import PythonEnvironment


def own_wheels(wanted: PythonEnvironment) -> list[Wheel]:
    """Those that an environment names, each file once.

    Raises:
        BadWheel: one of them is none.
    """
    paths = {path for pattern in wanted.wheels for path in pattern.files()}
    return [Wheel.read(path) for path in sorted(paths)]


def own_extras(own: Iterable[Wheel], extras: Iterable[str]) -> dict[str, frozenset[str]]:
    """The extras of an environment are those of the project's wheels."""
    wanted = frozenset(map(canonicalize_name, extras))
    return {wheel.name: wanted for wheel in own}
