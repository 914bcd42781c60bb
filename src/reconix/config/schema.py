"""Every option there is: its type, its default, what it means, and an example.

A team writes down what its device is and what it can become. This module is the language in which
it does so. A table of TOML is a frozen dataclass here, an option is one of its fields, and nothing
about an option is said anywhere else: loading and merging, the messages about mistakes,
``docs/options.md`` and the JSON Schema for editors are all read off these types.

    reconix.toml                       Project
    hosts/<host>/machine.toml          Machine and System: what all systems of the host share
    hosts/<host>/systems/<name>.toml   System: what this one adds; or NixSystem

The types are also the result. ``load.load`` gives a ``Configuration`` whose hosts have one
``Machine`` and, for each system, one ``System``: machine and system file merged (``merge.py``).

Proven by ``tests/unit/config/test_schema.py``: every example is accepted, and ``docs/options.md``
is what this module says.
"""

import enum
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from reconix.base.files import read_bounded
from reconix.config.options import Form, Option, Range

_MAX_SOURCE_BYTES = 16 << 20


class Architecture(enum.Enum):
    """An architecture, as Debian calls it."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class Firmware(enum.Enum):
    """What starts the boot loader."""

    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of the device that can be reached from the machine that runs it in QEMU."""

    name: str
    port: int
    """On the device."""
    host_port: int | None = None
    """On the machine that runs QEMU; a free one is chosen if it is not given."""

    @classmethod
    def parse(cls, text: str) -> "Forward":
        """Read ``name:port`` or ``name:port:host-port``."""
        name, *ports = text.split(":")
        numbers = [int(port) for port in ports]
        if not all(1 <= number <= 65535 for number in numbers):
            raise ValueError("ports from 1 to 65535")
        return cls(name, *numbers)

    def __str__(self) -> str:
        return f"{self.name}:{self.port}" + (f":{self.host_port}" if self.host_port else "")


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """A system and the hours in which it runs, on some days of the week.

    What ends before it begins ends on the next day.
    """

    system: str
    begin_minute: int
    """Of the day."""
    end_minute: int
    days: tuple[int, ...] = tuple(range(len(DAYS)))
    """On which it begins, from Monday, 0."""

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Read ``mqtt 06:00-22:00`` or ``mqtt Mon..Fri 06:00-22:00``."""
        system, *days, hours = text.split(" ")
        begin, end = (_minute(time) for time in hours.split("-"))
        if begin == end:
            raise ValueError("hours that do not end when they begin")
        return cls(system, begin, end, _days(days[0])) if days else cls(system, begin, end)

    def __str__(self) -> str:
        hours = f"{_clock(self.begin_minute)}-{_clock(self.end_minute)}"
        names = ",".join(DAYS[day] for day in self.days)
        return " ".join([self.system, *([names] if len(self.days) < len(DAYS) else []), hours])

    def spans(self) -> tuple[tuple[int, int], ...]:
        """Begin and end, in minutes of a week that begins on Monday; an end may lie behind it."""
        length = (self.end_minute - self.begin_minute) % MINUTES_OF_DAY
        begins = (day * MINUTES_OF_DAY + self.begin_minute for day in self.days)
        return tuple((begin, begin + length) for begin in begins)


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _days(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("..")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % len(DAYS) for day in range(begin, begin + (end - begin) % len(DAYS) + 1)}
    return tuple(sorted(found))


_UNITS_OF_SIZE = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_UNITS_OF_TIME = {"": 1, "s": 1, "min": 60, "h": 3600}


def parse_size(text: str) -> int:
    """Bytes from ``64M``: a number and K, M, G or T, each 1024 times the one before."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()  # type: ignore[union-attr] # Form
    return int(number) * _UNITS_OF_SIZE[unit]


