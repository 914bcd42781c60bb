"""Paths that went and that a device asked for: what a boot shows of a minified system.

Who made the plan may have overlooked an edge; a boot does not overlook what was opened. Each path
is followed through the links of the full root. If it, or a link on the way, went, somebody wanted
it. That is expected where a sentence says that programs do without: of the rule that took it, one
of ours, or one of the project (``build/minify/named.py``), where it was only suggested, and where a
program was looked for by its name that another folder has.

Names relative to an open folder are not followed: a trace does not say which folder that was.

Tested by ``tests/unit/composition/test_asked_for.py``.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconix.build.minify import named
from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons
from reconix.build.software.links import follow, link_target
from reconix.build.software.programs import SEARCH_PATH


class Missed(NamedTuple):
    """A path that went, and a program that asked for it."""

    path: str
    task: str
    because: Because


@dataclass(frozen=True, slots=True)
class Watched:
    """A minified system that was watched.

    Attributes:
        root: its full root.
        reasons: of the build.
        without: paths, with their slash, of which the project says that nothing needs them.
    """

    root: Path
    reasons: Reasons
    without: Container[str]

    def missed(self, asked: Iterable[tuple[str, str]]) -> list[Missed]:
        """The paths that went and were asked for, by the first program that did, sorted.

        Args:
            asked: paths as programs have them, and the names of the programs.
        """
        found: dict[str, Missed] = {}
        for path, task in asked:
            if path.startswith("/"):
                for gone in self._gone(path):
                    found.setdefault(gone, Missed(gone, task, self.reasons.goes[gone]))
        return sorted(found.values())

    def unexpected(self, missed: Iterable[Missed]) -> list[Missed]:
        """Those that no sentence is about."""
        return [each for each in missed if not self._is_expected(each)]

    def _gone(self, path: str) -> Iterator[str]:
        passed: list[str] = []

        def target(here: str) -> str | None:
            said = link_target(self.root / here)
            if said is not None:
                passed.append(here)
            return said

        end = follow(target, path)
        for each in (*passed, end or ""):
            went = each in self.reasons.goes and each not in self.reasons.stays
            if went and not self._is_folder(each):
                yield each

    def _is_folder(self, path: str) -> bool:
        place = self.root / path
        return place.is_dir() and not place.is_symlink()

    def _is_expected(self, each: Missed) -> bool:
        is_said = named.is_expected(each.path, each.because, self.without)
        return is_said or self._is_found_later(each.path)

    def _is_found_later(self, path: str) -> bool:
        """Whether it is a program that another folder has in which programs are looked for."""
        folder, _, name = f"/{path}".rpartition("/")
        others = (f"{other}/{name}".lstrip("/") for other in SEARCH_PATH)
        return folder in SEARCH_PATH and any(each in self.reasons.stays for each in others)
