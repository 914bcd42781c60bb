"""The vocabulary of the options: what a text may be, what a number means, in which unit.

A type here is a plain ``str`` or ``int`` with a *form*: how it is written, what a message
says was expected, and, where the value is kept in another form than it is written, how to parse
and print it.
"""

import enum
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Annotated

from reconix.config import patterns
from reconix.config.globs import matching
from reconix.config.options import Form, Range

MAX_SOURCE_BYTES = 16 << 20
"""Of a file whose content is part of a configuration."""
_MAX_SSID_BYTES = 32


class FolderPath(PosixPath):
    """The path of a folder of this machine."""


class FilePattern(PosixPath):
    """The path of a file, or a pattern that stands for several."""

    def files(self) -> tuple[Path, ...]:
        """The files that it stands for now, sorted."""
        return matching(Path(self))


class OneShot(enum.Enum):
    """What remembers that the next boot is a trial."""

    FIRMWARE = "firmware"
    DISK = "disk"


class Restart(enum.Enum):
    """When a container that ended is started again."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Untouched(enum.Enum):
    """What becomes of an update that changes nothing of what runs."""

    COMMIT = "commit"
    TRIAL = "trial"


class Winner(enum.Enum):
    """Whose file stays where a device has one that the generation brings as well."""

    GENERATION = "generation"
    DEVICE = "device"


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


@dataclass(frozen=True, slots=True, order=True)
class PublishedPort:
    """A port of the device that leads to one of a container."""

    port: int
    """On the device."""
    inner_port: int
    """In the container."""
    protocol: str = "tcp"
    """``tcp`` or ``udp``."""
    address: str = ""
    """Of the device, if it is not reached by all that it has."""

    @classmethod
    def parse(cls, text: str) -> "PublishedPort":
        """Read ``[ADDRESS:]PORT:INNER[/udp]``; an IPv6 address stands in brackets."""
        rest, _, protocol = text.partition("/")
        ahead, inner = rest.rsplit(":", 1)
        address, _, port = ahead.rpartition(":")
        ports = (_port(port), _port(inner))
        return cls(*ports, protocol or "tcp", _address(address.strip("[]")) if address else "")

    def __str__(self) -> str:
        bare = f"{self.port}:{self.inner_port}"
        address = f"[{self.address}]" if ":" in self.address else self.address
        protocol = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{address}{':' if address else ''}{bare}{protocol}"


def _port(text: str) -> int:
    if not 0 < int(text) < 1 << 16:
        raise ValueError("ports from 1 to 65535")
    return int(text)


def _memory_address(text: str) -> int:
    value = int(text, 16)
    if value % (2 << 20):
        raise ValueError("a multiple of 2 MiB")
    return value


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


REST = -1
"""The size of what takes all that is left."""


def parse_size_or_rest(text: str) -> int:
    """Bytes, or ``REST``."""
    return REST if text == "rest" else parse_size(text)


def print_size_or_rest(size: object) -> str:
    """The inverse of ``parse_size_or_rest``."""
    return "rest" if size == REST else print_size(size)


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


def _ssid(text: str) -> str:
    if len(text.encode()) > _MAX_SSID_BYTES:
        raise ValueError
    return text


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


Name = Annotated[
    str, Form("a name of lower-case letters, digits and -", r"[a-z0-9][a-z0-9-]{0,62}")
]
MemoryAddress = Annotated[
    int,
    Form(
        "an address in memory that is a multiple of 2 MiB, such as 0x41000000",
        r"0x[0-9a-f]{1,11}00000",
        _memory_address,
        lambda value: f"0x{value:x}",
    ),
]
DeviceNode = Annotated[
    str,
    Form(
        "a node of a device tree: its alias such as mmc0, or its path",
        r"[a-z][a-z0-9-]{0,30}|(/[\w,.+@-]+){1,16}",
    ),
]
DeviceTreeName = Annotated[
    str,
    Form(
        "a device tree of the kernel's package such as broadcom/bcm2711-rpi-4-b.dtb",
        r"([A-Za-z0-9][\w,.+-]*/){0,4}[A-Za-z0-9][\w,.+-]*\.dtb",
    ),
]
HostName = Annotated[
    str, Form("a host name such as gateway", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
]
PackagePattern = Annotated[
    str,
    Form(
        "the name of a Debian package, * and ? allowed, such as vendor-*",
        r"[a-z0-9*?][a-z0-9.+*?-]*",
    ),
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
StartedName = Annotated[
    str,
    Form(
        "the name of a systemd unit or generator such as tmp.mount or systemd-ssh-generator",
        r"[A-Za-z0-9:_.@\\-]{1,200}"
        r"(\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)|-generator)",
    ),
]
FilePath = Annotated[
    str,
    Form(
        "a path below /etc without a leading /, such as nginx/nginx.conf, or an absolute path "
        "elsewhere, such as /srv/tftp/boot.img",
        r"/?(?!(.*/)?\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
AbsolutePath = Annotated[
    str,
    Form(
        "an absolute path such as /var/lib/mosquitto",
        r"/(?!(.*/)?\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
Kept = Annotated[
    str,
    Form(
        "an absolute path, package:NAME, suggested:NAME or module:NAME",
        r"/(?!(.*/)?\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}|package:[a-z0-9][a-z0-9+.-]{1,99}"
        r"|suggested:[A-Za-z0-9_+.-]{1,99}|module:[A-Za-z0-9_-]{1,64}",
    ),
]
Sentence = Annotated[
    str, Form("a sentence in one line, such as nobody logs in there", r"[^\x00-\x1f\x7f]{3,400}")
]
ProgramName = Annotated[
    str,
    Form("the name of a program without a path such as ip", r"[A-Za-z0-9_\[][A-Za-z0-9_+.-]{0,99}"),
]
TreePath = Annotated[
    str,
    Form(
        "an absolute path such as /opt/air, of letters, digits and ._+@-",
        r"/(?!(.*/)?\.{0,2}(/|$))[A-Za-z0-9._+@/-]{1,160}",
    ),
]
InnerPath = Annotated[
    str,
    Form(
        "a path in the folder without a leading /, such as bin/helper",
        r"(?!(.*/)?\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
PathPattern = Annotated[
    str,
    Form(
        "a pattern as in a .gitignore, such as *.pyc or /build/",
        r"(?!#)(?![\s/!]*$)[^\x00-\x1f\x7f]{1,1024}",
        patterns.check,
    ),
]
CommandLine = Annotated[
    str,
    Form(
        "a command such as /opt/air/bin/air --config /etc/air.toml",
        r"(?=\S)[^\x00-\x1f\x7f]{1,4096}(?<!\\)",
    ),
]
VariableName = Annotated[
    str, Form("the name of a variable such as LANG", r"[A-Za-z_][A-Za-z0-9_]{0,255}")
]
VariableValue = Annotated[
    str, Form("a string of one line, or a number", r"[^\x00-\x1f\x7f]{0,4096}", takes_number=True)
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
SysctlValue = Annotated[str, Form("a string or a number", r"[^\n]{0,1024}", takes_number=True)]
PublicKey = Annotated[
    str,
    Form(
        "a public key as in a .pub file",
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
Ssid = Annotated[
    str,
    Form("the name of a Wi-Fi network, at most 32 bytes", r"[^\x00-\x1f\x7f]{1,32}", _ssid),
]
Country = Annotated[str, Form("a country by two letters such as DE", r"[A-Z]{2}")]
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
    str,
    Form(
        "an address that begins with http:// or https://, without user and password",
        r"https?://(?![^/?#\s]*@)[^\s]{1,500}",
    ),
]
ArchiveUrl = Annotated[
    str,
    Form(
        "an address that begins with http:// or https://, without user and password, or file: "
        "and a folder",
        r"https?://(?![^/?#\s]*@)[^\s]{1,500}|file:[^\s?#%]{1,500}",
    ),
]
ArchiveSuite = Annotated[
    str,
    Form(
        "the name of a suite such as stable, or a folder that ends in / such as ./",
        r"(?!/)(?!.*(\.\./|//))[A-Za-z0-9.][A-Za-z0-9._+~/-]{0,254}",
    ),
]
ProxyUrl = Annotated[
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
ImageReference = Annotated[
    str,
    Form(
        "where an image is, such as registry.example.com/apps/broker:2 or oci:FOLDER:NAME",
        r"(?! )[^\x00-\x1f\x7f]{1,1024}(?<! )",
    ),
]
RegistryHost = Annotated[
    str,
    Form(
        'a registry in quotes such as "registry.example.com:5000"',
        r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?",
    ),
]
CommandWord = Annotated[str, Form("one word of a command", r"(?s:[^\x00]{0,4096})")]
VolumeName = Annotated[
    str,
    Form(
        'the name of a volume such as data, or "shared:data" for one that all systems have',
        r"(shared:)?[a-z0-9][a-z0-9-]{0,62}",
    ),
]
DevicePath = Annotated[
    str,
    Form(
        "the path of a device such as /dev/ttyS1",
        r"/dev/(?!(.*/)?\.{0,2}(/|$))[A-Za-z0-9._+@:,/-]{1,250}",
    ),
]
ContainerFolder = Annotated[
    str,
    Form(
        "the absolute path of a folder in a container such as /srv/app",
        r"/|/(?!(.*/)?\.{0,2}(/|$))[^\x00-\x1f\x7f]{1,1024}",
    ),
]
ContainerNetwork = Annotated[
    str,
    Form(
        "private, host, none, or with: and another container, such as with:broker",
        r"private|host|none|with:[a-z0-9][a-z0-9-]{0,62}",
    ),
]
_ACCOUNT = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
ContainerUser = Annotated[
    str,
    Form(
        'a user of the image, by name or number, and after a colon a group, such as "1000:1000"',
        rf"{_ACCOUNT}(:{_ACCOUNT})?",
        takes_number=True,
    ),
]
StopSignal = Annotated[
    str,
    Form(
        "the name of a signal such as SIGTERM",
        r"SIG(HUP|INT|QUIT|ABRT|ALRM|TERM|KILL|USR1|USR2|CONT|WINCH|PWR"
        r"|RTMIN(\+([1-9]|[12][0-9]|30))?|RTMAX(-([1-9]|[12][0-9]|30))?)",
    ),
]
Percent = Annotated[
    int,
    Form(
        'a part of one processor such as "50%", or more of several such as "200%"',
        r"[1-9][0-9]{0,4}%",
        lambda text: int(text.removesuffix("%")),
        lambda percent: f"{percent}%",
    ),
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
SizeOrRest = Annotated[
    int,
    Form(
        'a size such as "64M" or "4G", or "rest"',
        r"rest|\d{1,15}[KMGT]?",
        parse_size_or_rest,
        print_size_or_rest,
        True,
    ),
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
ContainerPort = Annotated[
    PublishedPort,
    Form(
        'a port of the device and one of the container such as "8080:80", with an address before '
        'it, "127.0.0.1:8080:80", or /udp behind it',
        r"((\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):)?\d{1,5}:\d{1,5}(/(tcp|udp))?",
        PublishedPort.parse,
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
