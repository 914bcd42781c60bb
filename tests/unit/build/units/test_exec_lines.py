"""Which programs and accounts a unit cannot do without."""

import pytest

from reconix.build.units.exec_lines import Exec, accounts, programs


def found(*texts: str) -> list[str]:
    return [each.program for each in programs(texts)]


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("/opt/air/bin/air --config /etc/air.toml", "/opt/air/bin/air"),
        ("!!/opt/air/bin/air", "/opt/air/bin/air"),
        ("@/opt/air/bin/air name", "/opt/air/bin/air"),
        ("+:/opt/air/bin/air", "/opt/air/bin/air"),
        ('"/opt/my air/air" x', "/opt/my air/air"),
        ("'/opt/my air/air' x", "/opt/my air/air"),
        ("air", "air"),
        ("/opt/100%%", "/opt/100%"),
        ("-/opt/air/bin/air", None),
        ("/opt/%i/air", None),
        ("${AIR}/air", None),
        ("$AIR", None),
        ("/opt/air \\\n  --long", "/opt/air"),
    ],
)
def test_a_line_names_a_program_or_what_only_a_device_knows(line: str, program: str | None) -> None:
    text = f"[Unit]\nDescription=x\n[Service]\nExecStart={line}\n"
    assert found(text) == ([program] if program else [])


def test_all_lines_count_and_an_empty_one_takes_back() -> None:
    unit = "[Service]\nExecStartPre=/a\nExecStart=/b\nExecStop=/c\n"
    assert list(programs([unit])) == [
        Exec("ExecStartPre", "/a"),
        Exec("ExecStart", "/b"),
        Exec("ExecStop", "/c"),
    ]
    assert found(unit, "[Service]\nExecStart=\nExecStart=/d\n") == ["/a", "/c", "/d"]


@pytest.mark.parametrize("line", ["RootDirectory=/srv/root", "RootImage=/srv/image"])
def test_programs_of_another_root_are_not_ours(line: str) -> None:
    assert found(f"[Service]\n{line}\nExecStart=/b\n") == []


def test_a_program_whose_presence_is_a_condition_may_be_missing() -> None:
    text = "[Unit]\nConditionFileIsExecutable=/b\n[Service]\nExecStart=/b\nExecStop=/c\n"
    assert found(text) == ["/c"]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("User=air\nGroup=data\n", [("User", "air"), ("Group", "data")]),
        ("User=air\nDynamicUser=yes\n", []),
        ("User=1000\n", []),
        ("User=%i\n", []),
        ("User=a\nUser=b\n", [("User", "b")]),
        ("User=a\nUser=\n", []),
    ],
)
def test_accounts_that_must_exist_are_named(lines: str, names: list[tuple[str, str]]) -> None:
    assert list(accounts([f"[Service]\n{lines}"])) == names
