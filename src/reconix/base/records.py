"""``dataclass``, ``field`` and ``replace`` for what runs on a device.

They are those of the standard library, to readers and to mypy. At run time they are made by
``record_making.py``: the ones of the library have a compiler write six methods of each class when
it is imported, and import ``inspect``, ``ast`` and ``tokenize`` to do so. That was 60 % of each
start of the agent, which is seconds on a slow device, several times in each boot (decision 131).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    from reconix.base.record_making import dataclass, field, replace

__all__ = ["dataclass", "field", "replace"]
