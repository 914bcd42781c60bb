"""Show what a device took time for at its last start: phases and units.

    reconix timeline                   the virtual device that `reconix run` has started
    reconix timeline --svg start.svg   the same as a picture

The phases are those of firmware, loader, kernel, initrd and userspace, or that of a soft reboot.
Firmware and loader are told where the loader measures them: systemd-boot does, but not in QEMU, and
U-Boot does not. Units that took longest are shown, in the order in which they began, and targets,
which take no time and say how far it has come.

--svg writes a picture into a file that asks for nothing else and has no script.

Exit status: 0 success, 78 the device cannot be reached.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.files import write_durably
from reconix.base.text import one_line
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.shell import add_device_arguments, device_of
from reconix.cli.sizes import table
from reconix.cli.words import counted
from reconix.fleet import start
from reconix.fleet.start import Span, Start
from reconix.pictures import timeline
from reconix.pictures.timeline import Bar

_SHOWN = 25
_SECOND = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("--all", action="store_true", help="also units that took little time")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write a picture")
    add_device_arguments(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    host, device = device_of(arguments)
    found = start.ask(device)
    if arguments.svg is not None:
        write_durably(arguments.svg.absolute(), draw(host.name, found).encode())
    units = found.units if arguments.all else found.notable(_SHOWN)
    text = "\n".join(map(one_line, _lines(host.name, found, units)))
    answer(arguments, text=text, document=_document(host.name, found))
    return 0


def draw(name: str, found: Start) -> str:
    """The start of a device as a picture.

    Args:
        name: of the device.
        found: what it has told.
    """
    zero = found.phases[0].begin
    units = found.notable(timeline.MAX_BARS - len(found.phases))
    phases = [[_bar(span, zero)] for span in found.phases]
    shown = [_bar(unit, zero) for unit in units]
    left = len(found.units) - len(units)
    more = [f"Not shown: {counted(left, 'unit')} that took less time."] if left else []
    notes = [*_notes(found), *more]
    return timeline.draw(_title(name, found), notes, [*phases, shown])


def _bar(span: Span, zero: int) -> Bar:
    begin, end = span.begin - zero, span.end - zero
    told = f"{span.name}: from {begin / _SECOND:.3f} s to {end / _SECOND:.3f} s"
    return Bar(span.name, told, begin, end)


def _title(name: str, found: Start) -> str:
    return f"{name}: started in {found.microseconds / _SECOND:.1f} s"


def _notes(found: Start) -> Iterator[str]:
    if found.untold:
        yield f"Not told by this device: how long its {' and '.join(found.untold)} took."
    if not found.is_finished:
        yield "It is still starting."


def _lines(name: str, found: Start, units: Sequence[Span]) -> Iterator[str]:
    yield _title(name, found)
    yield from _notes(found)
    yield ""
    yield from table([("begin", "took", "phase"), *_cells(found.phases, found)])
    yield ""
    yield from table([("begin", "took", "unit"), *_cells(units, found)])
    if len(units) < len(found.units):
        yield f"that took less time: {len(found.units) - len(units)}, with --all"


def _cells(spans: Sequence[Span], found: Start) -> Iterator[tuple[str, ...]]:
    zero = found.phases[0].begin
    for span in spans:
        took = span.microseconds / _SECOND
        yield f"{(span.begin - zero) / _SECOND:.2f} s", f"{took:.2f} s", span.name


def _document(name: str, found: Start) -> JsonInput:
    return {
        "host": name,
        "finished": found.is_finished,
        "untold": [*found.untold],
        "phases": [_span_document(each) for each in found.phases],
        "units": [_span_document(each) for each in found.units],
    }


def _span_document(span: Span) -> JsonInput:
    return {"name": span.name, "begin_microseconds": span.begin, "end_microseconds": span.end}
