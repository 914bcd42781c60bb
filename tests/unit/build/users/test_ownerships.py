"""Owners and modes that stand beside a root."""

from reconix.build.users.ownerships import Ownership, ownership, print_ownerships


def test_only_unusual_owners_and_modes_outside_usr_are_listed() -> None:
    file, folder = 0o100000, 0o040000
    listed = [
        ownership("etc/passwd", mode=file | 0o644, user=0, group=0),
        ownership("usr/bin/passwd", mode=file | 0o4755, user=0, group=0),
        ownership("etc/shadow", mode=file | 0o640, user=0, group=42),
        ownership("var/tmp", mode=folder | 0o1777, user=0, group=0),
        ownership("var/lib/mosquitto", mode=folder | 0o755, user=100, group=0),
        ownership("srv/tftp", mode=folder | 0o755, user=0, group=65534),
        ownership("root", mode=folder | 0o700, user=0, group=0),
    ]
    assert listed == [
        None,
        None,
        Ownership("etc/shadow", 0o640, 0, 42),
        Ownership("var/tmp", 0o1777, 0, 0),
        Ownership("var/lib/mosquitto", 0o755, 100, 0),
        Ownership("srv/tftp", 0o755, 0, 65534),
        Ownership("root", 0o700, 0, 0),
    ]


def test_the_list_is_sorted_and_plain() -> None:
    entries = [Ownership("var/tmp", 0o1777, 0, 0), Ownership("etc/shadow", 0o640, 0, 42)]
    assert print_ownerships(entries) == b"0640 0 42 /etc/shadow\n1777 0 0 /var/tmp\n"
