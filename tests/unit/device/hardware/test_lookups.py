"""Lines of the kernel's buffer are read as Linux 6.12 writes them."""

from pathlib import Path

import pytest

from reconix.device.hardware import lookups
from reconix.device.hardware.lookups import Event, Fork, LookUp, Lost, parse_line
from reconix.device.paths import Paths

LINES: dict[str, Event | None] = {
    "      monitor.sh-145     [000] .....     6.728979: looked_up: (vfs_statx+0x8d/0x100 <- "
    'filename_lookup) result=-2 comm="monitor.sh" path="/usr/bin/test-e"': LookUp(
        "/usr/bin/test-e", 145, "monitor.sh"
    ),
    "             cat-146     [000] .....     6.770965: opened: (do_sys_openat2+0xae/0xe0 <- "
    'do_filp_open) result=-2 comm="cat" path="/usr/bin/opened"': LookUp(
        "/usr/bin/opened", 146, "cat"
    ),
    "      monitor.sh-147     [000] .....     6.777782: opened: (do_open_execat+0x5c/0x100 <- "
    'do_filp_open) result=-2 comm="monitor.sh" path="/usr/bin/execd"': LookUp(
        "/usr/bin/execd", 147, "monitor.sh"
    ),
    "           <...>-12-9    [001] .....     1.0: opened: (do_open_execat+0x5c/0x100 <- "
    'do_filp_open) result=-2 comm="a" comm="b" path="/x" path="y"': LookUp(
        '/x" path="y', 9, 'a" comm="b'
    ),
    "      monitor.sh-145     [000] .....     6.729845: sched_process_fork: comm=monitor.sh "
    "pid=145 child_comm=monitor.sh child_pid=146": Fork(146, 145),
    "            init-1       [000] .....     6.616535: sched_process_fork: comm=a pid=7 "
    "pid=1 child_comm=b child_pid=8 child_pid=142": Fork(142, 1),
    "CPU:0 [LOST 4711 EVENTS]": Lost(4711),
    "# tracer: nop": None,
    "the second line of a name": None,
    "": None,
}


@pytest.mark.parametrize(("line", "event"), LINES.items())
def test_a_line_says(line: str, event: Event | None) -> None:
    assert parse_line(line.encode()) == event


def test_bytes_that_are_no_text_are_replaced() -> None:
    line = next(iter(LINES)).encode().replace(b"test-e", b"\xff")
    assert parse_line(line) == LookUp("/usr/bin/\ufffd", 145, "monitor.sh")


def test_where_nothing_was_begun_there_is_nothing_to_end(tmp_path: Path) -> None:
    paths = Paths(sysfs=tmp_path)
    lookups.end(paths)
    assert not lookups.has_begun(paths)
