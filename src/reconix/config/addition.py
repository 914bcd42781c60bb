"""What ``modules/fragment.py`` was called before: modules that were written then go on to work.

Tested by ``tests/unit/config/modules/test_evaluation.py``.
"""

from dataclasses import dataclass

from reconix.config.modules.fragment import Fragment, KernelFragment, OptionError

__all__ = ["Addition", "KernelAddition", "Mistake"]

KernelAddition = KernelFragment
Mistake = OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition(Fragment):
    """A fragment that may be given ``others`` for ``set_modules``."""

    others: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        """Put them where they are looked for."""
        object.__setattr__(self, "set_modules", (*self.set_modules, *self.others))
        object.__setattr__(self, "others", ())
