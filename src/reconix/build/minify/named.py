"""Named but gone: paths that went although a file that stays names them.

Not all that a file names is reached: a library that everybody uses names what hardly anybody needs,
and a path may stand in a message. So such a path may go, but not unnoticed. Each needs a sentence:
that of the rule that took it, one of those below, or one of the project (``minify.without``). One
that has none is an error of the build: somebody has to look whether an edge is missing.

Comments of settings name nothing, and neither do lists of all that a root had. What a link leads to
is looked at with the link. Folders are not looked at: one in which nothing stays is empty, and
programs make or miss those.

Tested by ``tests/unit/build/minify/test_named.py``.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.build.minify.edges import texts
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons
from reconix.build.software.elf import MAGIC

_TOLD = 10
_LISTS = re.compile(r"etc/ld\.so\.cache|var/lib/dpkg/status")
"""They name what a root had."""
_LIBRARIES = r"usr/lib/[^/]+-linux-gnu"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Why a path may go that a file names which stays.

    Attributes:
        path: pattern of the one.
        by: pattern of the other.
        because: the reason.
        is_tried: whether the one who names it may look for it, and goes on without.
    """

    path: str
    by: str
    because: str
    is_tried: bool = False


_SUGGESTED = "only suggested by "

ALL = (
    Sentence(r".*", r"usr/lib/tmpfiles\.d/.*", "what is not there is made, or left alone"),
    Sentence(
        r"usr/(?:bin|sbin)/.*",
        r"usr/lib/python3.*\.py",
        "modules do without, or tell of it in their documentation",
    ),
    Sentence(
        r"etc/mime\.types|etc/matplotlibrc",
        r"usr/lib/python3.*\.py",
        "without it what is built in counts",
        is_tried=True,
    ),
    Sentence(
        r"etc/(?:libaudit\.conf|vconsole\.conf|netconfig|locale\.alias|selinux/semanage\.conf)",
        rf"{_LIBRARIES}/.*",
        "without it what is built in counts",
        is_tried=True,
    ),
    Sentence(
        r"(?:root|home/[^/]+)/\.[\w-]+",
        r"usr/bin/(?:ba|da)?sh",
        "a shell does without settings of its own",
        is_tried=True,
    ),
    Sentence(r".*", r"usr/.*/Config(?:_heavy\.pl|\.pm)", "tells how Perl was built"),
    Sentence(
        r"usr/lib/systemd/systemd-pcrextend",
        r"usr/lib/systemd/system/systemd-pcr.*",
        "the unit starts only from an image that has kernel and initrd in one",
    ),
    Sentence(
        r"usr/lib/systemd/systemd-ssh-proxy",
        r"usr/lib/systemd/ssh_config\.d/.*",
        "nobody logs in from there to virtual machines",
    ),
    Sentence(
        rf"{_LIBRARIES}/glib-2\.0/gio-launch-desktop",
        rf"{_LIBRARIES}/libgio-2\.0\.so.*",
        "nobody starts programs of a desktop",
    ),
    Sentence(
        rf"{_LIBRARIES}/libfribidi\.so.*",
        rf"{_LIBRARIES}/libnewt\.so.*",
        "dialogues are written from left to right without",
        is_tried=True,
    ),
    Sentence(
        r"usr/bin/loginctl",
        r"usr/lib/udev/rules\.d/71-seat\.rules",
        "nobody works at a screen that a drive bay locks",
    ),
    Sentence(
        r"usr/bin/tar",
        r"usr/bin/dash",
        "`reconix cp` looks for it, and has Python do it without",
        is_tried=True,
    ),
    Sentence(r"usr/bin/sort", r"usr/bin/basename", "its help has it as an example"),
    Sentence(
        r"usr/share/X11/.*",
        rf"{_LIBRARIES}/libX11\.so.*",
        "errors have numbers without",
        is_tried=True,
    ),
)
"""All sentences; the first one that is about a path counts."""


class Named(NamedTuple):
    """A path that went, and the first file that names it."""

    path: str
    by: str


class NamedButGone(ReconixError):
    """Files that stay name paths that went, and nobody has said why that is right."""

    exit_code = 62

    def __init__(self, found: Sequence[Named]) -> None:
        told = [f"/{one_line(each.by)} names /{one_line(each.path)}" for each in found[:_TOLD]]
        told += [f"and {len(found) - _TOLD} more"] if len(found) > _TOLD else []
        keep = ", ".join(f'"/{one_line(each.path)}"' for each in found[:_TOLD])
        super().__init__(
            "\n".join(["minify would take what a file names that stays:", *told]),
            hint=f"to have it: minify.keep = [{keep}]; if it is not needed, say why: "
            f'minify.without."/{one_line(found[0].path)}" = "…"',
        )


def check(files: Files, reasons: Reasons, without: Container[str]) -> None:
    """Refuse a plan in which something goes unnoticed.

    Args:
        files: of the device, with its full root.
        reasons: the plan.
        without: paths, with their slash, of which the project says that nothing needs them.

    Raises:
        NamedButGone: with all that was found.
    """
    known = (each for each in named(files, reasons) if f"/{each.path}" not in without)
    found = {each.path: each for each in known if not has_sentence(each)}
    if found:
        raise NamedButGone(sorted(found.values()))


def has_sentence(each: Named) -> bool:
    """Whether one of ours is about it."""
    return any(
        re.fullmatch(sentence.path, each.path) and re.fullmatch(sentence.by, each.by)
        for sentence in ALL
    )


def is_expected(path: str, because: Because, without: Container[str]) -> bool:
    """Whether those who ask for a path that went do without: a sentence says so.

    Args:
        path: without its slash.
        because: why it went.
        without: as above.
    """
    is_suggested = because.how.startswith(_SUGGESTED)
    is_told = any(re.fullmatch(each.path, path) for each in ALL if each.is_tried)
    return bool(because.by) or is_suggested or is_told or f"/{path}" in without


def named(files: Files, reasons: Reasons) -> Iterator[Named]:
    """What files name that stay, and what no rule took."""
    for path in sorted(reasons.stays):
        node = files.nodes.get(path)
        if node is not None and node.is_file and not _LISTS.fullmatch(path):
            for named_path in texts.paths(_without_comments(files.content(path))):
                yield from (Named(each, path) for each in _gone(files, reasons, named_path))


def _gone(files: Files, reasons: Reasons, path: str) -> Iterable[str]:
    way = files.way(path)
    if way is None or not files.leads_somewhere(way):
        return  # nothing was ever there
    for each in (*way.links, way.end):
        because = reasons.goes.get(each)
        if because is not None and not because.by and _is_leaf(files, each):
            yield each


def _is_leaf(files: Files, path: str) -> bool:
    node = files.nodes[path]
    return node.is_of_root and not node.is_folder


def _without_comments(content: bytes) -> bytes:
    return content if content.startswith(MAGIC) else texts.without_comments(content)
