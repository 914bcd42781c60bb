"""What a device says of its last start, as one has said it."""

import pytest
from tests.project_files import ROOT

from reconix.base.documents import BadDocument
from reconix.fleet.start import Span, parse_start

DATA = ROOT / "tests/data/start"
MANAGER, UNITS, KERNEL = (
    (DATA / name).read_bytes() for name in ("manager.txt", "units.txt", "kernel.json")
)
UNIT = b"""\
Id=%s
InactiveExitTimestampMonotonic=%d
ActiveEnterTimestampMonotonic=%d
ActiveExitTimestampMonotonic=0
InactiveEnterTimestampMonotonic=%d
"""


def manager(**times: int) -> bytes:
    names = {"SoftRebootsCount": times.pop("soft", 0)}
    names |= {f"{name}TimestampMonotonic": value for name, value in times.items()}
    return "".join(f"{name}={value}\n" for name, value in names.items()).encode()


def test_what_a_device_has_said_is_one_phase_after_the_other() -> None:
    found = parse_start(MANAGER, UNITS, KERNEL, source="device")
    assert found.phases == (
        Span("kernel", 0, 5_821_111),
        Span("initrd", 5_821_111, 13_658_359),
        Span("userspace", 13_658_359, 112_222_821),
    )
    assert found.is_finished and found.untold == ("firmware", "loader")
    assert found.microseconds == 112_222_821
    names = [unit.name for unit in found.units]
    assert {"systemd-journald.service", "multi-user.target", "etc.mount"} <= {*names}
    assert names.index("systemd: generators") < names.index("systemd: reading units")
    assert len(names) == len({*names})


def test_units_that_took_time_are_notable_and_so_are_targets() -> None:
    found = parse_start(MANAGER, UNITS, KERNEL, source="device")
    names = [unit.name for unit in found.notable(99)]
    assert "multi-user.target" in names and "systemd-sysctl.service" in names
    assert "etc.mount" not in names
    three = found.notable(3)
    assert [unit.begin for unit in three] == sorted(unit.begin for unit in three)
    assert min(unit.microseconds for unit in three) >= 12_000_000


def test_what_was_before_the_kernel_is_told_as_time_before_it() -> None:
    said = manager(Firmware=9_000, Loader=4_000, Userspace=700, Finish=900)
    found = parse_start(said, b"", b"", source="device")
    assert found.phases == (
        Span("firmware", -9_000, -4_000),
        Span("loader", -4_000, 0),
        Span("kernel and initrd", 0, 700),
        Span("userspace", 700, 900),
    )
    assert found.untold == () and found.microseconds == 9_900


def test_an_initrd_with_systemd_says_itself_when_it_began() -> None:
    said = manager(InitRD=300, Userspace=700, Finish=900)
    assert parse_start(said, b"", KERNEL, source="device").phases[:2] == (
        Span("kernel", 0, 300),
        Span("initrd", 300, 700),
    )


def test_after_a_soft_reboot_there_is_no_kernel_to_tell_of() -> None:
    said = manager(soft=2, Userspace=700, ShutdownStart=500, Finish=900)
    units = b"\n".join([UNIT % (b"before", 100, 200, 0), UNIT % (b"after", 750, 800, 0)])
    found = parse_start(said, units, KERNEL, source="device")
    assert found.phases == (Span("soft reboot", 500, 700), Span("userspace", 700, 900))
    assert [unit.name for unit in found.units] == ["after"]
    assert found.untold == ()


def test_what_began_later_or_never_is_not_of_the_start() -> None:
    units = [
        UNIT % (b"once", 100, 0, 400),
        UNIT % (b"later", 1000, 1100, 0),
        UNIT % (b"never", 0, 0, 0),
        UNIT % (b"hangs", 120, 0, 0),
    ]
    said = manager(Userspace=90, Finish=900)
    found = parse_start(said, b"\n".join(units), b"", source="device")
    assert found.units == (Span("once", 100, 400),)


def test_a_start_that_goes_on_ends_with_what_came_last() -> None:
    found = parse_start(manager(Userspace=90), UNIT % (b"one", 100, 400, 0), b"", source="device")
    assert not found.is_finished and found.phases[-1] == Span("userspace", 90, 400)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"UserspaceTimestampMonotonic=soon\n",
        b"UserspaceTimestampMonotonic=" + b"9" * 40,
        manager(Userspace=900, Finish=100),
        manager(Loader=9, Firmware=1, Userspace=1, Finish=2),
        "UserspaceTimestampMonotonic=²\n".encode(),
    ],
)
def test_what_cannot_be_is_refused(said: bytes) -> None:
    with pytest.raises(BadDocument):
        parse_start(said, b"", b"", source="device")


@pytest.mark.parametrize("kernel", [b"no JSON", b"{}", b'{"_SOURCE_MONOTONIC_TIMESTAMP": "x"}'])
def test_a_journal_that_says_something_else_is_refused(kernel: bytes) -> None:
    with pytest.raises(BadDocument):
        parse_start(manager(Userspace=1, Finish=2), b"", kernel, source="device")