def parse_duration(text: str) -> int:
    """Seconds from ``90s``, ``5min`` or ``2h``."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()  # type: ignore[union-attr] # Form
    return int(number) * _UNITS_OF_TIME[unit]


def print_size(size: object) -> str:
    """The shortest text for a number of bytes: the inverse of ``parse_size``."""
    return _print_quantity(int(str(size)), _UNITS_OF_SIZE)


def print_duration(duration: object) -> str:
    """The shortest text for a number of seconds: the inverse of ``parse_duration``."""
    return _print_quantity(int(str(duration)), {**_UNITS_OF_TIME, "": 0, "s": 1})


def _print_quantity(number: int, units: Mapping[str, int]) -> str:
    fitting = [(factor, unit) for unit, factor in units.items() if factor and number % factor == 0]
    factor, unit = max(fitting) if number else min(fitting)
    return f"{number // factor}{unit}"


def print_mode(mode: object) -> str:
    """A file mode in octal digits."""
    return f"{int(str(mode)):04o}"


def _interface(text: str) -> str:
    return str(ipaddress.ip_interface(text))


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


Name = Annotated[
    str, Form("a name of lower-case letters, digits and -", r"[a-z0-9][a-z0-9-]{0,62}")
]
HostName = Annotated[
    str, Form("a host name such as gateway", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
]
PackageName = Annotated[
    str, Form("the name of a Debian package such as nginx", r"[a-z0-9][a-z0-9.+-]+")
]
Serial = Annotated[
    str, Form("the serial number of a device such as GW-0001", r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
]
UserName = Annotated[str, Form("a user name such as operator", r"[a-z_][a-z0-9_-]{0,30}")]
UnitName = Annotated[
    str,
    Form(
        "the name of a systemd unit such as nginx.service",
        r"[A-Za-z0-9:_.@\\-]{1,200}\."
        r"(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)",
    ),
]
EtcPath = Annotated[
    str,
    Form(
        "a path below /etc without a leading /, such as nginx/nginx.conf",
        r"(?!.*(^|/)\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
AbsolutePath = Annotated[
    str,
    Form(
        "an absolute path such as /var/lib/mosquitto",
        r"/(?!.*(^|/)\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
ModuleName = Annotated[
    str, Form("the name of a kernel module such as virtio_blk", r"[A-Za-z0-9_-]{1,64}")
]
KernelParameter = Annotated[
    str,
    Form("one word of a kernel command line such as console=ttyS0", r"[!-~]{1,256}"),
]
SysctlName = Annotated[
    str, Form('the name of a kernel setting in quotes such as "vm.swappiness"', r"[a-z0-9_./-]+")
]
SysctlValue = Annotated[str, Form("a text or a number", r"[^\n]{0,1024}", takes_number=True)]
PublicKey = Annotated[
    str,
    Form(
        "a public key as it stands in a .pub file",
        r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?",
    ),
]
SigningKey = Annotated[
    str,
    Form(
        "a public key that `reconix keys generate` made, <name>:<base 64>",
        r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}:[A-Za-z0-9+/]{43}=",
    ),
]
Interface = Annotated[
    str, Form("the name of a network interface, * allowed, such as en*", r"[A-Za-z0-9_.*?-]{1,64}")
]
Address = Annotated[
    str,
    Form(
        "an address with its prefix length such as 192.0.2.10/24",
        r"[0-9a-fA-F:.]+/\d{1,3}",
        _interface,
    ),
]
Gateway = Annotated[str, Form("an address such as 192.0.2.1", r"[0-9a-fA-F:.]+", _address)]
Mode = Annotated[
    int,
    Form('a file mode such as "0644"', r"0?[0-7]{3,4}", lambda text: int(text, 8), print_mode),
]
Url = Annotated[
    str, Form("an address that begins with http:// or https://", r"https?://[^\s]{1,500}")
]
SuiteName = Annotated[str, Form("the name of a Debian suite such as trixie", r"[a-z0-9][a-z0-9-]+")]
NixPath = Annotated[
    str,
    Form(
        "a store path such as /nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gateway",
        r"/nix/store/[0-9a-df-np-sv-z]{32}-(?!\.)[0-9A-Za-z+._?=-]{1,211}",
    ),
]
FlakeReference = Annotated[
    str, Form("a reference to a flake such as ./nixos", r"[A-Za-z0-9./][^\s#\x00-\x1f]{0,1023}")
]
Attribute = Annotated[
    str,
    Form("an attribute such as packages.x86_64-linux.default", r'[A-Za-z0-9_][\w."\'-]{0,1023}'),
]
SpecialisationName = Annotated[
    str, Form("the name of a specialisation", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
]
Image = Annotated[
    str, Form("the name of an image such as example/app@sha256:…", r"[A-Za-z0-9][!-~]{0,1023}")
]
Port = Annotated[int, Range(1, 65535)]
PagePath = Annotated[str, Form("the path of a page such as /health", r"/[!-~]{0,1023}")]
PortName = Annotated[
    str,
    Form(
        'the number of a port in quotes such as "80"',
        r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]",
    ),
]
SizeBytes = Annotated[
    int,
    Form('a size such as "64M" or "4G"', r"\d{1,15}[KMGT]?", parse_size, print_size, True),
]
Seconds = Annotated[
    int,
    Form(
        'a time such as "90s" or "5min"', r"\d{1,9}(s|min|h)?", parse_duration, print_duration, True
    ),
]
TimeOfDay = Annotated[
    str,
    Form(
        "a part of the day such as 02:00-04:00",
        r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d",
    ),
]
ForwardedPort = Annotated[
    Forward,
    Form(
        'a name and a port of the device such as "mqtt:1883", or with the port here "web:80:8080"',
        r"[a-z0-9-]{1,32}:\d{1,5}(:\d{1,5})?",
        Forward.parse,
    ),
]
_DAY = f"({'|'.join(DAYS)})"
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
ScheduledHours = Annotated[
    Hours,
    Form(
        'a system and its hours such as "mqtt 06:00-22:00" or "mqtt Mon..Fri,Sun 06:00-22:00"',
        rf"[a-z0-9][a-z0-9-]{{0,62}} ({_DAY}(\.\.{_DAY})?(,{_DAY}(\.\.{_DAY})?)* )?{_TIME}-{_TIME}",
        Hours.parse,
    ),
]


# --- reconix.toml ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where Debian packages come from."""

    suites: Annotated[
        tuple[SuiteName, ...],
        Option(
            "Suites that `reconix lock` takes packages from; one that ends in `-security` is "
            "looked for in the security archive.",
            '["trixie", "trixie-security"]',
            "to build from another release, or to leave out point releases between two of yours",
        ),
    ] = ("trixie", "trixie-updates", "trixie-security")
    components: Annotated[
        tuple[Name, ...],
        Option(
            "Components of these suites.",
            '["main", "non-free-firmware"]',
            "when the hardware needs firmware that is not free",
        ),
    ] = ("main",)
    main: Annotated[
        Url | None,
        Option(
            "Address of the Debian archive; without it, the one that apt uses here.",
            '"http://mirror.example/debian"',
            "when everybody who locks shall ask the same mirror, or one of your own",
        ),
    ] = None
    security: Annotated[
        Url | None,
        Option(
            "Address of the security archive; without it, the one that apt uses here.",
            '"http://mirror.example/debian-security"',
            "when everybody who locks shall ask the same mirror, or one of your own",
        ),
    ] = None
    snapshot: Annotated[
        Url | None,
        Option(
            "Address of a dated archive that keeps old versions, with `{archive}` (`debian` or "
            "`debian-security`) and `{date}` (`20260912T075541Z`) in it; asked for a locked file "
            "that the archive no longer has.",
            '"http://snapshot.example/archive/{archive}/{date}"',
            "when a lock must still be built after the archive has moved on",
        ),
    ] = None
    keyring: Annotated[
        AbsolutePath,
        Option(
            "Keys that sign the archive, on the build machine.",
            '"/usr/share/keyrings/debian-archive-keyring.gpg"',
            "when your packages come from an archive that you sign",
        ),
    ] = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How large what is built may become, uncompressed; a build that needs more fails."""

    system: Annotated[
        SizeBytes | None,
        Option(
            "The most that a system may take with all that it refers to, if it has no `budget` of "
            "its own.",
            '"300M"',
            "to notice at once that a system has grown",
        ),
    ] = None
    generation: Annotated[
        SizeBytes | None,
        Option(
            "The most that all systems of a host may take together; what they share counts once.",
            '"400M"',
            "to know that two generations fit on the smallest device",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """Whose updates devices take, and where they look for them."""

    keys: Annotated[
        tuple[SigningKey, ...],
        Option(
            "Public keys whose owners may sign updates.",
            '["release:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]',
            "for keys whose secret half is kept elsewhere",
        ),
    ] = ()
    keys_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with such keys, one a line; the secret key is looked for beside each, under the "
            "same name without `.pub`.",
            '["keys/update.pub"]',
            "to sign with keys that lie in the project's folder, outside of version control",
        ),
    ] = ()
    threshold: Annotated[
        Annotated[int, Range(1, 16)],
        Option(
            "How many of the keys must have signed an update.",
            "2",
            "when one stolen key shall not be enough",
        ),
    ] = 1
    revoked: Annotated[
        tuple[SigningKey, ...],
        Option(
            "Keys that were taken back; no later set may have them again.",
            '["old:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]',
            "when a secret key was lost or stolen",
        ),
    ] = ()
    key_set: Annotated[
        Annotated[int, Range(1, 1 << 31)],
        Option(
            "Number of this set of keys; devices follow them one by one.",
            "2",
            "to the next number, with each change of the keys, the threshold or what is revoked",
        ),
    ] = 1
    require_signature: Annotated[
        bool,
        Option(
            "Whether devices refuse updates that are not signed.",
            "false",
            "to false for devices that nobody but you can send anything to",
        ),
    ] = True
    url: Annotated[
        Url | None,
        Option(
            "Where devices look for updates when `reconix-device update` names no other place.",
            '"http://updates.example/gateway"',
            "to the address at which what `reconix publish` wrote is served",
        ),
    ] = None
    download_limit: Annotated[
        SizeBytes,
        Option(
            "The most that a device downloads for one update, unless it is told to at that moment.",
            '"64M"',
            "when the link is metered: no device then loads a whole system by mistake",
        ),
    ] = 256 << 20

    def texts(self) -> tuple[str, ...]:
        """All keys that may sign, those from files included."""
        lines = [
            line.strip()
            for path in self.keys_files
            for line in read_bounded(path, _MAX_SOURCE_BYTES).decode().splitlines()
        ]
        written = [line for line in lines if line and not line.startswith("#")]
        return tuple(dict.fromkeys([*self.keys, *written]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: what all its hosts share. Written in `reconix.toml`."""

    name: Annotated[
        Name,
        Option(
            "What the project is called.",
            '"gateway"',
            "to tell the generations of several projects in one store apart",
        ),
    ]
    architecture: Annotated[
        Architecture,
        Option(
            "Architecture of hosts that do not name their own.",
            '"arm64"',
            "when most of the hosts have another processor",
        ),
    ] = Architecture.AMD64
    archive: Archive = field(default_factory=Archive)
    budgets: Budgets = field(default_factory=Budgets)
    update: Updates = field(default_factory=Updates)


