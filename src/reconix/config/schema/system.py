"""``machine.toml`` and ``systems/<name>.toml``: what a system consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from reconix.base.files import read_text
from reconix.config import generated_unit
from reconix.config.options import Option, Range
from reconix.config.schema.containers import Container
from reconix.config.schema.content import Content
from reconix.config.schema.health import Health
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.software import Secret, Tree
from reconix.config.schema.values import (
    MAX_SOURCE_BYTES,
    AbsolutePath,
    Address,
    CommandLine,
    Country,
    FilePath,
    FilePattern,
    Gateway,
    Interface,
    Kept,
    KernelParameter,
    Mode,
    ModuleName,
    Name,
    PackageName,
    PortName,
    ProgramName,
    PublicKey,
    Restart,
    Seconds,
    Sentence,
    SizeBytes,
    Ssid,
    StartedName,
    SysctlName,
    SysctlValue,
    TimeOfDay,
    TreePath,
    UnitName,
    Untouched,
    UserName,
    VariableName,
    VariableValue,
    Winner,
)

RESOLVER = "systemd-resolved"
"""The package that learns of name servers from systemd-networkd, and the service in it."""
OF_WIFI = ("wpasupplicant", "wireless-regdb")
"""The packages that join Wi-Fi networks, and tell the kernel what is allowed where."""
_OTHER_RESOLVERS = frozenset({"openresolv", "resolvconf"})
"""Packages that write ``/etc/resolv.conf`` themselves and cannot be installed beside it."""


def wifi_unit(network: str) -> str:
    """The unit that joins a Wi-Fi network, one for each adapter."""
    return f"reconix-wifi-{network}@.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a file imports. Written at the top of any file below `hosts/`."""

    imports: Annotated[
        tuple[Path, ...],
        Option(
            "Files to merge into this one, relative to it; their list items come first.",
            '["../../shared/operator.toml"]',
            "to say once what several hosts or systems share",
        ),
    ] = ()


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
            "Parameters to add to the kernel command line.",
            '["console=ttyS0", "quiet"]',
            "when hardware or kernel needs a parameter before anything runs",
        ),
    ] = ()
    initrd_modules: Annotated[
        tuple[ModuleName, ...],
        Option(
            "Modules needed to reach the disk; their dependencies are included.",
            '["virtio_pci", "virtio_blk"]',
            "when the disk is behind another controller or bus",
        ),
    ] = ()
    modules: Annotated[
        tuple[ModuleName, ...],
        Option(
            "Modules to load once the system has started.",
            '["i6300esb"]',
            "when hardware is not detected, as on buses without enumeration",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user: one who can log in, by key only, or one to whom services and files belong.

    There is no option for a password.
    """

    system: Annotated[
        bool,
        Option(
            "Whether this is a user for services: nobody can log in, and the number is from 100 to "
            "999, derived from the name and recorded in `reconix.lock`.",
            "true",
            "when a service of your own must not be root, and files belong to it",
        ),
    ] = False
    uid: Annotated[
        Annotated[int, Range(0, 65533)] | None,
        Option(
            "UID; by default, one of 1000 or above, or for a system user from 100 to 999, that is "
            "derived from the name and recorded in `reconix.lock`.",
            "1000",
            "when files on the data partition belong to a certain UID",
        ),
    ] = None
    groups: Annotated[
        tuple[UserName, ...],
        Option("Supplementary groups.", '["adm"]', "when the user must read logs or use devices"),
    ] = ()
    shell: Annotated[
        AbsolutePath,
        Option(
            "Login shell. A system user has none.",
            '"/bin/sh"',
            "when there is no bash, or the user may run one program only",
        ),
    ] = "/bin/bash"
    home: Annotated[
        AbsolutePath | None,
        Option(
            "Home folder; by default `/home/<name>`, and for a system user none. Nothing makes a "
            "folder that is given here: a service has `StateDirectory=`, others `tmpfiles.d`.",
            '"/var/lib/air"',
            "when a program looks for its files in the home of its user",
        ),
    ] = None
    authorized_keys: Annotated[
        tuple[PublicKey, ...],
        Option(
            "Public keys that may log in. They are part of the generation, linked from the home: a "
            "file that a device keeps there is ignored.",
            '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@home"]',
            "for a key that is part of the configuration",
        ),
    ] = ()
    authorized_keys_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with public keys that may log in, relative to the file that names them.",
            '["../../keys/operator.pub"]',
            "for keys in files, such as one per person",
        ),
    ] = ()

    def keys(self) -> tuple[str, ...]:
        """All keys that may log in, those from files included."""
        lines = [
            line.strip()
            for path in self.authorized_keys_files
            for line in read_text(path, MAX_SOURCE_BYTES).splitlines()
        ]
        written = [line for line in lines if line and not line.startswith("#")]
        return tuple(dict.fromkeys([*self.authorized_keys, *written]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a network interface gets its address, done by systemd-networkd."""

    match: Annotated[
        Interface | None,
        Option(
            "Interfaces that this applies to; by default, the one with the name of the table.",
            '"en*"',
            "when the name differs from board to board, or one table covers several",
        ),
    ] = None
    dhcp: Annotated[
        bool, Option("Whether to use DHCP.", "true", "when the network assigns addresses")
    ] = False
    address: Annotated[
        tuple[Address, ...],
        Option(
            "Static addresses.",
            '["192.0.2.10/24"]',
            "when there is no DHCP, or the address must never change",
        ),
    ] = ()
    gateway: Annotated[
        Gateway | None,
        Option(
            "Default gateway.",
            '"192.0.2.1"',
            "when the address is static and the device reaches beyond its network",
        ),
    ] = None
    dns: Annotated[
        tuple[Gateway, ...],
        Option(
            "Name servers.",
            '["192.0.2.1"]',
            "when the address is static and names must be resolved",
        ),
    ] = ()
    names: Annotated[
        bool,
        Option(
            "Whether names are resolved through this network, by the servers in `dns` and those "
            "from DHCP. With `dhcp`, this adds `systemd-resolved` to the packages of the "
            'system, unless `files."resolv.conf"` is set.',
            "false",
            "when the device resolves no names there, and must be small",
        ),
    ] = True
    vlan: Annotated[
        Annotated[int, Range(1, 4094)] | None,
        Option(
            "VLAN ID, if this is a VLAN; the table has the name of the new interface.",
            "20",
            "when one cable carries several networks",
        ),
    ] = None
    on: Annotated[
        Interface | None,
        Option(
            "Network, by the name of its table, that carries the VLAN.",
            '"lan"',
            "to say which interface carries the VLAN",
        ),
    ] = None
    bridge: Annotated[
        tuple[Interface, ...],
        Option(
            "Networks, by the names of their tables, to join, if this is a bridge; the table has "
            "the name of the new interface, and only it has addresses.",
            '["lan", "machine"]',
            "when the device joins networks, or lends its own to containers",
        ),
    ] = ()

    ssid: Annotated[
        Ssid | None,
        Option(
            "Name of the Wi-Fi network that the interface joins, if it is an adapter for Wi-Fi. "
            "This adds `wpasupplicant` and `wireless-regdb` to the packages of the system.",
            '"workshop"',
            "when the device has no cable",
        ),
    ] = None
    password_secret: Annotated[
        Name | None,
        Option(
            "Secret with the password of the Wi-Fi network: 8 to 63 characters, or 64 hexadecimal "
            "digits. It is asked for as if it stood in `secrets`.",
            '"wifi"',
            "to join a network with WPA2 or WPA3; the password itself is never written here",
        ),
    ] = None
    country: Annotated[
        Country | None,
        Option(
            "Country whose rules for radio hold; by default, only what is allowed everywhere.",
            '"DE"',
            "to use all channels that are allowed where the device is",
        ),
    ] = None
    open: Annotated[
        bool,
        Option(
            "Whether the Wi-Fi network has no password.",
            "true",
            "when anybody may join it and read what is sent",
        ),
    ] = False

    @property
    def is_virtual(self) -> bool:
        """Whether the interface is made by software."""
        return self.vlan is not None or bool(self.bridge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Which units start at boot."""

    enable: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units to start at boot, as their `[Install]` section says.",
            '["nginx.service"]',
            "to start what a package does not start, and units of your own",
        ),
    ] = ()
    disable: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that a package enables and that must not start at boot.",
            '["cron.service"]',
            "when a program is started by hand or by another unit only",
        ),
    ] = ()
    mask: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that can never be started.",
            '["apt-daily.timer"]',
            "when nothing at all may start the unit, not even a dependency",
        ),
    ] = ()
    keep: Annotated[
        tuple[StartedName, ...],
        Option(
            "Units and generators that Debian starts by itself and a built system suppresses, and "
            "that are to start all the same; `docs/suppressed-units.md` has the list.",
            '["sys-kernel-config.mount"]',
            "when a program needs what such a unit prepares",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Content):
    """A systemd unit in `/etc/systemd/system`.

    A service that only has to run a program needs no more than `exec`. It starts with the device
    and again five seconds after it has failed. For everything else there is `text` or `source`.
    """

    exec: Annotated[
        CommandLine | None,
        Option(
            "What the service runs, as `ExecStart=` takes it; the unit is written for you. Whether "
            "the program is there, and can be run, is checked when the system is built.",
            '"/opt/air/bin/air --config /etc/air.toml"',
            "for a program of your own that runs as long as the device does",
        ),
    ] = None
    user: Annotated[
        UserName | None,
        Option(
            "User that the program of `exec` runs as; by default root.",
            '"air"',
            "when the program need not be root: if it is attacked, it can do less",
        ),
    ] = None
    state: Annotated[
        bool,
        Option(
            "Whether the program of `exec` has a folder of its own that it may write to, "
            "`/var/lib/<name of the unit>` (`StateDirectory=`). What is in it outlives a restart "
            "of the device if `persist` names the folder.",
            "true",
            "when the program is not root and writes anything",
        ),
    ] = False
    environment: Annotated[
        Mapping[VariableName, VariableValue],
        Option(
            "Environment of the program of `exec`. It is no place for secrets: everybody on the "
            "device can read it.",
            '{ LANG = "C.UTF-8" }',
            "when the program takes settings from its environment",
        ),
    ] = field(default_factory=dict)
    after: Annotated[
        tuple[UnitName, ...],
        Option(
            "Units that the service of `exec` wants and waits for (`Wants=`, `After=`).",
            '["network-online.target"]',
            "when the program fails if it starts before another one",
        ),
    ] = ()

    def read(self) -> bytes:
        """The content."""
        if self.exec is None:
            return Content.read(self)
        return generated_unit.text(
            self.exec,
            user=self.user,
            state=self.state,
            environment=self.environment,
            after=self.after,
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Content):
    """A file below `/etc`, or elsewhere if its path is absolute."""

    link: Annotated[
        AbsolutePath | None,
        Option(
            "Target, if the file is a symbolic link; it then has no content.",
            '"/usr/share/zoneinfo/Europe/Berlin"',
            "when programs expect a link, for example to one of several choices",
        ),
    ] = None
    mode: Annotated[
        Mode,
        Option("File mode.", '"0600"', "when access is restricted, or the file is executable"),
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
    prefer: Annotated[
        Winner | None,
        Option(
            "Which file wins at each start if a folder around it persists and the device already "
            "has one: that of the `generation` or of the `device`. By default it is the device's, "
            "and `reconix check` warns of that. If the device has none, it gets the file.",
            '"generation"',
            "when a program changes its own settings, and updates must, or must not, replace them",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Which certificates programs trust."""

    authorities: Annotated[
        tuple[Path, ...],
        Option(
            "Files with certificates of authorities (PEM), relative to the file that names them. "
            "Programs trust them as they trust those of the package `ca-certificates`; without "
            "that package they trust no others.",
            '["../../keys/ca.pem"]',
            "when a server that the device talks to has its certificate from your own authority",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """What survives a reboot: everything else is lost."""

    shared: Annotated[
        tuple[AbsolutePath, ...],
        Option(
            "Folders shared by all systems of the device.",
            '["/var/lib/dropbear"]',
            "for what belongs to the device: host keys, its certificates",
        ),
    ] = ()
    paths: Annotated[
        tuple[AbsolutePath, ...],
        Option(
            "Folders that each system keeps for itself.",
            '["/var/lib/mosquitto"]',
            "for what a service must find again after a reboot",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A mounted file system: on another disk than the device's own, or in memory.

    No system needs a volume to start. A unit that needs one says `RequiresMountsFor=`.
    """

    path: Annotated[
        AbsolutePath,
        Option("Mount point.", '"/srv/recordings"', "to say where programs find the volume"),
    ]
    device: Annotated[
        AbsolutePath | None,
        Option(
            "Partition to mount; by default, the volume is in memory and empty at boot.",
            '"/dev/disk/by-label/recordings"',
            "when a card or another disk holds the volume",
        ),
    ] = None
    type: Annotated[
        Name,
        Option("File system on `device`.", '"vfat"', "when other machines read the disk as well"),
    ] = "ext4"
    size: Annotated[
        SizeBytes | None,
        Option(
            "Size limit of a volume in memory; by default, half of the memory.",
            '"16M"',
            "to keep a runaway program from filling the memory",
        ),
    ] = None
    read_only: Annotated[
        bool,
        Option(
            "Whether to mount it read-only.", "true", "when the device only reads what is on it"
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Minify:
    """What is removed from a system because nothing in it reaches it.

    Documents, translations, the package manager and the like go by rules. Of everything else stays
    what something that runs can reach: `reconix why SYSTEM PATH` tells, for each path, how it is
    reached, or why it went.
    """

    enable: Annotated[
        bool,
        Option(
            "Whether to remove what nothing reaches. `reconix init` switches it on; without it a "
            "system has all that its packages bring.",
            "true",
            "when a device shall have what it uses, and not what Debian has",
        ),
    ] = False
    keep: Annotated[
        tuple[Kept, ...],
        Option(
            "What to keep although nothing seems to reach it: a file, a folder with all that is in "
            "it, a package without its documents, translations and completions, the libraries "
            "that a program can use for a feature and only suggests, or a module of the kernel.",
            '["/usr/bin/ss", "package:tcpdump", "suggested:tpm", "module:tcp_diag"]',
            "for what is opened only at run time, or by people who log in",
        ),
    ] = ()
    programs: Annotated[
        tuple[ProgramName, ...],
        Option(
            "Programs that are meant where a package in `packages` has many others, too.",
            '["ip"]',
            "to have one program of a package, and not all of them",
        ),
    ] = ()
    devices_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with the list that `reconix-device modaliases` prints, one for each kind of "
            "hardware, relative to the file that names them. Of the kernel's modules stay those "
            "for these devices, those of the initrd, and what is loaded by name. Without a list "
            "all modules stay.",
            '["../board.modaliases"]',
            "when it is known which devices are, or will be, connected",
        ),
    ] = ()
    without: Annotated[
        Mapping[AbsolutePath, Sentence],
        Option(
            "Files that may go although a file that stays names them, each with the reason. A "
            "build fails if there is one of which neither this nor reconix itself says why.",
            '{ "/usr/bin/xdg-open" = "no browser is started on a device" }',
            "when a build says so, and nothing needs the file",
        ),
    ] = field(default_factory=dict)
    trap: Annotated[
        bool,
        Option(
            "Whether each trial of the system looks out for files that were removed: `status` of "
            "the device then names what was asked for, by which program and unit, and what to "
            "add to `keep`; and bash says so of a command that is not there.",
            "true",
            "when a system is new, or its programs are known too little",
        ),
    ] = False
    strict: Annotated[
        bool,
        Option(
            "Whether a trial in which such a file was asked for has failed; with `trap`.",
            "true",
            "when a device must never run with a program that lacks something",
        ),
    ] = False

    @property
    def is_trapped(self) -> bool:
        """Whether trials look out for what was removed."""
        return self.enable and self.trap


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
            "How often the device checks for an update, at the `update.url` of `reconix.toml`; by "
            "default, only when `reconix-device update` is run.",
            '"6h"',
            "when no one logs in to devices to update them",
        ),
    ] = None
    automatic: Annotated[
        bool,
        Option(
            "Whether the device restarts into an update on its own; otherwise the update is tried "
            "at the next restart, whatever its cause.",
            "false",
            "when someone must be present, or a program knows best when work may stop",
        ),
    ] = True
    window: Annotated[
        TimeOfDay | None,
        Option(
            "Time of day, by the clock of the device, at which it restarts into an update; one "
            "that arrives at another time is received and waits.",
            '"02:00-04:00"',
            "when the device must not stop while it is in use",
        ),
    ] = None
    trial_timeout: Annotated[
        Seconds,
        Option(
            "How long a trial may take from boot to confirm; then the device falls back.",
            '"5min"',
            "when a trial needs longer on slow hardware",
        ),
    ] = 300
    trial_attempts: Annotated[
        Annotated[int, Range(1, 10)],
        Option(
            "How many times a trial is attempted if it is interrupted, for example by a power cut; "
            "one that fails its health checks is not repeated.",
            "5",
            "when the power often fails",
        ),
    ] = 2
    always_attempts: Annotated[
        Annotated[int, Range(1, 100)],
        Option(
            "How many times in a row this system may fail to become healthy when chosen with "
            "`--always`; then the device stays with the default system.",
            "1",
            "when its work can wait, and restarts disturb",
        ),
    ] = 3
    untouched: Annotated[
        Untouched,
        Option(
            "What becomes of an update that changes neither this system, while it runs, nor the "
            "default system: it is committed without a restart, and another system that it changes "
            "is tried when that is first started; or it is tried by a restart, like all others. "
            "Containers of this system may change without a restart as well.",
            '"trial"',
            "when the boot slot of each update must have booted once before it is relied on",
        ),
    ] = Untouched.COMMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One complete system.

    Written in `machine.toml` for all systems of the host, in a system's own file for it alone.
    """

    kernel: Kernel
    packages: Annotated[
        tuple[PackageName, ...],
        Option(
            "Debian packages to install besides the essential ones, with what they depend on but "
            "not what they recommend.",
            '["nginx"]',
            "for what the system is meant to do",
        ),
    ] = ()
    debs: Annotated[
        tuple[FilePattern, ...],
        Option(
            "Package files of the project to install, relative to the file that names them, with "
            "what they depend on; `*`, `?` and `**` allowed. They win over packages of the same "
            "name from an archive.",
            '["../../dist/*.deb"]',
            "for programs that your own build packs",
        ),
    ] = ()
    users: Annotated[
        Mapping[UserName, User],
        Option(
            "Users who can log in, and users for services.",
            '{ operator = { groups = ["adm"] } }',
            "when someone has to log in, or a service is not to be root",
        ),
    ] = field(default_factory=dict)
    network: Annotated[
        Mapping[Interface, Network],
        Option(
            "Network interfaces.",
            '{ lan = { match = "en*", dhcp = true } }',
            "when the device uses a network",
        ),
    ] = field(default_factory=dict)
    services: Services = field(default_factory=Services)
    units: Annotated[
        Mapping[UnitName, Unit],
        Option(
            "systemd units of your own.",
            '{ "hello.service" = { source = "hello.service" } }',
            "for programs that no package brings a unit for, timers, sockets",
        ),
    ] = field(default_factory=dict)
    files: Annotated[
        Mapping[FilePath, File],
        Option(
            "Files below `/etc`, or with an absolute path elsewhere: anywhere but in `/usr`, "
            "`/nix`, `/dev`, `/proc`, `/sys`, `/run` and the like.",
            '{ "motd" = { text = "Welcome\\n" } }',
            "for settings without an option, and for single files of your own",
        ),
    ] = field(default_factory=dict)
    python: Annotated[
        Mapping[Name, PythonEnvironment],
        Option(
            "Python environments of your own.",
            '{ air = { lock = "pylock.toml", wheels = ["dist/*.whl"] } }',
            "for programs in Python that no Debian package brings",
        ),
    ] = field(default_factory=dict)
    trees: Annotated[
        Mapping[TreePath, Tree],
        Option(
            "Folders of the project or of a build, by where they are on the device.",
            '{ "/opt/air" = { source = "../../build/air" } }',
            "for a program of your own, or data, that is a folder and no package",
        ),
    ] = field(default_factory=dict)
    sysctl: Annotated[
        Mapping[SysctlName, SysctlValue],
        Option(
            "Kernel settings (sysctl).",
            '{ "vm.swappiness" = 0 }',
            "to change how the kernel uses memory or network",
        ),
    ] = field(default_factory=dict)
    ports: Annotated[
        Mapping[PortName, Name],
        Option(
            "Which program listens on which TCP port of the device; two on one port are an error.",
            '{ "8080" = "status-page" }',
            "for programs of your own; modules name theirs",
        ),
    ] = field(default_factory=dict)
    secrets: Annotated[
        Mapping[Name, Secret],
        Option(
            "Secrets that units read: passwords, keys, tokens; never their values.",
            '{ mqtt-password = { units = ["air.service"] } }',
            "when a program must know what no generation may contain",
        ),
    ] = field(default_factory=dict)
    certificates: Certificates = field(default_factory=Certificates)
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
            "Containers: programs with a root of their own, from an image or from Debian packages.",
            '{ broker = { image = "registry.example.com/apps/broker:2", ports = ["1883:1883"] } }',
            "for programs that come as images, and to keep a program apart from the others",
        ),
    ] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    budget: Annotated[
        SizeBytes | None,
        Option(
            "Size limit of the system as it is installed, with everything it refers to; equal "
            "files count once. A build that exceeds it fails.",
            '"300M"',
            "when flash or bandwidth is scarce and growth must be noticed at once",
        ),
    ] = None
    frozen: Annotated[
        bool,
        Option(
            "Whether a build fails if it changes this system, compared with the generation before.",
            "true",
            "when a system is certified, or a change must not reach it by accident",
        ),
    ] = False
    update: Update = field(default_factory=Update)

    def containers_that_read(self, secret: str) -> tuple[str, ...]:
        """The containers that name a secret, sorted."""
        return tuple(
            name for name, each in sorted(self.containers.items()) if secret in each.secrets
        )

    @property
    def checked_containers(self) -> tuple[str, ...]:
        """The containers that a trial checks, also if no check names them; sorted."""
        if not self.health.containers:
            return ()
        kept = (name for name, each in self.containers.items() if each.restart is not Restart.NO)
        return tuple(sorted(kept))

    def deb_files(self) -> tuple[Path, ...]:
        """The package files that `debs` name, each once, sorted."""
        return tuple(sorted({file for pattern in self.debs for file in pattern.files()}))

    @property
    def wifi(self) -> Mapping[str, Network]:
        """The networks that are Wi-Fi, by the names of their tables."""
        return {name: each for name, each in self.network.items() if each.ssid is not None}

    @property
    def files_below_etc(self) -> Mapping[str, File]:
        """Those of the files that are below ``/etc``, by their paths there."""
        return {path: file for path, file in self.files.items() if not path.startswith("/")}

    @property
    def files_elsewhere(self) -> Mapping[str, File]:
        """The others, by their absolute paths."""
        return {path: file for path, file in self.files.items() if path.startswith("/")}

    @property
    def needs_resolver(self) -> bool:
        """Whether the name servers are known only when the device runs."""
        asks = any(network.dhcp and network.names for network in self.network.values())
        is_given = "resolv.conf" in self.files or not _OTHER_RESOLVERS.isdisjoint(self.packages)
        return asks and not is_given


def path_of_file(name: str) -> str:
    """Where a file of the configuration is on a device."""
    return name if name.startswith("/") else f"/etc/{name}"
