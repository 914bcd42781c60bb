"""Write the documents that are printed from the code: manual pages, and suppressed units.

``make docs`` runs this; ``tests/unit/cli/test_manual.py`` and
``tests/unit/build/units/test_suppressed_units.py`` notice when it was forgotten.
"""

from pathlib import Path

from reconix.base.files import write_durably
from reconix.build.units import suppressed_units
from reconix.cli.manual import pages

DOCS = Path(__file__).parent.parent / "docs"
FOLDER = DOCS / "man"


def main() -> None:
    """Write every page, and remove those of commands that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.1"):
        if path.name not in wanted:
            path.unlink()
    for name, page in wanted.items():
        write_durably(FOLDER / name, page)
    write_durably(DOCS / "suppressed-units.md", suppressed_units.print_markdown().encode())


if __name__ == "__main__":
    main()
