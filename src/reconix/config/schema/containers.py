"""``[containers.NAME]``: programs with a root of their own, from an image or Debian packages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from reconix.config.options import Option, Range
from reconix.config.schema.content import Content
from reconix.config.schema.values import (
    AbsolutePath,
    CommandWord,
    ContainerFolder,
    ContainerNetwork,
    ContainerPort,
    ContainerUser,
    DevicePath,
    ImageReference,
    Mode,
    Name,
    PackageName,
    Percent,
    Restart,
    Seconds,
    SizeBytes,
    StopSignal,
    UnitName,
    VariableName,
    VariableValue,
    VolumeName,
)

RUNTIME = "crun"
"""The package that starts containers."""
OF_NETWORK = "iproute2"
"""The package that gives containers a network of their own, also one that leads nowhere."""
OF_RULES = "nftables"
"""The package that leads from one network to another."""
INIT = "catatonit"
"""The package with the program that is process 1 in a container which wants one."""
WITH = "with:"
SHARED = "shared:"


def container_unit(name: str) -> str:
    """The unit that runs a container."""
    return f"container-{name}.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFile(Content):
    """A file in a container; it belongs to root there."""

    mode: Annotated[
        Mode,
        Option("File mode.", '"0755"', "when the file is executable, or access is restricted"),
    ] = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerHealth:
    """Whether the program in a container works, by a command that runs in it.

    What is not set here is as the image says, or else as Docker has it: each 30 seconds, of which
    the command may take 30, and three failures in a row.
    """

    enable: Annotated[
        bool,
        Option(
            "Whether there is a check at all.",
            "false",
            "when the check of the image is of no use here",
        ),
    ] = True
    command: Annotated[
        tuple[CommandWord, ...],
        Option(
            "Command that must exit with 0, word by word; by default that of the image, if it has "
            "one.",
            '["curl", "--fail", "http://127.0.0.1/"]',
            "to tell a program that works from one that merely runs",
        ),
    ] = ()
    interval: Annotated[
        Seconds | None,
        Option("Time between two runs.", '"10s"', "to notice earlier that it does not work"),
    ] = None
    timeout: Annotated[
        Seconds | None,
        Option("How long one run may take.", '"5s"', "when a slow answer is none"),
    ] = None
    start: Annotated[
        Seconds | None,
        Option(
            "Time after the start in which failures do not count.",
            '"1min"',
            "when the program needs long until it answers",
        ),
    ] = None
    retries: Annotated[
        Annotated[int, Range(1, 1000)] | None,
        Option(
            "How many runs must fail, one after another, until the container counts as unhealthy.",
            "1",
            "when one failure is too many, or some are normal",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A program with a root of its own, from an image or from Debian packages.

    It is part of the system: built with it, sent with it, tried and taken back with it.
    """

    image: Annotated[
        ImageReference | None,
        Option(
            "Where the image is: in a registry with its host, and a tag or a digest; or as a file "
            "or folder, relative to the project: `oci:FOLDER:NAME`, `oci-archive:FILE:NAME`, "
            "`docker-archive:FILE:NAME:TAG`. What a tag stands for is looked up by `reconix lock`.",
            '"registry.example.com/apps/broker:2"',
            "when the program comes as an image",
        ),
    ] = None
    packages: Annotated[
        tuple[PackageName, ...],
        Option(
            "Debian packages that its root is made of, besides the essential ones, in place of an "
            "image. It shares its files with the system.",
            '["python3-flask"]',
            "when Debian has the program, and it is to be kept apart from the others",
        ),
    ] = ()
    command: Annotated[
        tuple[CommandWord, ...],
        Option(
            "What runs in it, word by word; by default `Entrypoint` and `Cmd` of the image.",
            '["mosquitto", "-c", "/etc/mosquitto.conf"]',
            "when the image has no command, or another one is to run",
        ),
    ] = ()
    environment: Annotated[
        Mapping[VariableName, VariableValue],
        Option(
            "Environment variables, besides those of the image. They are no place for secrets: "
            "everybody on the device can read them.",
            '{ TZ = "UTC" }',
            "when the program takes settings from its environment",
        ),
    ] = field(default_factory=dict)
    ports: Annotated[
        tuple[ContainerPort, ...],
        Option(
            "Ports of the device that lead into it, as `PORT:INNER`, with an address of the device "
            "before it, or `/udp` behind it. The firewall lets them in.",
            '["1883:1883", "127.0.0.1:9001:9001"]',
            "when others are to reach the program; with `host`, it listens by itself",
        ),
    ] = ()
    volumes: Annotated[
        Mapping[VolumeName, ContainerFolder],
        Option(
            "Folders in it that outlive it, by names. Each lies on the data partition, a folder "
            "for this container in this system; if the name begins with `shared:`, one for all "
            "that name it, in all systems. At the first start it gets what the image has there.",
            '{ data = "/mosquitto/data", "shared:media" = "/srv/media" }',
            "for everything that must not be gone after a restart",
        ),
    ] = field(default_factory=dict)
    files: Annotated[
        Mapping[AbsolutePath, ContainerFile],
        Option(
            "Files to lay over the image, by their paths in it.",
            '{ "/etc/mosquitto.conf" = { source = "mosquitto.conf" } }',
            "for settings of the program, without an image of your own",
        ),
    ] = field(default_factory=dict)
    secrets: Annotated[
        tuple[Name, ...],
        Option(
            "Secrets that it may read, each as `/run/secrets/NAME`; they stand in `secrets` too.",
            '["broker-passwords"]',
            "when the program must know what no generation may contain",
        ),
    ] = ()
    devices: Annotated[
        tuple[DevicePath, ...],
        Option(
            "Devices that it may use, under the same paths.",
            '["/dev/ttyS1"]',
            "when the program talks to hardware",
        ),
    ] = ()
    network: Annotated[
        ContainerNetwork,
        Option(
            "Its network: `private`, an address of its own behind that of the device; `host`, all "
            "of the device; `none`; or that of another container, `with:NAME`.",
            '"host"',
            "when the program must see the network of the device, or must not see any",
        ),
    ] = "private"
    read_only: Annotated[
        bool,
        Option(
            "Whether nothing can be written but in volumes, `/tmp` and `/run`.",
            "true",
            "when the program writes nowhere else: less can be done to it",
        ),
    ] = False
    changes: Annotated[
        SizeBytes,
        Option(
            "How much it may write outside of volumes; it is kept in memory, and gone when the "
            "container ends.",
            '"256M"',
            "when the program needs more room, or memory is scarce",
        ),
    ] = 64 << 20
    memory: Annotated[
        SizeBytes | None,
        Option(
            "Most memory that its programs may use; who needs more is ended.",
            '"64M"',
            "to leave enough for others",
        ),
    ] = None
    cpu: Annotated[
        Percent | None,
        Option(
            "Most time of processors that its programs may use; 100% is one processor.",
            '"50%"',
            "to leave enough for others",
        ),
    ] = None
    tasks: Annotated[
        Annotated[int, Range(1, 1 << 22)] | None,
        Option(
            "How many processes and threads it may have.",
            "64",
            "to leave enough for others",
        ),
    ] = None
    restart: Annotated[
        Restart,
        Option(
            "When it is started again after it has ended: `no`, `on-failure` or `always`.",
            '"always"',
            "when the program may end without an error and has to go on",
        ),
    ] = Restart.ON_FAILURE
    health: ContainerHealth = field(default_factory=ContainerHealth)
    stop_signal: Annotated[
        StopSignal | None,
        Option(
            "Signal that asks its program to end; by default that of the image, or else `SIGTERM`.",
            '"SIGINT"',
            "when the program ends in good order on another signal only",
        ),
    ] = None
    init: Annotated[
        bool,
        Option(
            "Whether a small program is process 1 in it, which passes signals on and clears up "
            "what others leave. This adds `catatonit` to the packages of the system.",
            "true",
            "when the program ignores the signal to end, or leaves dead processes",
        ),
    ] = False
    user: Annotated[
        ContainerUser | None,
        Option(
            "User that its program runs as, by name or number, as the image knows them; by "
            "default that of the image, or else root of the container.",
            '"1000:1000"',
            "when the image runs its program as root, and it need not be",
        ),
    ] = None
    set_id: Annotated[
        bool,
        Option(
            "Whether programs in it get the rights of their owner or of file capabilities "
            "(set-user-ID), as `sudo` and `ping` have them.",
            "true",
            "when a program in it starts another one that needs more rights than it has itself",
        ),
    ] = False
    working_directory: Annotated[
        ContainerFolder | None,
        Option(
            "Folder that its program starts in; by default that of the image, or else `/`.",
            '"/srv/app"',
            "when the program looks for its files where it starts",
        ),
    ] = None
    after: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that it wants and waits for (`Wants=`, `After=`); that of another container is "
            "`container-NAME.service`.",
            '["container-database.service"]',
            "when the program fails if it starts before another one",
        ),
    ] = ()

    @property
    def joins(self) -> str | None:
        """The container whose network it is in, if it is in that of another one."""
        return self.network.removeprefix(WITH) if self.network.startswith(WITH) else None

    @property
    def needs_network(self) -> bool:
        """Whether it has a network of its own, which somebody must make."""
        return self.network in ("private", "none")
