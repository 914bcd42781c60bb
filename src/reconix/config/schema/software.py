"""What a team brings itself, beside Debian's packages."""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.options import Option
from reconix.config.schema.values import (
    FolderPath,
    InnerPath,
    PathPattern,
    UnitName,
    UserName,
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder of the project, or of a build, at a place of its own on the device.

    It is read-only there. A changed tree makes no new root, and an update brings what changed in
    it. Of the modes of its files one bit counts: whether a file is a program. Below `/usr` a tree
    is laid over what packages have there; elsewhere it is all that is at its place.
    """

    source: Annotated[
        FolderPath,
        Option(
            "The folder, relative to the file that names it.",
            '"../../build/air"',
            "to say which folder comes onto the device",
        ),
    ]
    exclude: Annotated[
        tuple[PathPattern, ...],
        Option(
            "Patterns of what is left out, as in a `.gitignore` at the top of the folder: `*.pyc` "
            "anywhere, `/notes` only at the top, `build/` only folders, `!keep.pyc` takes back.",
            '["*.pyc", ".git"]',
            "when the folder also has what the device does not need",
        ),
    ] = ()
    owner: Annotated[
        UserName,
        Option(
            "User who owns everything in it.",
            '"air"',
            "when a program insists that its files are its own; to read them, nobody has to",
        ),
    ] = "root"
    group: Annotated[
        UserName,
        Option(
            "Group that owns everything in it.",
            '"air"',
            "when a program insists on the group of its files",
        ),
    ] = "root"
    set_id: Annotated[
        tuple[InnerPath, ...],
        Option(
            "Programs in it that run as the owner, whoever starts them (the set-user-ID bit). That "
            "bit of the source does not count: what is not named here does not have it.",
            '["bin/helper"]',
            "when a program must have rights that who starts it lacks",
        ),
    ] = ()
    unchecked: Annotated[
        tuple[PathPattern, ...],
        Option(
            "Patterns, as in `exclude`, of programs and libraries that are not checked. All others "
            "must be for the processor of the host, and find their interpreter, their libraries "
            "and the versions that they need of these, or nothing is built.",
            '["/firmware/*.elf"]',
            "for programs of other processors, and plug-ins whose libraries something else loads",
        ),
    ] = ()
