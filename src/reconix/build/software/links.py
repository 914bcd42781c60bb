"""Links followed as a device follows them: they never lead out of its root.

A link to ``/usr/bin/mawk`` in a root that lies in a store does not mean the program of this
machine. So a path is followed step by step, as text, and each step is looked up where it lies here.
Paths are those of the device, without the slash in front.

Source: path_resolution(7).
Tested by ``tests/unit/build/software/test_links.py``.
"""

import os
import posixpath
from collections.abc import Callable
from pathlib import Path

_MAX_LINKS = 40  # as in the kernel

Target = Callable[[str], str | None]
"""Where the link at a path leads to, as it says; nothing if there is no link at that path."""


def link_target(place: Path) -> str | None:
    """What a link says; nothing if there is none. The folders above it must be no links."""
    try:
        return os.readlink(place)  # noqa: PTH115 - Path would normalise it
    except OSError:
        return None


def follow(target: Target, path: str, *, last: bool = True) -> str | None:
    """The path that is really meant, with no link in it; nothing if links lead in a circle.

    Args:
        target: says where links lead to.
        path: relative to the root.
        last: whether the path itself is followed, too, if it is a link.
    """
    done: list[str] = []
    waiting = _steps(path)
    links = 0
    while waiting:
        step = waiting.pop(0)
        if step == "..":
            del done[-1:]
            continue
        here = posixpath.join(*done, step)
        said = target(here) if waiting or last else None
        if said is None:
            done.append(step)
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        done = [] if said.startswith("/") else done
        waiting = [*_steps(said), *waiting]
    return "/".join(done)


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step not in ("", ".")]
