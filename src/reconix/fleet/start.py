"""The last start of a device: which phases it had, which units, and how long each of them took.

A device is asked three things, none of which needs more of it than what every system has:

* ``systemctl show``: when its manager came to which point;
* ``systemctl show '*'``: when each unit began to start, and when it had;
* the one line of the kernel that says that the initrd begins.

``systemd-analyze`` would compute the same; it is a program more, and minify takes it. All times are
of the clock that begins with the kernel. What was before it stands there as how long before: the
loader has measured it, and leaves it in variables of the firmware. U-Boot does not, nor does
systemd-boot in QEMU, which has no clock that it trusts; then firmware and loader are *untold*.

After a soft reboot there is no kernel and no initrd to tell of: the start begins where the system
before it was told to end.

Source: systemd.exec(5); org.freedesktop.systemd1(5), *Properties*; systemd's Boot Loader Interface.
Tested by ``tests/unit/fleet/test_start.py``, with what a device has answered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconix.base.documents import BadDocument, Fields
from reconix.fleet.remote import Remote

_MANAGER = (
    *("FirmwareTimestampMonotonic", "LoaderTimestampMonotonic", "InitRDTimestampMonotonic"),
    *("UserspaceTimestampMonotonic", "FinishTimestampMonotonic", "ShutdownStartTimestampMonotonic"),
    *("GeneratorsStartTimestampMonotonic", "GeneratorsFinishTimestampMonotonic"),
    *("UnitsLoadStartTimestampMonotonic", "UnitsLoadFinishTimestampMonotonic"),
    "SoftRebootsCount",
)
_UNIT = (
    *("Id", "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"),
    *("ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic"),
)
_INIT = "Run /init as init process"
_MAX_ANSWER_BYTES = 4 << 20
_MAX_DIGITS = 18
_TARGET = ".target"
"""Units that take no time, and say how far a start has come."""
_NO_TIME = 10_000


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time.

    Attributes:
        name: of it.
        begin: in microseconds since the kernel began; what was before it is negative.
        end: likewise.
    """

    name: str
    begin: int
    end: int

    @property
    def microseconds(self) -> int:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Start:
    """The last start of a device.

    Attributes:
        phases: one after the other.
        units: as they began, with two steps of systemd itself; what began later is not among them.
        untold: phases of which nobody has said how long they took.
        is_finished: whether all that was to start has.
    """

    phases: tuple[Span, ...]
    units: tuple[Span, ...]
    untold: tuple[str, ...]
    is_finished: bool

    @property
    def microseconds(self) -> int:
        """How long all of it took, as far as it is told."""
        return self.phases[-1].end - self.phases[0].begin

    def notable(self, most: int) -> tuple[Span, ...]:
        """So many units that took longest, as they began: targets, and what took time."""
        notable = [unit for unit in self.units if unit.name.endswith(_TARGET) or _took_time(unit)]
        ranked = sorted(notable, key=lambda unit: (-unit.microseconds, unit.name))
        return tuple(sorted(ranked[:most], key=_order))


def ask(device: Remote) -> Start:
    """Ask a device about its last start.

    Raises:
        NotReached: it does not answer.
        Refused: a program of it failed.
        BadDocument: what it answers cannot be.
    """
    manager = _answer(device, "systemctl", "show", f"--property={','.join(_MANAGER)}")
    units = _answer(device, "systemctl", "show", "*", f"--property={','.join(_UNIT)}")
    kernel = _answer(
        device,
        *("journalctl", "--boot", "--quiet", "--output=json", "--lines=1"),
        *("--output-fields=_SOURCE_MONOTONIC_TIMESTAMP", f"MESSAGE={_INIT}"),
    )
    return parse_start(manager, units, kernel, source=device.to)


def _answer(device: Remote, *command: str) -> bytes:
    with device.hearing(*command) as source:
        said = source.read(_MAX_ANSWER_BYTES + 1)
    if len(said) > _MAX_ANSWER_BYTES:
        raise BadDocument(f"{device.to} answers more than {_MAX_ANSWER_BYTES} bytes")
    return said


