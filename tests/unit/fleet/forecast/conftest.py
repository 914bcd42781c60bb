"""A device on plain files, as the tests of the agent have it."""

from tests.unit.device.conftest import machine, new_machine, store, units

__all__ = ["machine", "new_machine", "store", "units"]
