"""Tell what this machine lacks, and the command that brings it.

Looks for every program that a command of reconix runs, with its version, and at what else a machine
must be able to do: make namespaces, grant user numbers, run guests; whether KVM really works; the
room for the store. Nothing is changed but a note about KVM in the cache, and no project is needed.

What only makes something faster, or is needed for some projects, is told with a `no` and does not
count.

Exit status: 0 everything is there that a command needs, 1 something is missing.
"""

import argparse
from collections.abc import Iterator

from reconix.base.documents import JsonInput
from reconix.base.text import one_line
from reconix.cli import features, places
from reconix.cli.answers import answer
from reconix.cli.features import Finding
from reconix.cli.parsers import add_json

_LACKS = 1
_INSTALL = "apt install "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look, and tell."""
    cache = places.cache_home() / "accelerator"
    found = [*features.programs(), *features.abilities(places.store(arguments), cache)]
    missed = [each for each in found if each.is_missed]
    lines = [*_lines(found), "", *_verdict(missed)]
    document: JsonInput = {
        "missing": [each.what for each in missed],
        "findings": [_document(each) for each in found],
    }
    answer(arguments, text="\n".join(map(one_line, lines)), document=document)
    return _LACKS if missed else 0


def _document(finding: Finding) -> dict[str, JsonInput]:
    return {
        "what": finding.what,
        "found": finding.found,
        "is_there": finding.is_there,
        "needed_by": list(finding.needed_by),
        "used_for": finding.used_for,
        "remedy": "" if finding.is_there else finding.remedy,
    }


def _lines(found: list[Finding]) -> Iterator[str]:
    wide = max(len(each.what) for each in found)
    found_wide = max(len(each.found) for each in found)
    for each in found:
        for_what = ", ".join(each.needed_by) or each.used_for
        columns = f"{_mark(each):<8}{each.what:<{wide}}  {each.found:<{found_wide}}  {for_what}"
        yield columns.rstrip()
        if not each.is_there and each.remedy:
            yield f"{'':<8}→ {each.remedy}"


def _mark(finding: Finding) -> str:
    if finding.is_there:
        return "ok"
    return "MISSING" if finding.needed_by else "no"


def _verdict(missed: list[Finding]) -> list[str]:
    """What to do about what is missing: all packages in one command, then the rest."""
    if not missed:
        return ["everything is there that a command of reconix needs"]
    commands = dict.fromkeys(name for each in missed for name in each.needed_by)
    remedies = [each.remedy for each in missed]
    packages = {name for each in remedies for name in each.partition(_INSTALL)[2].split()}
    how = next((each.partition(_INSTALL)[0] for each in remedies if _INSTALL in each), "")
    return [
        f"{len(missed)} missing; without {'it' if len(missed) == 1 else 'them'} these cannot work: "
        f"{', '.join(commands)}",
        *([f"  {how}{_INSTALL}{' '.join(sorted(packages))}"] if packages else []),
        *(f"  {each}" for each in remedies if _INSTALL not in each),
    ]
