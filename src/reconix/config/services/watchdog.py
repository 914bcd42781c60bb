"""The hardware watchdog: a device that hangs is reset.

The initrd starts it if there is one; systemd goes on from there. While systemd lives, it feeds
the hardware in time.

Source: systemd-system.conf(5).
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment, KernelFragment
from reconix.config.options import Option
from reconix.config.schema.system import File
from reconix.config.schema.values import ModuleName, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The hardware watchdog: a device that hangs is reset."""

    enable: Annotated[
        bool,
        Option(
            "Whether systemd feeds the watchdog.",
            "false",
            "when another program feeds the hardware",
        ),
    ] = True
    timeout: Annotated[
        Seconds,
        Option(
            "How long the device may hang before it is reset.",
            '"30s"',
            "when the hardware takes no more, or a hang must end sooner",
        ),
    ] = 60
    reboot_timeout: Annotated[
        Seconds,
        Option(
            "How long a reboot may take before the device is reset.",
            '"5min"',
            "when services need longer to stop",
        ),
    ] = 120
    modules: Annotated[
        tuple[ModuleName, ...],
        Option(
            "Drivers of the hardware, loaded before the disk is looked for.",
            '["i6300esb"]',
            "when the driver of the hardware is a module",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """A drop-in for systemd, in place of the one that every system has."""
    times = (options.timeout, options.reboot_timeout) if options.enable else (0, 0)
    text = (
        f"[Manager]\nRuntimeWatchdogSec={times[0]}\nRebootWatchdogSec={times[1]}\n"
        "DefaultTimeoutStopSec=15s\n"
    )
    if options.enable:
        parameters = (f"reconix.watchdog={options.timeout}",)
        kernel = KernelFragment(parameters=parameters, initrd_modules=options.modules)
    else:
        kernel = KernelFragment()
    return Fragment(
        kernel=kernel,
        files={"systemd/system.conf.d/reconix.conf": File(text=text)},
    )
