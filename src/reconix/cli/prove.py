"""Prove that no power cut during an update can keep a device from booting.

Makes the image of a generation, brings it to another one as a device does it, with the real agent
on the real kernel's ext4, and records every write and every flush. Then it builds the states in
which a power cut may have left the disk: after each flush, with any part of what was not flushed
yet, and with the last sector torn. Each is checked without booting it: what the firmware would
choose, whether that slot holds exactly the old or exactly the new generation, whether the file
system recovers, whether every object of what would boot is there and whole, and whether the agent
knows what to do next.

With --boot, as many of the states are started in QEMU as well, under a real firmware, until the
first program of a system says that it runs; that system must be of the generation that was
expected.

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
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import process
from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.files import remove_tree
from reconix.build.boot.initrd import ROOT_SCRIPT, SCRIPT
from reconix.build.pins import Pin, Pins
from reconix.cli import parsers, places
from reconix.cli.answers import answer
from reconix.cli.image import layout
from reconix.cli.sizes import human
from reconix.config.schema.hosts import Host
from reconix.image.disk import make_disk
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.prove.boots import Boot, Virtual, boot_some
from reconix.prove.case import keep, put_on, read_case, write_case
from reconix.prove.data_oracle import prove_data, record_data
from reconix.prove.data_workload import Persisting
from reconix.prove.oracle import Known
from reconix.prove.prover import Job, Result, Row, prove, replay, walking
from reconix.prove.record import record
from reconix.prove.recorder import Pace
from reconix.prove.workload import UPDATE, Update, everything
from reconix.prove.write_amplification import Writes, count_writes
from reconix.signing.project_keys import signer_of
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath
from reconix.transfer.sending import send
from reconix.transfer.sending.signing import Signer
from reconix.vm import accelerator

BAD = 36
STATES = 10_000
DATA_PART = 10
"""One state in so many is of the data partition, besides the others."""
LATEST = "latest"
GREETING = "Welcome to "
"""What the first program of a system says when it has been started, see systemd(1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-b",
        "--base",
        metavar="G",
        help="number or store path of the generation on the device (default: the one before)",
    )
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        default=LATEST,
        help="number or store path of the generation that it is updated to (default: the latest)",
    )
    parser.add_argument(
        "--states", type=int, default=STATES, metavar="N", help=f"how many (default: {STATES})"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of what is left to chance"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="(default: one for each core)")
    parser.add_argument(
        "--boot", type=int, default=0, metavar="N", help="really boot so many of them (default: 0)"
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
    folder: Path
    work: Path
    signer: Signer | None


def run(arguments: argparse.Namespace) -> int:
    """Prove it, or look at one case."""
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
            yield _Site(host, store, pins, workplace.folder, work, signer)
        finally:
            remove_tree(work)


# -- proving ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Everything that was found out."""

    base: Pin
    target: Pin
    results: list[Result]
    boots: list[Boot]
    cases: list[Path]
    writes: list[Writes]
    seconds: float

    @property
    def is_good(self) -> bool:
        return not any(result.bad for result in self.results) and not self.failed_boots

    @property
    def failed_boots(self) -> list[Boot]:
        return [boot for boot in self.boots if boot.problem]

    @property
    def problems(self) -> list[str]:
        return sorted({case.problem for result in self.results for case in result.cases})


def _prove(arguments: argparse.Namespace, site: _Site) -> int:
    began = time.monotonic()
    found = _Outcome(*_ends(arguments, site.pins), [], [], [], [], 0)
    image = _image(site, found.base.path)
    update = _update(site, found.base.path, found.target)
    wanted, seed = arguments.states // len(Pace), arguments.seed
    for pace in Pace:
        job = _record(site, image, update, pace)
        result = prove(job, wanted=wanted, seed=seed, processes=arguments.processes)
        found.results.append(result)
        found.results.append(_prove_data(site, image, found.target.path, pace, wanted, seed))
        if pace is Pace.QUIET:
            found.writes.extend(count_writes(job))
        found.cases.extend(_keep(site, job, result, update, pace))
        count = arguments.boot // len(Pace)
        if count:
            found.boots.extend(_boot(site, job, update, count, wanted=wanted, seed=seed))
    found = replace(found, seconds=time.monotonic() - began)
    answer(arguments, text=_text(found), document=_document(found))
    return 0 if found.is_good else BAD


def _boot(
    site: _Site, job: Job, update: Update, count: int, *, wanted: int, seed: int
) -> Iterator[Boot]:
    generations = {each.path: each for each in (update.base, update.target)}

    def says(path: StorePath) -> list[str]:
        generation = generations[path]
        toplevel = generation.system(generation.default).toplevel
        return [f"init={toplevel}/init", GREETING]

    virtual = Virtual(
        accelerator.choose(places.cache_home() / "accelerator"),
        site.host.machine.run.memory >> 20,
    )
    return boot_some(job, count, says, site.work, virtual, wanted=wanted, seed=seed)


def _ends(arguments: argparse.Namespace, pins: Pins) -> tuple[Pin, Pin]:
    """What is on the device, and what it is updated to."""
    target = pins.find(arguments.generation)
    if arguments.base is not None:
        return pins.find(arguments.base), target
    before = [pin for pin in pins.all() if pin.number < target.number]
    if not before:
        raise UsageError(
            f"no generation was built before generation {target.number}, so there is no update",
            hint="change something and build again; then prove the update between the two",
        )
    return before[-1], target


def _image(site: _Site, path: StorePath) -> Path:
    image = site.work / "image"
    make_disk(site.store, path, layout(site.host.machine), image)
    return image


def _known(site: _Site, path: StorePath) -> Known:
    return Known(read_generation(site.store.store_dir, path), site.store.manifest(path))


def _update(site: _Site, base: StorePath, target: Pin) -> Update:
    stream = site.work / "stream"
    with stream.open("wb") as file:
        sequence, signer = target.number, site.signer
        send.create(site.store, [base], target.path, file.write, sequence=sequence, signer=signer)
    return Update(_known(site, base).generation, _known(site, target.path).generation, stream)


def _record(site: _Site, image: Path, update: Update, pace: Pace) -> Job:
    known = [_known(site, path) for path in (update.base.path, update.target.path)]
    folder = site.work / pace.value
    folder.mkdir()
    return record(image, known, folder, lambda rig: everything(rig, update), pace=pace)


def _prove_data(
    site: _Site, image: Path, target: StorePath, pace: Pace, wanted: int, seed: int
) -> Result:
    """The part of the states that is about what persists; what is bad there is not kept."""
    scripts = SCRIPT.read_text() + ROOT_SCRIPT.read_text()
    persisting = Persisting(scripts, _persisting(site, target))
    folder = site.work / f"data-{pace.value}"
    folder.mkdir()
    job = record_data(image, persisting, folder, pace=pace)
    return prove_data(job, persisting, wanted=wanted // DATA_PART, seed=seed)


def _persisting(site: _Site, target: StorePath) -> tuple[tuple[str, str], ...]:
    """What the systems of a generation keep, sorted."""
    found: set[tuple[str, str]] = set()
    for system in _known(site, target).generation.systems:
        path = site.store.path(system.toplevel) / "persist"
        lines = path.read_text().splitlines() if path.exists() else []
        words = (line.split(maxsplit=1) for line in lines)
        found.update((folder, kept) for folder, kept in words)
    return tuple(sorted(found))


def _keep(site: _Site, job: Job, result: Result, update: Update, pace: Pace) -> list[Path]:
    """Write the bad states to files beside the host."""
    if not result.cases:
        return []
    kept = []
    with walking(job) as walk:
        for number, case in enumerate(result.cases, 1):
            path = site.folder / f"bad-{pace.value}-{number}.case"
            write_case(path, keep(walk, case, update.base.path, update.target.path))
            kept.append(path)
    return kept


# -- one case --------------------------------------------------------------------------------------


def _replay(arguments: argparse.Namespace, site: _Site) -> int:
    case = read_case(arguments.replay)
    image = _image(site, case.base)
    put_on(image, case)
    verdict = replay(
        image,
        [_known(site, path) for path in (case.base, case.target)],
        case.next_boots,
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


def _rows(results: list[Result]) -> list[Row]:
    """The rows of all results, those of equal steps added up."""
    names = list(dict.fromkeys(row.step for result in results for row in result.rows))
    return [
        Row.sum(name, [row for result in results for row in result.rows if row.step == name])
        for name in names
    ]


def _text(found: _Outcome) -> str:
    rows = _rows(found.results)
    writes = {each.step: each for each in found.writes}
    total = Row.sum("all", rows)
    lines = [
        f"{'operation':22} {'states':>7} {'old':>7} {'new':>7} {'bad':>5} "
        f"{'written':>11} {'different':>11}"
    ]
    lines += [_line(row, writes.get(row.step)) for row in [*rows, total]]
    lines.append(
        f"from generation {found.base.number} to {found.target.number}, "
        f"seed {found.results[0].seed}, {found.seconds:.0f} s; "
        f"a trial may have been the next boot in {total.trials} states"
    )
    update = _writes_of_update(found)
    lines.append(
        f"the update writes {human(update.written_bytes)}; {human(update.changed_bytes)} "
        f"of the disk are different then: {update.ratio:.2f} x"
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


def _writes_of_update(found: _Outcome) -> Writes:
    return Writes.sum("update", (each for each in found.writes if each.step in UPDATE))


def _document(found: _Outcome) -> JsonInput:
    rows = _rows(found.results)
    total = Row.sum("all", rows)
    return {
        "base": str(found.base.path),
        "generation": str(found.target.path),
        "seed": found.results[0].seed,
        "seconds": round(found.seconds),
        "states": total.states,
        "bad": total.bad,
        "booted": len(found.boots),
        "booted_wrong": len(found.failed_boots),
        "update": _print_writes(_writes_of_update(found)),
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
    return {"written_bytes": writes.written_bytes, "changed_bytes": writes.changed_bytes}