def parse_start(manager: bytes, units: bytes, kernel: bytes, *, source: str) -> Start:
    """Read what a device has answered.

    Args:
        manager: the properties of systemd, ``name=value`` in lines.
        units: likewise of units, with an empty line between them.
        kernel: what the journal has of the line with which the initrd begins, in JSON, or nothing.
        source: who has answered.

    Raises:
        BadDocument: the answers cannot be.
    """
    times = _Times(source, next(_paragraphs(manager), {}))
    found = [unit for each in _paragraphs(units) for unit in _unit(_Times(source, each))]
    finish = times["FinishTimestampMonotonic"]
    end = finish or max((unit.end for unit in found), default=0)
    phases = tuple(_phases(times, _init(kernel, source), end))
    backwards = any(phase.microseconds < 0 for phase in phases)
    if backwards or not times["UserspaceTimestampMonotonic"]:
        raise BadDocument(f"{source} names times of its start that do not follow each other")
    during = [unit for unit in found if phases[0].begin <= unit.begin <= end]
    listed = sorted([*_steps(times), *during], key=_order)
    return Start(phases, tuple(listed), _untold(phases), is_finished=finish > 0)


class _Times:
    """Properties of systemd, most of which are times."""

    def __init__(self, source: str, values: Mapping[str, str]) -> None:
        self._source, self._values = source, values

    def __getitem__(self, name: str) -> int:
        """A number; 0 if there is no such property, as systemd says of what did not happen."""
        value = self._values.get(name, "0") or "0"
        if not value.isascii() or not value.isdecimal() or len(value) > _MAX_DIGITS:
            raise BadDocument(f"{self._source}: {name} is {value[:80]!r}, not a number")
        return int(value)

    def text(self, name: str) -> str:
        return self._values.get(name, "")


def _paragraphs(said: bytes) -> Iterator[dict[str, str]]:
    for paragraph in said.decode(errors="replace").split("\n\n"):
        lines = (line.partition("=") for line in paragraph.splitlines())
        found = {name: value for name, equals, value in lines if equals}
        if found:
            yield found


def _init(kernel: bytes, source: str) -> int:
    """When the initrd began; 0 if nothing says so."""
    if not kernel.strip():
        return 0
    said = Fields.parse(kernel, source=f"the journal of {source}")
    return _Times(source, {_INIT: said.text("_SOURCE_MONOTONIC_TIMESTAMP")})[_INIT]


def _phases(times: _Times, init: int, end: int) -> Iterator[Span]:
    userspace = times["UserspaceTimestampMonotonic"]
    if times["SoftRebootsCount"]:
        began = times["ShutdownStartTimestampMonotonic"] or userspace
        yield Span("soft reboot", began, max(began, userspace))
        yield Span("userspace", max(began, userspace), end)
        return
    firmware, loader = times["FirmwareTimestampMonotonic"], times["LoaderTimestampMonotonic"]
    initrd = times["InitRDTimestampMonotonic"] or init
    if firmware:
        yield Span("firmware", -firmware, -loader)
    if loader:
        yield Span("loader", -loader, 0)
    if initrd:
        yield Span("kernel", 0, initrd)
        yield Span("initrd", initrd, userspace)
    else:
        yield Span("kernel and initrd", 0, userspace)
    yield Span("userspace", userspace, end)


def _untold(phases: tuple[Span, ...]) -> tuple[str, ...]:
    names = {phase.name for phase in phases}
    if "soft reboot" in names:
        return ()
    return tuple(name for name in ("firmware", "loader") if name not in names)


def _unit(times: _Times) -> Iterator[Span]:
    """When a unit started, if it did: what runs once is done when it is inactive again."""
    begin = times["InactiveExitTimestampMonotonic"]
    ends = [times[name] for name in _UNIT[2:]]
    later = [end for end in ends if end >= begin]
    if begin and later and (name := times.text("Id")):
        yield Span(name, begin, min(later))


def _steps(times: _Times) -> Iterator[Span]:
    """What systemd itself does before it starts units."""
    for name, prefix in (("generators", "Generators"), ("reading units", "UnitsLoad")):
        begin, end = (times[f"{prefix}{at}TimestampMonotonic"] for at in ("Start", "Finish"))
        if 0 < begin <= end:
            yield Span(f"systemd: {name}", begin, end)


def _took_time(unit: Span) -> bool:
    return unit.microseconds >= _NO_TIME


def _order(span: Span) -> tuple[int, int, str]:
    return span.begin, span.end, span.name