# --- every file below hosts/ ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a file takes in from others. Written at the top of any file below `hosts/`."""

    imports: Annotated[
        tuple[Path, ...],
        Option(
            "Files to merge into this one, seen from it; their list items come first.",
            '["../../shared/operator.toml"]',
            "to say once what several hosts or systems share",
        ),
    ] = ()


# --- machine.toml only ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How the device starts."""

    firmware: Annotated[
        Firmware,
        Option("What starts the boot loader.", '"uefi"', "when the board starts in another way"),
    ] = Firmware.UEFI
    slots: Annotated[
        Annotated[int, Range(2, 8)],
        Option(
            "Number of boot partitions; one is in use and one takes the next generation, more "
            "keep older generations bootable.",
            "3",
            "to keep older generations bootable, at the price of a slot each",
        ),
    ] = 2
    slot_size: Annotated[
        SizeBytes,
        Option(
            "Size of each boot partition; kernels and initrds must fit.",
            '"128M"',
            "when kernels and initrds of all systems need more, or the disk is small",
        ),
    ] = 64 << 20
    default: Annotated[
        Name,
        Option(
            "The protected system: started unless another one is chosen, and when one fails.",
            '"maintenance"',
            "when the protected system has a better name",
        ),
    ] = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """How large the parts of the disk are."""

    system_size: Annotated[
        SizeBytes,
        Option(
            "Size of the partition for the store; two generations must fit.",
            '"4G"',
            "when two generations need more; sizes cannot grow on devices in the field",
        ),
    ] = 1 << 30
    data_size: Annotated[
        SizeBytes,
        Option(
            "Size of the partition for what persists.",
            '"1G"',
            "when the device keeps more than settings, such as recordings",
        ),
    ] = 256 << 20
    size: Annotated[
        SizeBytes | None,
        Option(
            "Size of the whole disk; without it, what the partitions need.",
            '"8G"',
            "when the image must fit a certain disk exactly",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How `reconix run` starts the device in QEMU."""

    memory: Annotated[
        SizeBytes,
        Option(
            "Memory of the virtual machine.",
            '"512M"',
            "to try whether the device's own memory is enough",
        ),
    ] = 512 << 20
    cores: Annotated[
        Annotated[int, Range(1, 64)],
        Option(
            "Processors of the virtual machine.",
            "4",
            "to try what the device does with as many as it has",
        ),
    ] = 2
    forward: Annotated[
        tuple[ForwardedPort, ...],
        Option(
            "Ports of the device to reach from here, on 127.0.0.1: a name and the port on the "
            "device, and a port here if it must be a certain one. `ssh` is the one that "
            "`reconix run` logs in through.",
            '["ssh:22", "mqtt:1883", "http:80:8080"]',
            "to reach the services of the device from here",
        ),
    ] = (Forward("ssh", 22),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which system runs when, by the clock of the device and in its time zone."""

    hours: Annotated[
        tuple[ScheduledHours, ...],
        Option(
            "Systems and the hours in which they run; hours of two systems must not overlap.",
            '["mqtt 06:00-22:00"]',
            "when the device has different jobs at different times",
        ),
    ] = ()
    otherwise: Annotated[
        Name | None,
        Option(
            "System that runs at all other times; without it, the default system.",
            '"web"',
            "when the default system is kept for maintenance",
        ),
    ] = None
    confirm_within: Annotated[
        Seconds | None,
        Option(
            "How long a system other than the default one runs without `reconix-device confirm`; "
            "then the default system takes over, and the schedule rests until its next change.",
            '"30min"',
            "when somebody or something must keep saying that the system does its job",
        ),
    ] = None

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self.hours) or self.otherwise is not None or self.confirm_within is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What one device of the host has of its own; the generation is the same for all."""

    hostname: Annotated[
        HostName | None,
        Option(
            "Name of this device on the network; without it, that of the host.",
            '"gateway-0001"',
            "when devices of one kind must be told apart",
        ),
    ] = None
    address: Annotated[
        Mapping[Interface, Address],
        Option(
            "Fixed addresses in place of those of a network, by the name of its table.",
            '{ lan = "192.0.2.11/24" }',
            "when addresses are assigned by hand",
        ),
    ] = field(default_factory=dict)
    authorized_keys: Annotated[
        tuple[PublicKey, ...],
        Option(
            "Public keys that may log in to this device, as each user who has keys, besides those.",
            '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 site@home"]',
            "when somebody looks after this device and no other",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device: what exists once, whichever system runs. Written in `machine.toml`."""

    hostname: Annotated[
        HostName | None,
        Option(
            "Name of the device on the network; without it, the name of the host's folder.",
            '"gateway"',
            "when the folder is called by something else than the name on the network",
        ),
    ] = None
    architecture: Annotated[
        Architecture | None,
        Option(
            "Architecture of the processor; without it, that of the project.",
            '"arm64"',
            "when this host has another processor than most",
        ),
    ] = None
    boot: Boot = field(default_factory=Boot)
    disk: Disk = field(default_factory=Disk)
    run: Run = field(default_factory=Run)
    schedule: Schedule = field(default_factory=Schedule)
    devices: Annotated[
        Mapping[Serial, Device],
        Option(
            "Devices of this host, by serial number, and what each has of its own. It is written "
            "by `reconix image --device`, signed; the generation does not contain it.",
            '{ GW-0001 = { hostname = "gateway-0001" } }',
            "when several devices share one host, and so one generation and one stream",
        ),
    ] = field(default_factory=dict)


# --- machine.toml and systems/<name>.toml ---------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The kernel, its modules and its command line."""

    package: Annotated[
        PackageName,
        Option(
            "Debian package of the kernel, or one that depends on it.",
            '"linux-image-amd64"',
            "to choose between a small kernel for virtual machines and one for all hardware",
        ),
    ]
    parameters: Annotated[
        tuple[KernelParameter, ...],
        Option(
            "Words to add to the kernel's command line.",
            '["console=ttyS0", "quiet"]',
            "when hardware or kernel must be told something before anything runs",
        ),
    ] = ()
    initrd_modules: Annotated[
        tuple[ModuleName, ...],
        Option(
            "Modules that are needed to reach the disk; what they depend on comes along.",
            '["virtio_pci", "virtio_blk"]',
            "when the disk is behind another controller or bus",
        ),
    ] = ()
    modules: Annotated[
        tuple[ModuleName, ...],
        Option(
            "Modules to load when the system has started.",
            '["i6300esb"]',
            "when hardware is not found by itself, as on buses that cannot be asked",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in, by key only: there is no option for a password."""

    uid: Annotated[
        Annotated[int, Range(0, 65533)] | None,
        Option(
            "Number of the user; without it, one is assigned from 1000 on.",
            "1000",
            "when files on the data partition belong to a certain number",
        ),
    ] = None
    groups: Annotated[
        tuple[UserName, ...],
        Option(
            "Further groups of the user.", '["adm"]', "when the user must read logs or use devices"
        ),
    ] = ()
    shell: Annotated[
        AbsolutePath,
        Option(
            "Program that a log-in starts.",
            '"/bin/sh"',
            "when there is no bash, or the user shall get one program only",
        ),
    ] = "/bin/bash"
    authorized_keys: Annotated[
        tuple[PublicKey, ...],
        Option(
            "Public keys that may log in.",
            '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@home"]',
            "for a key that is part of the configuration",
        ),
    ] = ()
    authorized_keys_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with public keys that may log in, seen from the file that names them.",
            '["../../keys/operator.pub"]',
            "for keys that stand in files, such as one for each person",
        ),
    ] = ()

    def keys(self) -> tuple[str, ...]:
        """All keys that may log in, those from files included."""
        lines = [
            line.strip()
            for path in self.authorized_keys_files
            for line in read_bounded(path, _MAX_SOURCE_BYTES).decode().splitlines()
        ]
        written = [line for line in lines if line and not line.startswith("#")]
        return tuple(dict.fromkeys([*self.authorized_keys, *written]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a network interface gets its address, done by systemd-networkd."""

    match: Annotated[
        Interface | None,
        Option(
            "Which interfaces are meant; without it, the one called as the table is.",
            '"en*"',
            "when the name differs from board to board, or one table is for several",
        ),
    ] = None
    dhcp: Annotated[
        bool, Option("Whether to ask for an address.", "true", "when the network gives addresses")
    ] = False
    address: Annotated[
        tuple[Address, ...],
        Option(
            "Fixed addresses.",
            '["192.0.2.10/24"]',
            "when nobody gives the device an address, or it must always be the same",
        ),
    ] = ()
    gateway: Annotated[
        Gateway | None,
        Option(
            "Where everything else is reached.",
            '"192.0.2.1"',
            "when the address is fixed and the device reaches further than its network",
        ),
    ] = None
    dns: Annotated[
        tuple[Gateway, ...],
        Option(
            "Name servers.", '["192.0.2.1"]', "when the address is fixed and names must be found"
        ),
    ] = ()
    vlan: Annotated[
        Annotated[int, Range(1, 4094)] | None,
        Option(
            "Tag, if this is a VLAN; the table is called as the new interface.",
            "20",
            "when one cable carries several networks",
        ),
    ] = None
    on: Annotated[
        Interface | None,
        Option(
            "Network, by the name of its table, that carries the VLAN.",
            '"lan"',
            "to say which cable carries the VLAN",
        ),
    ] = None
    bridge: Annotated[
        tuple[Interface, ...],
        Option(
            "Networks, by the names of their tables, that are joined if this is a bridge; the "
            "table is called as the new interface, and only it has addresses.",
            '["lan", "machine"]',
            "when the device joins networks, or lends its own to containers",
        ),
    ] = ()

    @property
    def is_virtual(self) -> bool:
        """Whether the interface is made by software."""
        return self.vlan is not None or bool(self.bridge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Which units start by themselves."""

    enable: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units to start at boot, as their `[Install]` section says.",
            '["nginx.service"]',
            "to start what a package does not start by itself, and units of your own",
        ),
    ] = ()
    disable: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that a package enables and that must not start at boot.",
            '["cron.service"]',
            "to keep a program for use by hand or by another unit only",
        ),
    ] = ()
    mask: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that must never start, whoever asks.",
            '["apt-daily.timer"]',
            "when nothing at all may start the unit, not even a dependency",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a generated file holds: a text written in place, or another file."""

    text: Annotated[
        str | None,
        Option(
            "The content itself.",
            '"hello\\n"',
            "for a few lines that are best read where they are used",
        ),
    ] = None
    source: Annotated[
        Path | None,
        Option(
            "A file with the content, seen from the file that names it.",
            '"files/nginx.conf"',
            "for longer content, or such that other tools edit",
        ),
    ] = None

    def read(self) -> bytes:
        """The content."""
        if self.source is not None:
            return read_bounded(self.source, _MAX_SOURCE_BYTES)
        return (self.text or "").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Content):
    """A systemd unit in `/etc/systemd/system`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Content):
    """A file below `/etc`."""

    link: Annotated[
        AbsolutePath | None,
        Option(
            "Where it leads, if it shall be a symbolic link and has no content.",
            '"/usr/share/zoneinfo/Europe/Berlin"',
            "when programs expect a link, for example to one of several choices",
        ),
    ] = None
    mode: Annotated[
        Mode,
        Option("Permissions.", '"0600"', "when only some may read the file, or it is a program"),
    ] = 0o644
    owner: Annotated[
        UserName,
        Option(
            "User that owns the file.",
            '"mosquitto"',
            "when the program that reads it is not root and the file is secret",
        ),
    ] = "root"
    group: Annotated[
        UserName,
        Option(
            "Group that owns the file.",
            '"mosquitto"',
            "when several programs that are not root read the file",
        ),
    ] = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """What survives a reboot: everything else is gone."""

    shared: Annotated[
        tuple[AbsolutePath, ...],
        Option(
            "Folders that all systems of the device see alike.",
            '["/var/lib/dropbear"]',
            "for what belongs to the device: host keys, its certificates",
        ),
    ] = ()
    paths: Annotated[
        tuple[AbsolutePath, ...],
        Option(
            "Folders that every system has of its own.",
            '["/var/lib/mosquitto"]',
            "for what a service must find again after a reboot",
        ),
    ] = ()


CheckTimeout = Annotated[
    Seconds,
    Option(
        "How long one try may take; it is made again until all pass.",
        '"30s"',
        "for a command that needs longer",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Something that is mounted: a disk besides the device's own, or a part of memory.

    No system needs a volume to start. A unit that needs one says `RequiresMountsFor=`.
    """

    path: Annotated[
        AbsolutePath,
        Option(
            "Where it is mounted.", '"/srv/recordings"', "to say where programs find the volume"
        ),
    ]
    device: Annotated[
        AbsolutePath | None,
        Option(
            "The partition that is mounted; without it, the volume is memory and empty at boot.",
            '"/dev/disk/by-label/recordings"',
            "when a card or another disk carries the volume",
        ),
    ] = None
    type: Annotated[
        Name,
        Option("File system on `device`.", '"vfat"', "when other machines read the disk as well"),
    ] = "ext4"
    size: Annotated[
        SizeBytes | None,
        Option(
            "The most that a volume in memory may take; without it, half of the memory.",
            '"16M"',
            "to keep a program that runs wild from filling the memory",
        ),
    ] = None
    read_only: Annotated[
        bool,
        Option("Whether nobody may write.", "true", "when the device only reads what is delivered"),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Minify:
    """What is left out of a system because nothing in it needs it.

    The section is here so that files can be written; nothing is left out yet.
    """

    enable: Annotated[
        bool,
        Option("Whether what nothing needs is left out.", "true", "when flash or link are small"),
    ] = False
    keep: Annotated[
        tuple[AbsolutePath, ...],
        Option(
            "Files and folders that stay, although nothing seems to need them.",
            '["/usr/share/zoneinfo"]',
            "for what programs look for only when they run",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A program with its own root, taken from an image when the system is built.

    The section is here so that files can be written; no container is built yet.
    """

    image: Annotated[
        Image,
        Option(
            "The image, named by its content.",
            f'"example/app@sha256:{"0" * 64}"',
            "to say what runs in the container",
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
            "for a service that says itself when it is ready",
        ),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedUnitsCheck:
    """Units must not have failed."""

    failed_units: Annotated[
        Annotated[int, Range(0, 1000)],
        Option(
            "How many units may have failed at most.",
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
            "for a service that can say itself whether it is well",
        ),
    ]
    path: Annotated[
        PagePath,
        Option("The page that is asked for.", '"/health"', "when there is a page made for this"),
    ] = "/"
    status: Annotated[
        Annotated[int, Range(100, 599)],
        Option("The status that it must answer with.", "204", "when a good answer is not a page"),
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
            "File that must be fresh.",
            '"/run/pump/alive"',
            "for a program that shows its life by touching a file",
        ),
    ]
    max_age: Annotated[
        Seconds,
        Option("How long ago it may have been written.", '"1min"', "together with `file`"),
    ]
    timeout: CheckTimeout = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeCheck:
    """A file system must have room."""

    free: Annotated[
        AbsolutePath,
        Option(
            "Folder that must have room.",
            '"/var/lib/pump"',
            "when a system may fill what persists before it is useful",
        ),
    ]
    at_least: Annotated[
        SizeBytes, Option("How much room at least.", '"10M"', "together with `free`")
    ]
    timeout: CheckTimeout = 10


Check = UnitCheck | FailedUnitsCheck | TcpCheck | HttpCheck | CommandCheck | FileCheck | FreeCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a new generation must pass before it is kept."""

    timeout: Annotated[
        Seconds,
        Option(
            "How long after boot all checks must have passed; then they count as failed.",
            '"2min"',
            "when services need longer on slow hardware",
        ),
    ] = 90
    checks: Annotated[
        tuple[Check, ...],
        Option(
            "What must hold: a `unit` is active; not more `failed_units` than that; a `tcp` port "
            "accepts connections; a web server answers (`http`, and if need be `path` and "
            "`status`); a `command` succeeds; a `file` is not older than `max_age`; the file "
            "system of a folder has room (`free`, `at_least`). Each may have a `timeout`, for one "
            "try. Those of the machine and those of the system add up.",
            '[{ unit = "nginx.service" }, { http = 80, status = 204, timeout = "3s" }]',
            "to say what a good generation is: without checks, one that boots is kept",
        ),
    ] = ()
    stable: Annotated[
        Seconds,
        Option(
            "For how long all checks must go on passing, and no checked unit be started again.",
            '"30s"',
            "for services that come up well and fail a little later",
        ),
    ] = 3
    retries: Annotated[
        Annotated[int, Range(0, 100)],
        Option(
            "How often the stable time may begin again because a check failed in it.",
            "0",
            "when a service must not fail even once",
        ),
    ] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How the device takes new generations."""

    receive: Annotated[
        bool,
        Option(
            "Whether an update may be received while this system runs.",
            "false",
            "when a system must never change the device, however it is attacked",
        ),
    ] = True
    every: Annotated[
        Seconds | None,
        Option(
            "How often the device looks for an update by itself, at the `update.url` of "
            "`reconix.toml`; without it, only when `reconix-device update` is called.",
            '"6h"',
            "when nobody logs in to devices to update them",
        ),
    ] = None
    automatic: Annotated[
        bool,
        Option(
            "Whether the device restarts into an update by itself; otherwise it is tried at the "
            "next restart, whoever asks for it.",
            "false",
            "when somebody must be there, or a program knows best when work may stop",
        ),
    ] = True
    window: Annotated[
        TimeOfDay | None,
        Option(
            "When in the day, by the clock of the device, it restarts into an update; one that "
            "arrives at another time is taken in and waits.",
            '"02:00-04:00"',
            "when the device must not stop while it is used",
        ),
    ] = None
    trial_timeout: Annotated[
        Seconds,
        Option(
            "How long a trial may take from boot to confirm; then the device goes back.",
            '"5min"',
            "when a trial needs longer on slow hardware",
        ),
    ] = 300
    trial_attempts: Annotated[
        Annotated[int, Range(1, 10)],
        Option(
            "How often a trial is made in all if it is interrupted, say, by a power cut; one that "
            "was found unhealthy is never repeated.",
            "5",
            "when the power often fails",
        ),
    ] = 2
    always_attempts: Annotated[
        Annotated[int, Range(1, 100)],
        Option(
            "How often in a row this system may fail to come up healthy if it is chosen with "
            "`--always`; then the default system stays.",
            "1",
            "when its work can wait, and restarts disturb",
        ),
    ] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One complete system.

    Written in `machine.toml` for all systems of the host, in a system's own file for it alone.
    """

    kernel: Kernel
    packages: Annotated[
        tuple[PackageName, ...],
        Option(
            "Debian packages to install besides the essential ones; what they depend on comes "
            "along, what they recommend does not.",
            '["nginx"]',
            "for what the system is there to do",
        ),
    ] = ()
    users: Annotated[
        Mapping[UserName, User],
        Option(
            "Who may log in.", '{ operator = { groups = ["adm"] } }', "when somebody has to log in"
        ),
    ] = field(default_factory=dict)
    network: Annotated[
        Mapping[Interface, Network],
        Option(
            "Network interfaces.",
            '{ lan = { match = "en*", dhcp = true } }',
            "when the device talks to anybody",
        ),
    ] = field(default_factory=dict)
    services: Services = field(default_factory=Services)
    units: Annotated[
        Mapping[UnitName, Unit],
        Option(
            "Units of your own.",
            '{ "hello.service" = { source = "hello.service" } }',
            "for programs that no package brings a unit for, timers, sockets",
        ),
    ] = field(default_factory=dict)
    files: Annotated[
        Mapping[EtcPath, File],
        Option(
            "Files below `/etc`.",
            '{ "motd" = { text = "Welcome\\n" } }',
            "for settings that no option has a name for",
        ),
    ] = field(default_factory=dict)
    sysctl: Annotated[
        Mapping[SysctlName, SysctlValue],
        Option(
            "Settings of the kernel.",
            '{ "vm.swappiness" = 0 }',
            "to change how the kernel uses memory or network",
        ),
    ] = field(default_factory=dict)
    ports: Annotated[
        Mapping[PortName, Name],
        Option(
            "Who listens on which TCP port of the device; two that want the same are a mistake.",
            '{ "8080" = "status-page" }',
            "for programs of your own; modules name theirs",
        ),
    ] = field(default_factory=dict)
    persist: Persist = field(default_factory=Persist)
    volumes: Annotated[
        Mapping[Name, Volume],
        Option(
            "What is mounted besides the device's own disk.",
            '{ scratch = { path = "/srv/scratch", size = "16M" } }',
            "when a card or a second disk is used, or memory is to be limited",
        ),
    ] = field(default_factory=dict)
    minify: Minify = field(default_factory=Minify)
    containers: Annotated[
        Mapping[Name, Container],
        Option(
            "Programs with a root of their own.",
            f'{{ app = {{ image = "example/app@sha256:{"0" * 64}" }} }}',
            "for programs that come as images",
        ),
    ] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    budget: Annotated[
        SizeBytes | None,
        Option(
            "The most that the system may take in the store, uncompressed, with all that it "
            "refers to; a build that needs more fails.",
            '"300M"',
            "when flash or link are small and growth must be noticed at once",
        ),
    ] = None
    frozen: Annotated[
        bool,
        Option(
            "Whether a build that changes this system, compared with the generation before, fails.",
            "true",
            "when a system is certified, or a change must not reach it by accident",
        ),
    ] = False
    update: Update = field(default_factory=Update)


# --- systems/<name>.toml of a system that Nix built -----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Nixos:
    """Where the toplevel of the system comes from: a store path, or a flake that Nix builds."""

    path: Annotated[
        NixPath | None,
        Option(
            'Store path of the toplevel, from the Nix of the build machine; `nix = "/nix/store/…"` '
            "is short for it.",
            '"/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gateway"',
            "when the toplevel was built elsewhere and is in the store of this machine",
            is_short_form=True,
        ),
    ] = None
    flake: Annotated[
        FlakeReference | None,
        Option(
            "Flake to build the toplevel from; one that begins with `.` is seen from this file.",
            '"./nixos"',
            "when Nix shall build the toplevel as part of `reconix lock`",
        ),
    ] = None
    attribute: Annotated[
        Attribute | None,
        Option(
            "What to build of the flake.",
            '"nixosConfigurations.gateway.config.system.build.toplevel"',
            "to say which of the flake's systems it is",
        ),
    ] = None
    specialisation: Annotated[
        SpecialisationName | None,
        Option(
            "The specialisation of the toplevel that this system is.",
            '"quiet"',
            "when the system is a variant of another one",
        ),
    ] = None
    all_specialisations: Annotated[
        bool,
        Option(
            "Whether each specialisation becomes a system as well, `<system>-<specialisation>`.",
            "true",
            "to have every variant at choice on the device",
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NixSystem:
    """A system that the real Nix built, with its own kernel, initrd and init; it is taken as it is.

    Nothing else may stand in its file, and `machine.toml` adds nothing to it.
    """

    nix: Nixos = field(default_factory=Nixos)


# --- the result -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Host:
    """One kind of device with all its systems, ready to be built."""

    name: str
    folder: Path
    hostname: str
    architecture: Architecture
    machine: Machine
    systems: Mapping[str, System]
    """By name, sorted; the default system is among them."""
    nixos: Mapping[str, Nixos] = field(default_factory=dict)
    """Systems that Nix built, by name, sorted; none of them is in ``systems``."""
    updates: Updates = field(default_factory=Updates)
    """Whose updates it takes: the same for all hosts of the project."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole project, checked."""

    folder: Path
    project: Project
    hosts: Mapping[str, Host]
    """By name, sorted."""
