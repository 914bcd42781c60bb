"""The wheels that a project has itself, as they lie in its folder now.

Tested by ``tests/unit/build/software/python/test_locking.py``.
"""

from reconix.build.software.python.wheel import Wheel
from reconix.config.schema.python_environments import PythonEnvironment


def own_wheels(wanted: PythonEnvironment) -> list[Wheel]:
    """Those that an environment names, each file once.

    Raises:
        BadWheel: one of them is none.
    """
    paths = {path for pattern in wanted.wheels for path in pattern.files()}
    return [Wheel.read(path) for path in sorted(paths)]
