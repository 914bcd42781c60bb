"""Change a module in small ways, one at a time, and see whether its tests notice.

    python tools/mutate.py FOLDER [MODULE ...] [--again | --sample N | --show] [--json]

MODULE is one of `MODULES`; without one, each of them is run.

A test that cannot fail looks like any other. mutmut changes one thing in one function (a
comparison, a number, an argument that is left out) and runs the tests that pass through this
function; a *mutant* that all of them let pass survives. The project is copied to FOLDER, best in
memory, so the checkout is never changed. What was found stays there: a run that was cut off goes
on where it was, and `--again` tries only the mutants that survived, with the tests as they are now.
Run by root, mutants see `/` and `/tmp` as read-only, but for FOLDER.
Where tests take long, `--sample N` tries N mutants of a module that has been begun.

The wording of errors is not changed: tests hold which error it is and where it comes from.

It is no part of the tests: a mutant that survives becomes one. See ``docs/mutation.md``.
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parent.parent
STORE, BOOT = "tests/unit/store", "tests/unit/boot"
FORMAT, RECEIVING = "tests/unit/transfer/format", "tests/unit/transfer/receiving"

SELECT = "tests/unit/device/select"

LONG = (
    "test_a_change_of_one_line_among_11000_files_costs_no_list_of_them",
    "test_any_generation_is_made_from_any_other",
    "test_any_generation_is_made_from_any_two_others",
    "test_archive_equals_that_of_nix",
    "test_b2_no_flipped_bit_of_a_header_changes_what_boots",
    "test_it_is_smaller_than_the_streams_of_the_bases_together",
    "test_no_stream_serves_more_bases_than_its_header_holds",
    "test_p3_p6_power_cut_in_a_switch_leaves_the_old_or_the_new_slot[idle arrays bad]",
    "test_p6_power_cut_in_a_repair_changes_no_selection[idle arrays bad]",
    "test_parsing_gives_back_the_events",
    "test_r1_a_disk_that_fills_meanwhile_is_given_back",
    "test_r1_too_few_inodes_are_refused_before_the_first_write",
    "test_r3_memory_does_not_depend_on_the_size_of_a_file_and_the_library_is_enough",
    "test_r1_a_disk_that_is_too_small_is_refused_before_the_first_write",
    "test_s1_truncated_at_any_byte_it_installs_nothing_and_names_the_byte",
    "test_s2_t3_whatever_is_done_to_a_signed_stream_it_is_refused",
    "test_s2_with_a_flipped_bit_anywhere_it_installs_nothing",
    "test_s6_s7_a_changed_payload_gives_the_target_or_a_refusal_within_what_was_declared",
    "test_the_order_of_the_bases_does_not_matter",
)
"""Tests of many examples or cuts, too long for each mutant: it must die without them."""

WATCHED = "test_one_that_is_not_healthy_is_left_by_a_restart_and_that_is_recorded"
"""A test in which time is over sooner than code that is watched so closely comes to its end."""

MODULES: dict[str, tuple[str, ...]] = {
    "store/nar": (
        f"{STORE}/test_nar.py",
        f"{STORE}/test_links.py",
        "tests/compat/test_nar.py",
        *(f"--deselect=tests/compat/test_nar.py::{name}" for name in LONG),
        *(f"--deselect={STORE}/test_nar.py::{name}" for name in LONG),
    ),
    "boot/tables": (
        f"{BOOT}/test_tables.py",
        "tests/crash/test_gpt_select.py",
        *(f"--deselect=tests/crash/test_gpt_select.py::{name}" for name in LONG),
    ),
    "boot/transitions": (f"{BOOT}/test_transitions.py", f"{BOOT}/test_trial.py"),
    "transfer/format/stream": (f"{FORMAT}/test_stream.py",),
    "transfer/receiving/receive": (
        f"{RECEIVING}/test_receive.py",
        f"{RECEIVING}/test_spool.py",
        "tests/unit/transfer/test_several_bases.py",
        *(f"--deselect={RECEIVING}/test_receive.py::{name}" for name in LONG),
        *(f"--deselect=tests/unit/transfer/test_several_bases.py::{name}" for name in LONG),
    ),
    "device/select/start": (
        f"{SELECT}/test_start.py",
        f"{SELECT}/test_soft_reboot.py",
        f"--deselect={SELECT}/test_soft_reboot.py::{WATCHED}",
        "tests/unit/device/test_without_agent.py",
        "tests/unit/device/trial/test_disks.py",
    ),
    "device/select/boot_plan": (f"{SELECT}/test_boot_plan.py",),
}
"""Modules whose tests are tried, each with the files in which these are."""

NOT_CHANGED = (r"^\s*raise ", r"super\(\)\.__init__\(", r"\bhint=")
"""Lines that are about the wording of an error."""

WITHOUT = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
"""Parts of pytest that are left out: what mutmut itself leaves open must fail no test."""

SHUT_IN = """
mount --rbind /tmp /tmp && mount --bind "$0" "$0" && mount -o remount,bind,ro /tmp &&
mount -o remount,bind,ro / && cd "$1" && shift && exec "$@"
"""
"""A script that runs a command where only one folder can be written, and what is no disk."""

LIMIT_FACTOR = 5
"""How many times as long as usual the tests of a mutant may take."""


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"
    UNTESTED = "untested"
    WAITING = "waiting"

    @classmethod
    def of(cls, status: int | None) -> "Fate":
        """What the exit status says that mutmut noted for it."""
        match status:
            case None | -2 | -15:  # the run was stopped
                return cls.WAITING
            case 0:
                return cls.SURVIVED
            case 5 | 33:
                return cls.UNTESTED
            case 24 | -24 | 36 | 152 | 255:
                return cls.TIMEOUT
        return cls.KILLED


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants of a module met which fate."""

    module: str
    killed: int
    timeout: int
    survived: int
    untested: int
    waiting: int

    @property
    def tried(self) -> int:
        """Mutants whose fate is known."""
        return self.killed + self.timeout + self.survived + self.untested

    @property
    def percent(self) -> float:
        """How many of them were noticed; a program that hangs is noticed, too."""
        return 100 * (self.killed + self.timeout) / max(self.tried, 1)

    def __str__(self) -> str:
        return (
            f"{self.module}: {self.percent:.1f} % of {self.tried} noticed: {self.killed} killed,"
            f" {self.timeout} timed out, {self.survived} survived, {self.untested} untested"
            + f", {self.waiting} to be tried"
            * (self.waiting > 0)
        )


