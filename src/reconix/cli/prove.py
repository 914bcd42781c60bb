"""Search for a power cut during an update that would keep a device from booting.

Makes the image of a generation, brings it to another one as a device does it, with the real agent
on the real kernel's ext4, and records every write and every flush. Then it builds the states in
which a power cut may have left the disk: after each flush, with any part of what was not flushed
yet, and with the last sector torn. Each is checked without booting it: what the firmware would
choose, whether that slot holds exactly the old or exactly the new generation, whether the file
system recovers, whether every image and every content of what would boot is there and whole, and
whether the agent knows what to do next.

With --boot N, N of the states are started in QEMU as well, under a real firmware, until the first
program of a system says that it runs; that system must be of the generation that was
expected.

An update that needs no restart is made without one as well: where only containers of what runs
change, they are changed, taken back from one that does not come up, and restored; systemd is played
then, and of health only units and containers are asked for. Where nothing of what runs changes, the
update is adopted.

The data partition has a workload of its own: the first boot fills it, a factory reset empties it.
That is recorded and checked as well, with the scripts that do it on the device.

Everything is recorded twice: once with a kernel that writes as late as it may, once with one that
writes at every moment. The table shows what each operation writes in the first recording, and how
much of the disk is different after it.

A state that is bad is kept as a file; `--replay FILE` checks it again, and with `--output` makes
the image of a disk from it, to look at or to boot with `reconix run --image`.

Needs root, for loop devices and mounts, and room for two disk images.

Exit status: 0 no state is bad, 36 at least one is, or this machine cannot record.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import process
from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.files import remove_tree
from reconix.base.sizes import human
from reconix.build.pins import Pin, Pins
from reconix.cli import generations, needs, parsers, places
from reconix.cli.answers import answer
from reconix.cli.generations import Find
from reconix.config.schema.hosts import Host
from reconix.fleet.forecast.interruption import Interrupted, interruption
from reconix.image.disk import Layout, make_disk
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.prove.boots import Virtual
from reconix.prove.case import put_on, read_case
from reconix.prove.prover import Result, Row, replay
from reconix.prove.session import Extent, Outcome, Session
from reconix.prove.subject import Subject, known, prepare
from reconix.prove.workload import UPDATE, Workload, in_place, untouched
from reconix.prove.write_amplification import Writes
from reconix.signing.project_keys import signer_of
from reconix.transfer.sending.signing import Signer
from reconix.vm import accelerator

BAD = 36
STATES = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-b",
        "--base",
        metavar="G",
        help=f"on the device: {generations.WORDS} (default: the one before)",
    )
    generations.add_generation(parser, "what it is updated to: ")
    parser.add_argument(
        "--states",
        type=int,
        default=STATES,
        metavar="N",
        help=f"how many crash states to check (default: {STATES})",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="seed of the random choices (default: 1)"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="(default: one for each core)")
    parser.add_argument(
        "--boot",
        type=int,
        default=0,
        metavar="N",
        help="how many to boot as well (default: 0)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where the disk images go (default: beside the host)",
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="check one kept state again")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="its image (with --replay)"
    )
    parsers.add_json(parser)


@dataclass(frozen=True, slots=True)
class _Site:
    """A host, its store, and a folder to work in."""

    host: Host
    store: ChrootStore
    pins: Pins
    find: Find
    folder: Path
    work: Path
    signer: Signer | None


def run(arguments: argparse.Namespace) -> int:
    """Search, or look at one case."""
    needs.expect(*needs.PROVE)
    with _site(arguments) as site:
        if arguments.replay is not None:
            return _replay(arguments, site)
        if arguments.output is not None:
            raise UsageError("--output goes with --replay")
        return _prove(arguments, site)


@contextlib.contextmanager
def _site(arguments: argparse.Namespace) -> Iterator[_Site]:
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    workplace = files.workplace(host)
    workplace.make()
    parent: Path = arguments.work or workplace.folder
    with ChrootStore(places.store(arguments)) as store:
        work = Path(tempfile.mkdtemp(prefix="prove-", dir=parent))
        try:
            pins, signer = files.pins(store, host), signer_of(files)
            find = generations.finder(arguments, files, store, host)
            yield _Site(host, store, pins, find, workplace.folder, work, signer)
        finally:
            remove_tree(work)


# -- testing ---------------------------------------------------------------------------------------


def _prove(arguments: argparse.Namespace, site: _Site) -> int:
    ends = _ends(arguments, site)
    subject = prepare(site.store, ends, Layout.of(site.host.machine), site.signer, site.work)
    subject = replace(subject, more=without_restart(site.store, subject))
    extent = Extent(
        states=arguments.states,
        seed=arguments.seed,
        processes=arguments.processes,
        boots=arguments.boot,
        virtual=_virtual(site.host) if arguments.boot else None,
    )
    found = Session(subject, extent, site.work, site.folder).run()
    answer(arguments, text=_text(found, ends), document=_document(found, ends))
    return 0 if found.is_good else BAD


def without_restart(store: ChrootStore, subject: Subject) -> tuple[Workload, ...]:
    """What else is done with an update that needs no restart."""
    update = subject.update
    match interruption(store, update.base, update.target).what:
        case Interrupted.NOTHING:
            return (untouched,)
        case Interrupted.CONTAINERS:
            return (in_place,)
        case Interrupted.RESTART:
            return ()


def _virtual(host: Host) -> Virtual:
    how = accelerator.choose(places.cache_home() / "accelerator")
    return Virtual(how, host.machine.run.memory >> 20)


def _ends(arguments: argparse.Namespace, site: _Site) -> tuple[Pin, Pin]:
    """What is on the device, and what it is updated to."""
    find, pins = site.find, site.pins
    target = find(arguments.generation)
    if arguments.base is not None:
        return find(arguments.base), target
    before = [pin for pin in pins.all() if pin.number < target.number]
    if not before:
        raise UsageError(
            f"no generation was built before generation {target.number}, so there is no update",
            hint="change something, build again, then test the update between the two",
        )
    return before[-1], target


# -- one case --------------------------------------------------------------------------------------


def _replay(arguments: argparse.Namespace, site: _Site) -> int:
    case = read_case(arguments.replay)
    image = site.work / "image"
    make_disk(site.store, case.base, Layout.of(site.host.machine), image)
    put_on(image, case)
    verdict = replay(
        image,
        [known(site.store, path) for path in (case.base, case.target)],
        case.next_boots,
        case.ran,
    )
    if arguments.output is not None:
        process.run("cp", "--sparse=always", image, arguments.output)
    answer(
        arguments,
        text=f"cut in: {case.step}\nthen:   {case.problem}\nnow:    {verdict.problem or 'good'}",
        document={"step": case.step, "found": case.problem, "problem": verdict.problem},
    )
    return BAD if verdict.problem else 0


# -- telling ---------------------------------------------------------------------------------------


def _rows(results: Sequence[Result]) -> list[Row]:
    """The rows of all results, those of equal steps added up."""
    names = list(dict.fromkeys(row.step for result in results for row in result.rows))
    return [
        Row.sum(name, [row for result in results for row in result.rows if row.step == name])
        for name in names
    ]


def _text(found: Outcome, ends: tuple[Pin, Pin]) -> str:
    rows = _rows(found.results)
    writes = {each.step: each for each in found.writes}
    total = Row.sum("all", rows)
    lines = [
        f"{'operation':22} {'states':>7} {'old':>7} {'new':>7} {'bad':>5} "
        f"{'written':>11} {'different':>11}"
    ]
    lines += [_line(row, writes.get(row.step)) for row in [*rows, total]]
    lines.append(
        f"from generation {ends[0].number} to {ends[1].number}, "
        f"seed {found.results[0].seed}, {found.seconds:.0f} s; "
        f"a trial may have been the next boot in {total.trials} states"
    )
    update = _writes_of_update(found)
    lines.append(
        f"the update writes {human(update.written_bytes)}; {human(update.changed_bytes)} "
        f"of the disk are different then: {update.ratio:.2f} x"
    )
    parts = ", ".join(f"{each.part.value} {human(each.written_bytes)}" for each in update.parts)
    lines.append(
        f"it brings {human(found.content_bytes)} of contents, and writes {parts}: "
        f"{_overhead(found):.2f} x without the slot"
    )
    if found.boots:
        good = len(found.boots) - len(found.failed_boots)
        lines.append(f"really booted: {len(found.boots)}, as expected: {good}")
    lines += [f"kept: {path}" for path in found.cases]
    lines += [f"bad: {problem}" for problem in found.problems]
    lines += [f"boot: {boot.step}, {boot.cut}: {boot.problem}" for boot in found.failed_boots]
    return "\n".join(lines)


def _line(row: Row, writes: Writes | None) -> str:
    counts = f"{row.step:22} {row.states:7} {row.old:7} {row.new:7} {row.bad:5}"
    if writes is None:
        return counts
    return f"{counts} {human(writes.written_bytes):>11} {human(writes.changed_bytes):>11}"


def _writes_of_update(found: Outcome) -> Writes:
    return Writes.sum("update", (each for each in found.writes if each.step in UPDATE))


def _overhead(found: Outcome) -> float:
    """How much the update writes to the system partition for each byte of content."""
    brought = found.content_bytes
    return _writes_of_update(found).system_bytes / brought if brought else 0.0


def _document(found: Outcome, ends: tuple[Pin, Pin]) -> JsonInput:
    rows = _rows(found.results)
    total = Row.sum("all", rows)
    return {
        "base": str(ends[0].path),
        "generation": str(ends[1].path),
        "seed": found.results[0].seed,
        "seconds": round(found.seconds),
        "states": total.states,
        "bad": total.bad,
        "booted": len(found.boots),
        "booted_wrong": len(found.failed_boots),
        "update": _print_writes(_writes_of_update(found)),
        "content_bytes": found.content_bytes,
        "operations": [_print_row(row) for row in rows],
        "wear": [{"operation": each.step, **_print_writes(each)} for each in found.writes],
        "problems": [*found.problems],
        "cases": [str(path) for path in found.cases],
    }


def _print_row(row: Row) -> JsonInput:
    return {
        "operation": row.step,
        "states": row.states,
        "old": row.old,
        "new": row.new,
        "bad": row.bad,
        "trials": row.trials,
    }


def _print_writes(writes: Writes) -> dict[str, JsonInput]:
    return {
        "written_bytes": writes.written_bytes,
        "changed_bytes": writes.changed_bytes,
        "parts": {
            each.part.value: {
                "written_bytes": each.written_bytes,
                "changed_bytes": each.changed_bytes,
            }
            for each in writes.parts
        },
    }
