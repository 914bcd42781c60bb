"""The schedule: which system runs when, as ``schedule.json`` of the toplevel that runs says it.

    {"version": 1, "hours": [{"system": "mqtt", "begin": 360, "end": 1320}, …],
     "otherwise": "web", "default": "default", "confirm_within_seconds": 1800}

Hours are minutes of the week on the clock of the device, from Monday 00:00; one that begins on
Sunday may end after its end. The rule is a function of the moment, so it does not matter how the
clock got there: set, jumped, or run on while the device was off.

Tested by ``tests/unit/device/settings/test_schedule.py``.
"""

import time

from reconix.base.documents import Fields, print_json
from reconix.base.records import dataclass
from reconix.store.paths import StorePath
from reconix.store.registry import NotInstalled, Registry

NAME = "schedule.json"
VERSION = 1
MAX_BYTES = 1 << 20
_DAY = 24 * 60
_WEEK = 7 * _DAY


@dataclass(frozen=True, slots=True)
class Hours:
    """When a system runs, in minutes of the week."""

    system: str
    begin: int
    end: int

    def has(self, minute: int) -> bool:
        """Whether they contain this minute of the week."""
        return self.begin <= minute < self.end or self.begin <= minute + _WEEK < self.end


@dataclass(frozen=True, slots=True)
class Change:
    """When another system is wanted, in seconds since 1970, and which."""

    at: int
    system: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which system is wanted at each minute of the week.

    Attributes:
        hours: of systems, which do not overlap.
        otherwise: what is wanted at all other times.
        default: the system to return to.
        confirm_within_seconds: how long another one may run without being confirmed.
    """

    hours: tuple[Hours, ...]
    otherwise: str
    default: str
    confirm_within_seconds: int | None

    @property
    def has_calendar(self) -> bool:
        """Whether it wants anything but the default system."""
        return bool(self.hours) or self.otherwise != self.default

    def wanted(self, minute: int) -> str:
        """The system for a minute of the week."""
        return next((each.system for each in self.hours if each.has(minute)), self.otherwise)

    def next_change(self, now: float) -> Change | None:
        """When another system is wanted than now, unless that is never."""
        minute = minute_of_week(now)
        present = self.wanted(minute)
        edges = {edge % _WEEK for each in self.hours for edge in (each.begin, each.end)}
        for ahead in sorted((edge - minute - 1) % _WEEK + 1 for edge in edges):
            system = self.wanted((minute + ahead) % _WEEK)
            if system != present:
                return Change(_moment(now, ahead), system)
        return None


def minute_of_week(now: float) -> int:
    """Where a moment lies in the week, on the clock and in the zone of the device."""
    local = time.localtime(now)
    return local.tm_wday * _DAY + local.tm_hour * 60 + local.tm_min


def _moment(now: float, ahead: int) -> int:
    """This many minutes later by the clock on the wall, whatever is done to it in between."""
    local = time.localtime(now)
    minute = local.tm_min + ahead
    date = (local.tm_year, local.tm_mon, local.tm_mday)
    return int(time.mktime((*date, local.tm_hour, minute, 0, 0, 0, -1)))


def print_schedule(schedule: Schedule) -> bytes:
    """``schedule.json`` of a toplevel."""
    return print_json(
        {
            "version": VERSION,
            "hours": [
                {"system": hours.system, "begin": hours.begin, "end": hours.end}
                for hours in schedule.hours
            ],
            "otherwise": schedule.otherwise,
            "default": schedule.default,
            "confirm_within_seconds": schedule.confirm_within_seconds,
        }
    )


def parse_schedule(content: bytes, *, source: str) -> Schedule:
    """Read ``schedule.json``.

    Raises:
        BadDocument: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(VERSION)
    limit = "confirm_within_seconds"
    return Schedule(
        tuple(
            Hours(each.text("system"), each.number("begin"), each.number("end"))
            for each in fields.objects("hours")
        ),
        fields.text("otherwise"),
        fields.text("default"),
        fields.number(limit) if fields.has(limit) else None,
    )


def read_schedule(registry: Registry, toplevel: StorePath) -> Schedule | None:
    """The schedule of the system with this toplevel, if it has one.

    Raises:
        ReconixError: it cannot be read.
    """
    try:
        content = registry.read(toplevel, NAME, limit_bytes=MAX_BYTES)
    except NotInstalled:
        return None
    return parse_schedule(content, source=f"{toplevel}/{NAME}")
