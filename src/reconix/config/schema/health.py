"""Health checks: what a generation must show before it is kept."""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.options import Option, Range
from reconix.config.schema.values import (
    AbsolutePath,
    Name,
    PagePath,
    Port,
    Seconds,
    SizeBytes,
    UnitName,
)

CheckTimeout = Annotated[
    Seconds,
    Option(
        "How long one attempt may take; it is repeated until all checks pass.",
        '"30s"',
        "for a command that needs longer",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCheck:
    """A unit must be active."""

    unit: Annotated[
        UnitName,
        Option(
            "Unit that must be active.",
            '"nginx.service"',
            "for a service that reports when it is ready",
        ),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedUnitsCheck:
    """Units must not have failed."""

    failed_units: Annotated[
        Annotated[int, Range(0, 1000)],
        Option(
            "How many units may have failed.",
            "0",
            "when every unit of a system has to work",
        ),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCheck:
    """A port must answer."""

    tcp: Annotated[
        Port,
        Option(
            "Port of the device that must accept a connection.",
            "80",
            "for a service that is only useful if it can be reached",
        ),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A web server must answer."""

    http: Annotated[
        Port,
        Option(
            "Port of the device on which a web server must answer.",
            "80",
            "for a service that reports its own health",
        ),
    ]
    path: Annotated[
        PagePath,
        Option("Page to request.", '"/health"', "when there is a page made for this"),
    ] = "/"
    status: Annotated[
        Annotated[int, Range(100, 599)],
        Option("Expected status.", "204", "when a good answer has another status"),
    ] = 200
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCheck:
    """A command must succeed."""

    command: Annotated[
        tuple[str, ...],
        Option(
            "Command that must exit with 0, word by word.",
            '["/usr/bin/test", "-e", "/x"]',
            "for whatever else must hold, such as an answer that is right",
        ),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """A file must have been written not long ago."""

    file: Annotated[
        AbsolutePath,
        Option(
            "File that must have been written recently.",
            '"/run/pump/alive"',
            "for a program that touches a file to show that it is alive",
        ),
    ]
    max_age: Annotated[
        Seconds,
        Option("Maximum age.", '"1min"', "together with `file`"),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeCheck:
    """A file system must have room."""

    free: Annotated[
        AbsolutePath,
        Option(
            "Folder that must have free space.",
            '"/var/lib/pump"',
            "when a system may fill what persists before it is useful",
        ),
    ]
    at_least: Annotated[SizeBytes, Option("Minimum free space.", '"10M"', "together with `free`")]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCheck:
    """A container must work."""

    container: Annotated[
        Name,
        Option(
            "Container that must run, and pass its own health check if it has one.",
            '"broker"',
            "to give a container more time than others, or to check it although it is never "
            "started again",
        ),
    ]
    timeout: CheckTimeout = 10


Check = (
    UnitCheck
    | FailedUnitsCheck
    | TcpCheck
    | HttpCheck
    | CommandCheck
    | FileCheck
    | FreeCheck
    | ContainerCheck
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a new generation must pass before it is kept."""

    timeout: Annotated[
        Seconds,
        Option(
            "Time after boot by which all checks must have passed; then they count as failed.",
            '"2min"',
            "when services need longer on slow hardware",
        ),
    ] = 90
    checks: Annotated[
        tuple[Check, ...],
        Option(
            "What must hold: a `unit` is active; no more than `failed_units` have failed; a `tcp` "
            "port "
            "accepts connections; a web server answers (`http`, and if need be `path` and "
            "`status`); a `command` succeeds; a `file` is not older than `max_age`; the file "
            "system of a folder has room (`free`, `at_least`); a `container` works. Each may have "
            "a `timeout`, for one attempt. Those of the machine and those of the system add up.",
            '[{ unit = "nginx.service" }, { http = 80, status = 204, timeout = "3s" }]',
            "to say what a good generation is: without checks, one that boots is kept",
        ),
    ] = ()
    containers: Annotated[
        bool,
        Option(
            "Whether each container of the system must work, as if `checks` had it: it runs, and "
            'passes its own health check if it has one. One with `restart = "no"` may end, and '
            "counts only if `checks` names it.",
            "false",
            "when a system is good although a container of it is not",
        ),
    ] = True
    stable: Annotated[
        Seconds,
        Option(
            "How long all checks must keep passing, without a restart of a checked unit.",
            '"30s"',
            "for services that start well and fail a little later",
        ),
    ] = 3
    retries: Annotated[
        Annotated[int, Range(0, 100)],
        Option(
            "How often the stable time may start over because a check failed during it.",
            "0",
            "when a service must not fail even once",
        ),
    ] = 3