class Trial:
    """One module and its tests, in a copy of the project."""

    def __init__(self, module: str, folder: Path) -> None:
        self.module = module
        self.copy = folder / module.replace("/", "-")
        self._mutants = self.copy / "mutants"
        self._found = self._mutants / "src" / "reconix" / f"{module}.py.meta"

    def prepare(self) -> None:
        """Bring the copy up to date; what was found about functions that stayed is kept."""
        for stale in ("src", "tests"):
            shutil.rmtree(self.copy / stale, ignore_errors=True)
        shutil.rmtree(self._mutants / "tests", ignore_errors=True)
        (self._mutants / "mutmut-stats.json").unlink(missing_ok=True)
        for name in _files():
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.copy / name)
        with (self.copy / "pyproject.toml").open("a") as file:
            file.write(_settings(self.module))

    def run(self, names: Iterable[str] = ()) -> None:
        """Try these mutants, or all that wait."""
        work = self.copy.with_suffix(".tmp")
        work.mkdir(parents=True, exist_ok=True)
        self._mutmut("run", "--max-children", "1", *names, TMPDIR=str(work))
        shutil.rmtree(work, ignore_errors=True)

    def fates(self) -> dict[str, Fate]:
        """Every mutant by its name."""
        if not self._found.exists():
            sys.exit(f"nothing was found about {self.module}: see {self.copy / 'log'}")
        codes = json.loads(self._found.read_text())["exit_code_by_key"]
        return {name: Fate.of(status) for name, status in codes.items()}

    def survivors(self) -> list[str]:
        """The names of the mutants that no test noticed."""
        unnoticed = (Fate.SURVIVED, Fate.UNTESTED)
        return [name for name, fate in self.fates().items() if fate in unnoticed]

    def sample(self, count: int) -> list[str]:
        """Some mutants that wait, the same ones each time."""
        waiting = sorted(name for name, fate in self.fates().items() if fate is Fate.WAITING)
        return random.Random(self.module).sample(waiting, min(count, len(waiting)))

    def score(self) -> Score:
        """The fates, counted."""
        fates = list(self.fates().values())
        return Score(self.module, **{fate.value: fates.count(fate) for fate in Fate})

    def change(self, name: str) -> list[str]:
        """The lines that a mutant takes away and puts there."""
        from_mutmut = importlib.import_module("mutmut.mutation.diff_apply")
        with contextlib.chdir(self.copy):
            shown = from_mutmut.get_diff_for_mutant(name, path=f"src/reconix/{self.module}.py")
        return [
            line
            for line in shown.splitlines()
            if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")
        ]

    def _mutmut(self, *words: str, **environment: str) -> None:
        program = Path(sys.executable).with_name("mutmut")
        command = shut_in(self.copy.parent, self.copy, [str(program), *words])
        inside = {**os.environ, **environment}
        with (self.copy / "log").open("wb") as log:
            subprocess.run(command, cwd=self.copy, env=inside, stdout=log, stderr=log, check=False)


