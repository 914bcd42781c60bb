"""A page that tells how good the air is."""

import argparse
import tomllib
from importlib.metadata import version
from pathlib import Path

from bottle import Bottle


def page(place: str) -> Bottle:
    """What is served."""
    served = Bottle()

    @served.get("/")
    def index() -> str:
        return f"The air in the {place} is good, says air {version('air')}.\n"

    return served


def main() -> None:
    """Serve the page until somebody ends the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    settings = tomllib.loads(parser.parse_args().config.read_text(encoding="utf-8"))
    page(settings["place"]).run(host="0.0.0.0", port=settings["port"])
