"""The names of ``modules/fragment.py`` before there was such a file; modules of users import them.

Tested by ``tests/unit/config/modules/test_evaluation.py``.
"""

from reconix.config.modules.fragment import Addition, KernelAddition, Mistake

__all__ = ["Addition", "KernelAddition", "Mistake"]
