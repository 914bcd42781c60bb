"""How a command ends that has changed what boots: it says so, and restarts.

Tested by ``tests/unit/device/test_main.py``.
"""

from collections.abc import Callable

from reconix.device.hardware.restart import ask_to_restart

Tell = Callable[[str], None]
"""Says what was done, as soon as it is."""


def restart(tell: Tell) -> None:
    """Restart in order.

    Raises:
        RestartInhibited: a program holds an inhibitor; the next restart does what this one should.
    """
    tell("restarting")
    ask_to_restart()
