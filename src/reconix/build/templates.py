"""Units and scripts that a build writes: files in ``build/data``, with places to fill in.

A place is written ``@name@``, as in the templates of Meson and autoconf: ``$`` and ``%`` have
meanings of their own in units and shells. A comment at the beginning says why there is such a file;
it stays here.

Tested by ``tests/unit/build/test_templates.py``.
"""

import itertools
import re
from functools import cache
from pathlib import Path

DATA = Path(__file__).with_name("data")
"""Scripts and templates."""

_PLACE = re.compile(r"@(\w+)@")


def fill(name: str, **values: str) -> str:
    """The text of a template.

    Args:
        name: of its file, below ``DATA``.
        values: what stands in its places.

    Raises:
        KeyError: there is a place without a value.
    """
    return _PLACE.sub(lambda place: values[place[1]], _template(name))


@cache
def _template(name: str) -> str:
    lines = (DATA / name).read_text().splitlines(keepends=True)
    return "".join(itertools.dropwhile(lambda line: line.startswith("# "), lines))
