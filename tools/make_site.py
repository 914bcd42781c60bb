"""Make the site: the files in ``docs/`` and the manual of each command, as pages.

    tools/make_site.py FOLDER

A link that leads nowhere is an error. Nothing is fetched, neither now nor by who reads the site.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reconix.cli import manual_pages

DOCS = Path(__file__).parent.parent / "docs"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")


def make(docs: Path, commands: Mapping[str, str], into: Path) -> int:
    """Make a site; the exit status is that of Sphinx.

    Args:
        docs: Markdown, with ``index.md``, and ``site/conf.py``.
        commands: more pages, below ``commands``.
        into: a folder, which is replaced.
    """
    shutil.rmtree(into, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="site-") as place:
        source = Path(place) / "docs"
        shutil.copytree(docs, source)
        for page in source.rglob("*.md"):
            page.write_text(
                without_links_to_code(page.read_text(), docs / page.relative_to(source))
            )
        for name, text in commands.items():
            (source / "commands").mkdir(exist_ok=True)
            (source / "commands" / name).write_text(text)
        words = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
        settings, seen = str(source / "site"), str(Path(place) / "seen")
        words += ["--conf-dir", settings, "--doctree-dir", seen, str(source), str(into)]
        return subprocess.run(
            [sys.executable, "-m", "sphinx", *words],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1", "LC_ALL": "C.UTF-8"},
            check=False,
        ).returncode


def without_links_to_code(text: str, page: Path) -> str:
    """What is no page of the site is named, and not linked.

    Args:
        text: of a page.
        page: its place, from which links are seen.
    """

    def said(link: re.Match[str]) -> str:
        target = (page.parent / link[2]).resolve()
        is_code = target.exists() and not target.is_relative_to(DOCS)
        return f"`{link[1].strip('`')}`" if is_code else link[0]

    return _LINK.sub(said, text)


if __name__ == "__main__":
    sys.exit(make(DOCS, manual_pages.pages(), Path(sys.argv[1])))
