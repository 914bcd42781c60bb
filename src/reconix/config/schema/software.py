"""What a team brings itself, beside Debian's packages."""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.options import Option
from reconix.config.schema.values import UnitName


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that units read and that no generation contains; it is never written here.

    It comes from `secrets/NAME` of the project, or from standard input, to each device:
    `reconix secrets push`. A unit finds it as `$CREDENTIALS_DIRECTORY/NAME`.
    """

    units: Annotated[
        tuple[UnitName, ...],
        Option(
            "Services that may read it, each as `/run/credentials/UNIT/NAME`.",
            '["air.service"]',
            "to give the value to a program; no other program of an ordinary user sees it",
        ),
    ] = ()
    required: Annotated[
        bool,
        Option(
            "Whether a unit needs it to start, and a trial fails without it. If not, a unit starts "
            "without the file on a device that has no value.",
            "false",
            "when a program does without, for example until the device was registered",
        ),
    ] = True
