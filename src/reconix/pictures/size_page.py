"""A page that shows sizes: the treemap, and a table that says the same in words.

One file, without a script and without anything to load: it can be mailed, archived, opened on a
machine that has no network. A rule in its head forbids the browser to load anything.

Source: HTML Living Standard; Content Security Policy Level 3.
Tested by ``tests/unit/pictures/test_size_page.py``.
"""

from collections.abc import Iterable, Iterator, Sequence

from reconix.pictures.markup import text

MAX_TABLE_BYTES = 75_000
_STYLE = (
    "body{font:15px system-ui,sans-serif;margin:1.5em auto;max-width:76em;padding:0 1em}"
    "svg{width:100%;height:auto}"
    "table{border-collapse:collapse;margin-top:1.5em}"
    "td,th{padding:.2em 1.2em .2em 0;text-align:left;border-bottom:1px solid #8886}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def page(title: str, picture: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The page.

    Args:
        title: what it shows.
        picture: an SVG document.
        head: the titles of the columns; all but the last hold numbers.
        rows: the table, what matters first; what is beyond ``MAX_TABLE_BYTES`` is only counted.
    """
    shown = list(_bounded(_row(row, "td") for row in rows))
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        '<meta name="color-scheme" content="light dark">',
        '<meta http-equiv="Content-Security-Policy"',
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>",
        f"<body>\n{picture}<table>",
        f"<thead>{_row(head, 'th')}</thead><tbody>",
        *shown,
        "</tbody></table>",
        *([f"<p>{len(rows) - len(shown)} smaller ones</p>"] if len(rows) > len(shown) else []),
        "</body></html>",
    ]
    return "".join(f"{line}\n" for line in lines)


def _bounded(rows: Iterable[str]) -> Iterator[str]:
    size_bytes = 0
    for row in rows:
        size_bytes += len(row.encode()) + 1
        if size_bytes > MAX_TABLE_BYTES:
            return
        yield row


def _row(cells: Iterable[str], kind: str) -> str:
    *numbers, last = cells
    listed = "".join(f'<{kind} class="n">{text(cell)}</{kind}>' for cell in numbers)
    return f"<tr>{listed}<{kind}>{text(last)}</{kind}></tr>"
