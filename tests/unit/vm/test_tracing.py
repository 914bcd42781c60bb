"""What the kernel of a guest wrote down is told by the system in whose root it was asked for."""

import pytest

from reconix.vm import tracing
from reconix.vm.trace_pages import Event, Linked, Looked, Root, Taken
from reconix.vm.tracing import Asked, AskedIn, TraceIncomplete, by_system, whole

INITRD, FIRST, SECOND, CONTAINER = Root(2, 1), Root(26, 1), Root(61, 1), Root(48, 9)
WEB, MQTT = "/nix/store/abc-system-web", "/nix/store/xyz-system-mqtt"


def looks(root: Root, path: str, *, by: int = 1, task: str = "x") -> Looked:
    return Looked(by, task, path, root)


def comes(toplevel: str) -> list[Event]:
    return [Linked("bin", "usr/bin"), Linked("system", toplevel)]


def systems(*events: Event) -> list[tuple[str, str]]:
    return [(each.system, each.asked.path) for each in by_system(events)]


STARTED: list[Event] = [
    looks(INITRD, "/init"),
    *comes(WEB),
    looks(INITRD, "/sbin/switch_root"),
    looks(FIRST, "/etc/fstab"),
]


def test_the_root_of_the_first_process_is_that_of_the_system_that_was_linked() -> None:
    assert systems(*STARTED) == [("", "/init"), ("", "/sbin/switch_root"), (WEB, "/etc/fstab")]


def test_a_container_has_another_root_although_its_paths_look_alike() -> None:
    inside = looks(CONTAINER, "/etc/fstab", by=90)
    beside = looks(FIRST, "/etc/hosts", by=91)
    assert systems(*STARTED, inside, beside)[3:] == [("", "/etc/fstab"), (WEB, "/etc/hosts")]


def test_after_a_soft_reboot_it_is_the_other_system_even_at_the_place_of_an_older_root() -> None:
    way: list[Event] = [
        *STARTED,
        *comes(MQTT),
        looks(FIRST, "/run/nextroot"),
        looks(SECOND, "/etc/a"),
        looks(FIRST, "/etc/late", by=70),
        *comes(WEB),
        looks(FIRST, "/etc/b"),
    ]
    assert systems(*way)[3:] == [
        (WEB, "/run/nextroot"),
        (MQTT, "/etc/a"),
        ("", "/etc/late"),
        (WEB, "/etc/b"),
    ]


def test_a_link_of_a_program_that_is_called_like_ours_changes_nothing() -> None:
    other = Linked("system", "/usr/lib/systemd/system")
    assert systems(*STARTED, other, looks(FIRST, "/etc/x"))[-1] == (WEB, "/etc/x")


def test_each_path_of_each_program_is_told_once_and_relative_ones_not_at_all() -> None:
    again = [looks(FIRST, "/etc/fstab", task=task) for task in ("x", "y", "x")]
    found = list(by_system([*STARTED, *again, looks(FIRST, "relative")]))
    assert found[2:] == [AskedIn(WEB, Asked("/etc/fstab", task)) for task in ("x", "y")]


def test_a_trace_that_is_whole_is_what_was_taken() -> None:
    assert whole(Taken(STARTED, 1)) == STARTED


@pytest.mark.parametrize(
    ("taken", "fact"),
    [
        (Taken([], 0), "written down nothing"),
        (Taken(STARTED, tracing.BUFFER_MIB * 256 - 2), "more than the 64 MiB"),
    ],
)
def test_a_trace_that_is_not_whole_says_nothing(taken: Taken, fact: str) -> None:
    with pytest.raises(TraceIncomplete, match=fact):
        whole(taken)


def test_parameters_are_one_word_each() -> None:
    assert not any(" " in each or '"' in each for each in tracing.PARAMETERS)
