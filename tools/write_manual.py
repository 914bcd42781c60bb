"""Write the manual pages of the command line to ``docs/man``.

``make docs`` runs this; ``tests/unit/cli/test_manual.py`` notices when it was forgotten.
"""

from pathlib import Path

from reconix.base.files import write_durably
from reconix.cli.manual import pages

FOLDER = Path(__file__).parent.parent / "docs" / "man"


def main() -> None:
    """Write every page, and remove those of commands that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.1"):
        if path.name not in wanted:
            path.unlink()
    for name, page in wanted.items():
        write_durably(FOLDER / name, page)


if __name__ == "__main__":
    main()
