"""The serial console: kernel messages, and a log-in for whoever holds the cable.

There are no passwords, so a log-in at the console is one without any, or there is none. Whoever
holds the cable holds the device as well; but the cable of a machine may end in another room.

Source: kernel documentation, *Linux Serial Console*; agetty(8).
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment, KernelFragment, OptionError
from reconix.config.options import Form, Option, Range
from reconix.config.schema.system import File, Services
from reconix.config.schema.values import UserName

Line = Annotated[str, Form("a serial line such as ttyS0", r"tty[A-Za-z]{1,8}\d{1,3}")]
Speed = Annotated[int, Range(300, 4_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The serial console of a system."""

    serial: Annotated[
        Line | None,
        Option(
            "Serial line for messages of the kernel and systemd.",
            '"ttyS0"',
            "to see why a device does not boot",
        ),
    ] = None
    speed: Annotated[
        Speed, Option("Bits per second.", "9600", "when the hardware supports no other")
    ] = 115200
    login: Annotated[
        UserName | None,
        Option(
            "User who is logged in there automatically; by default, there is no log-in.",
            '"root"',
            "when anyone with the cable may do everything, as on a workbench",
        ),
    ] = None


def configure(options: Options) -> Fragment:
    """A word for the kernel, and the log-in."""
    if options.serial is None:
        raise OptionError("serial", "is missing: a console needs a line", "for example ttyS0")
    unit = f"serial-getty@{options.serial}.service"
    agetty = (
        f"-/sbin/agetty --autologin {options.login} --keep-baud 115200,57600,38400,9600 - $TERM"
    )
    drop_in = f"[Service]\nExecStart=\nExecStart={agetty}\n"
    login = {f"systemd/system/{unit}.d/reconix.conf": File(text=drop_in)} if options.login else {}
    return Fragment(
        packages=("login",) if options.login else (),
        kernel=KernelFragment(parameters=(f"console={options.serial},{options.speed}",)),
        # systemd starts a log-in at each console of the kernel unless it is masked.
        services=Services() if options.login else Services(mask=(unit,)),
        files=login,
    )
