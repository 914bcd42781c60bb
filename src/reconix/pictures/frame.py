"""What all our pictures have in common: an SVG document, its title, its colours.

They follow the reader's choice of a light or a dark page. A colour only repeats what a word says.
Whoever points at a part is told more of it; that is what SVG has ``title`` for, so there is no
script. Nothing is loaded.

Source: SVG 1.1, sections 5.4 (*title*) and 7 (*viewBox*).
Tested by ``tests/unit/pictures/test_treemap.py`` and what else tests a picture.
"""

from collections.abc import Iterable

from reconix.pictures.markup import text

TITLE = 34
"""How high the title is, which stands above all else."""
COLOURS = (
    ("#cfe2ff", "#21406b"),
    ("#ffe0bd", "#63390f"),
    ("#d3efcf", "#1f5130"),
    ("#f5d2ea", "#5f2a54"),
    ("#e2dcff", "#41367a"),
    ("#faeeaa", "#5a4d10"),
    ("#cdf0ef", "#14504f"),
    ("#e3e3e3", "#444444"),
)
"""On a light page with dark letters, on a dark page with light letters."""
_LIGHT = (
    "text{font:11px system-ui,sans-serif;fill:#1a1a1a}.head{font-weight:600}"
    ".top{font-size:17px;font-weight:600}.page{fill:#fff}.line{stroke:#1a1a1a;stroke-opacity:.2}"
    "g g:hover>rect{stroke:#1a1a1a;stroke-width:2}"
)
_DARK = "text{fill:#f2f2f2}.page{fill:#161616}.line{stroke:#f2f2f2}g g:hover>rect{stroke:#f2f2f2}"


def document(
    title: str, *, width: int, height: int, body: Iterable[str], light: str = "", dark: str = ""
) -> str:
    """A picture, as a document of its own or a part of a page.

    Classes ``c0`` to ``c7`` of groups have a colour each for their boxes.

    Args:
        title: what it shows.
        width: of all of it.
        height: of all of it, the title included.
        body: the lines of it, below ``TITLE``.
        light: more style.
        dark: more style on a dark page.
    """
    on_dark = f"@media(prefers-color-scheme:dark){{{_DARK}{_boxes(1)}{dark}}}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{text(title)}</title>",
        f"<style>{_LIGHT}{_boxes(0)}{light}{on_dark}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text class="top" x="6" y="23">{text(title)}</text>',
        *body,
        "</svg>",
    ]
    return "".join(f"{line}\n" for line in lines)


def colour(number: int) -> str:
    """The class of a group, of as many colours as there are."""
    return f"c{number % len(COLOURS)}"


def _boxes(page: int) -> str:
    pairs = enumerate(COLOURS)
    return "".join(f".c{number} rect{{fill:{fills[page]}}}" for number, fills in pairs)
