"""What the kernel of a guest wrote down is read: whole, and without what its initrd did."""

import pytest

from reconix.vm import tracing
from reconix.vm.tracing import Asked, TraceIncomplete, parse_trace

HEAD = """\
# tracer: nop
#
# entries-in-buffer/entries-written: {}/{}   #P:1
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
"""
PROBE = "[000] .....     2.100002: asked: (do_filp_open+0x4/0x170) path="
EXEC = "[000] .....     7.384038: sched_process_exec: "
EVENTS = f"""\
           systemd-1       {PROBE}"/sbin/switch_root"
           systemd-1       {EXEC}filename=/usr/lib/systemd/systemd pid=1 old_pid=1
           systemd-1       {PROBE}"/etc/fstab"
 (sd-exec-strv)-12 -212     {PROBE}"/usr/bin/a-1 b"
           systemd-1       [000] .....     2.300000: sched_other: path="/etc/not"
           systemd-1       {PROBE}"/etc/fstab"
         unit "x"-300     {PROBE}"relative"
"""


def test_each_path_of_each_program_is_known_once_and_nothing_of_the_initrd() -> None:
    assert parse_trace((HEAD.format(6, 6) + EVENTS).encode()) == [
        Asked("/etc/fstab", "systemd"),
        Asked("/usr/bin/a-1 b", "(sd-exec-strv)-12 "),
        Asked("relative", 'unit "x"'),
    ]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (HEAD.format(5, 6) + EVENTS, "of 6 events the kernel has kept 5"),
        (HEAD.format(0, 0), "written down nothing"),
        ("", "written down nothing"),
    ],
)
def test_a_trace_that_is_not_whole_says_nothing(text: str, fact: str) -> None:
    with pytest.raises(TraceIncomplete, match=fact):
        parse_trace(text.encode())


def test_parameters_are_one_word_each() -> None:
    assert not any(" " in each or '"' in each for each in tracing.PARAMETERS)
