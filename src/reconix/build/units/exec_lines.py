"""The programs that a unit starts, as far as its text says.

    ExecStart=-@/usr/bin/air name --config /etc/air.toml
              └┬┘└────┬────┘
            prefixes  program: a path, or a name that is looked for

What is known on the device alone is passed over: specifiers (``%i``), variables, another root. So
is what a unit does without: a program behind ``-``, and one whose presence is a condition.

Source: systemd.service(5), *Command lines*; systemd.exec(5).
Tested by ``tests/unit/build/units/test_exec_lines.py``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.base.unit_text import assignments

_KEYS = {
    *("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"),
    *("ExecReload", "ExecStop", "ExecStopPre", "ExecStopPost"),
}
_SECTIONS = ("Service", "Socket", "Swap", "Mount")
_OTHER_ROOT = {"RootDirectory", "RootImage"}
_PREFIXES = re.compile(r"[-@:+!|]*")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
_CONDITIONS = {"ConditionPathExists", "ConditionFileIsExecutable", "ConditionFileNotEmpty"}
_FOUND_OUT_LATER = re.compile(r"(?<!%)(?:%%)*%(?!%)|\$")
"""Specifiers and variables; two percent signs stand for one."""


@dataclass(frozen=True, slots=True)
class Exec:
    """A line that starts a program."""

    key: str
    program: str


def programs(texts: Sequence[str]) -> Iterator[Exec]:
    """The programs that a unit starts and cannot do without.

    Args:
        texts: its own and those of its drop-ins, in order.
    """
    if any(key in _OTHER_ROOT and value for key, value in _all(texts)):
        return
    conditions = {value for key, value in assignments(texts, "Unit") if key in _CONDITIONS}
    for key, value in _in_force(texts):
        prefixes = _PREFIXES.match(value)
        begin = prefixes[0] if prefixes else ""
        word = _WORD.match(value[len(begin) :].lstrip())
        if not word or "-" in begin:
            continue
        program = next(group for group in word.groups() if group is not None)
        if not _FOUND_OUT_LATER.search(program) and program not in conditions:
            yield Exec(key, program.replace("%%", "%"))


def _all(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for section in _SECTIONS:
        yield from assignments(texts, section)


def _in_force(texts: Sequence[str]) -> list[tuple[str, str]]:
    """The lines that count: an empty one takes back those before it."""
    found: list[tuple[str, str]] = []
    for key, value in _all(texts):
        if key in _KEYS and value:
            found.append((key, value))
        elif key in _KEYS:
            found = [each for each in found if each[0] != key]
    return found


def accounts(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The users and groups that a unit runs as and that must exist: ``User`` or ``Group``, name."""
    lines = dict(assignments(texts, "Service"))
    if lines.get("DynamicUser", "no").lower() in ("1", "yes", "true", "on"):
        return
    for key in ("User", "Group"):
        name = lines.get(key, "")
        if name and not name.isdecimal() and not _FOUND_OUT_LATER.search(name):
            yield key, name