def shut_in(folder: Path, place: Path, command: Sequence[str]) -> list[str]:
    """A command that runs at a place; if root runs it, it writes to no disk but to this folder.

    A mutant of code that writes files may write to any file that it can.
    """
    if os.geteuid() != 0:
        return [*command]
    return ["unshare", "--mount", "--", "sh", "-c", SHUT_IN, str(folder), str(place), *command]


def _files() -> list[str]:
    """The files of the project, changed ones as they are now."""
    words = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    names = sorted({name for name in listed.decode().split("\0") if name})
    return [name for name in names if (ROOT / name).is_file()]


def _settings(module: str) -> str:
    """What mutmut is told; lists of texts are spelled alike in JSON and in TOML."""
    copied = ["Makefile", "bench", "changes", "docs", "examples", "tools"]
    settings: dict[str, object] = {
        "source_paths": ["src"],
        "only_mutate": [f"src/reconix/{module}.py"],
        "do_not_mutate_patterns": NOT_CHANGED,
        "also_copy": copied,
        "pytest_add_cli_args": ["-n0", *WITHOUT],
        "pytest_add_cli_args_test_selection": MODULES[module],
        "timeout_multiplier": float(LIMIT_FACTOR),
        "timeout_constant": 15.0,
        "use_setproctitle": False,
        "use_git_change_detection": False,
    }
    lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    return "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"


def _print(trials: Sequence[Trial]) -> None:
    for trial in trials:
        for name in trial.survivors():
            print(name.removeprefix("reconix."), *trial.change(name), sep="\n    ")
        print(trial.score())


def _print_json(trials: Sequence[Trial]) -> None:
    found = [
        {
            **asdict(trial.score()),
            "percent": round(trial.score().percent, 1),
            "survivors": {name: trial.change(name) for name in trial.survivors()},
        }
        for trial in trials
    ]
    print(json.dumps(found, indent=2, ensure_ascii=False))


def main() -> None:
    """Run the trials that were asked for, and tell what survived."""
    parser = argparse.ArgumentParser(description="See whether tests notice changes of their module")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--again", action="store_true", help="try those that survived again")
    parser.add_argument("--sample", type=int, metavar="N", help="try N of those that wait")
    parser.add_argument("--show", action="store_true", help="only print what was found so far")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    arguments = parser.parse_intermixed_args()
    unknown = set(arguments.modules) - set(MODULES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(MODULES)}")
    chosen = arguments.modules or MODULES
    trials = [Trial(module, arguments.folder.absolute()) for module in chosen]
    for trial in () if arguments.show else trials:
        trial.prepare()
        if arguments.sample:
            trial.run(trial.sample(arguments.sample))
        elif not arguments.again:
            trial.run()
        elif again := trial.survivors():
            trial.run(again)
    (_print_json if arguments.json else _print)(trials)


if __name__ == "__main__":
    main()
