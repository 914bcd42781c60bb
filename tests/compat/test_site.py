"""The site: each link of the documents leads somewhere, and readers fetch nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough

from reconix.cli.commands import available

MAKE = ROOT / "tools/make_site.py"
FETCHED = re.compile(
    r"""(?:\bsrc=|<link\b[^>]*\bhref=|url\(|@import\s*)["']?((?:https?:)?//[^"')\s]+)"""
)
"""What a browser gets by itself; a link that somebody clicks is another matter."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, MAKE, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_each_document_is_a_page_that_can_be_found_from_the_first(site: Path) -> None:
    """Sphinx itself refuses a page that no other lists."""
    documents = sorted((ROOT / "docs").rglob("*.md"))
    for document in enough(documents, at_least=100, what="documents"):
        page = site / document.relative_to(ROOT / "docs").with_suffix(".html")
        assert page.is_file(), page


def test_each_command_has_a_page(site: Path) -> None:
    for name in available():
        text = (site / f"commands/{name}.html").read_text()
        assert f"<h1>reconix {name}<" in text


def test_a_reader_fetches_nothing_from_elsewhere(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    for file in enough(files, at_least=100, what="pages and styles"):
        found = [
            address
            for address in FETCHED.findall(file.read_text())
            if not address.startswith("//www.w3.org/")
        ]
        assert not found, f"{file.relative_to(site)}: {found}"


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    """The site of another folder of documents, of two pages."""
    docs = tmp_path / "docs"
    (docs / "site").mkdir(parents=True)
    (docs / "site/conf.py").write_bytes((ROOT / "docs/site/conf.py").read_bytes())
    (docs / "index.md").write_text("# One\n\n[two](two.md#nothing)\n\n```{toctree}\ntwo\n```\n")
    (docs / "two.md").write_text("# Two\n")
    code = (
        "import runpy, sys; from pathlib import Path\n"
        f"site = runpy.run_path({str(MAKE)!r})\n"
        f"sys.exit(site['make'](Path({str(docs)!r}), {{}}, Path({str(tmp_path / 'site')!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "index.md:3: WARNING: local id not found in doc 'two': 'nothing'" in done.stderr
